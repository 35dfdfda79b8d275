"""What a model's pickles refer to, read from their instructions without running any of them."""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

_SUFFIXES: Final = frozenset({".pkl", ".pickle", ".joblib", ".pth", ".pt", ".cloudpickle"})
# What is beyond is data in all likelihood, and reading it takes long.
_LARGEST_BYTES: Final = 256 << 20
_MOST_INSTRUCTIONS: Final = 2_000_000
_STRINGS: Final = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"})
_MEMOISE: Final = frozenset({"MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"})
_RECALL: Final = frozenset({"BINGET", "LONG_BINGET", "GET"})


@dataclass(frozen=True)
class Pickle:
    """One pickle.

    Attributes:
        path: relative to the model.
        globals: what it imports, as ``module.name``.
        strings: the texts in it, in no particular order.
    """

    path: Path
    globals: frozenset[str]
    strings: frozenset[str]

    @property
    def modules(self) -> frozenset[str]:
        """The top-level modules that it imports."""
        return frozenset(name.partition(".")[0] for name in self.globals)


def read_pickles(directory: Path) -> Iterator[Pickle]:
    """Read all pickles of a model; of a damaged or mixed file, as far as it can be read."""
    for path in sorted(directory.rglob("*")):
        if path.suffix not in _SUFFIXES or not path.is_file():
            continue
        if path.stat().st_size > _LARGEST_BYTES:
            continue
        found_globals: set[str] = set()
        found_strings: set[str] = set()
        for stream in _streams(path):
            with stream:
                _scan(stream, found_globals, found_strings)
        relative = path.relative_to(directory)
        yield Pickle(relative, frozenset(found_globals), frozenset(found_strings))


def _streams(path: Path) -> Iterator[IO[bytes]]:
    """Open the pickles in a file: PyTorch's are archives with one inside."""
    if not zipfile.is_zipfile(path):
        yield path.open("rb")
        return
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith("data.pkl"):
                yield archive.open(name)


def _scan(stream: IO[bytes], globals_: set[str], strings: set[str]) -> None:
    """Follow the instructions as far as strings and imports go."""
    memo: dict[int, str | None] = {}
    recent: list[str | None] = []
    last: str | None = None
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count > _MOST_INSTRUCTIONS:
                return
            if opcode.name in _MEMOISE:
                memo[len(memo) if argument is None else int(str(argument))] = last
                continue
            last = None
            if opcode.name in _STRINGS:
                last = str(argument)
                strings.add(last)
            elif opcode.name in _RECALL:
                last = memo.get(int(str(argument)))
            elif opcode.name == "GLOBAL":
                globals_.add(str(argument).replace(" ", "."))
            elif opcode.name == "STACK_GLOBAL" and None not in recent[-2:] and len(recent) >= 2:
                globals_.add(f"{recent[-2]}.{recent[-1]}")
            recent = [*recent[-1:], last]
    except (ValueError, EOFError, IndexError, OverflowError):
        return  # cut short, or arrays in between as joblib writes them
