"""Requirement files, line by line, so that a message can name the line at fault.

uv reads the files themselves when it installs; this is for deciding and explaining.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_COMMENT: Final = re.compile(r"(^|\s+)#.*$")
_HASH: Final = re.compile(r"\s--hash[= ]\S+")
_INCLUDE: Final = re.compile(r"^(?:-r|--requirement|-c|--constraint)(?:\s+|=)?(?P<path>\S+)$")
_WHEEL_NAME: Final = re.compile(r"(?:^|/)(?P<name>[A-Za-z0-9_.]+)-(?P<version>[^-/]+)-[^/]+\.whl$")


@dataclass(frozen=True)
class Line:
    """One line of a requirements file.

    Attributes:
        text: without comment and continuation.
        file: relative to the model, for messages; an override's is ``--override``.
        number: counts from 1.
        constraint: from a constraints file: limits a version, installs nothing.
    """

    text: str
    file: str
    number: int
    constraint: bool = False

    @property
    def where(self) -> str:
        """The line as a message names it."""
        return f"{self.file} line {self.number}: {self.text}"

    @property
    def is_option(self) -> bool:
        """``--index-url ...`` and the like, which install nothing."""
        return self.text.startswith("-") and not self.text.startswith(("-e", "--editable"))

    @property
    def requirement(self) -> Requirement | None:
        """The line as PEP 508 has it, or ``None`` for an option, a path or a bare URL."""
        from packaging.requirements import InvalidRequirement, Requirement

        try:
            return Requirement(_HASH.sub("", self.text))
        except InvalidRequirement:
            return None

    @property
    def name(self) -> str | None:
        """The normalised name of the package, also of a wheel's path."""
        from packaging.utils import canonicalize_name

        if (requirement := self.requirement) is not None:
            return canonicalize_name(requirement.name)
        if match := _WHEEL_NAME.search(self.text):
            return canonicalize_name(match["name"])
        return None


def parse_lines(texts: Iterable[str], file: str, *, constraint: bool = False) -> Iterator[Line]:
    """Yield the lines that say something; a continued one counts where it begins."""
    held, begun = "", 0
    for number, raw in enumerate(texts, start=1):
        text = _COMMENT.sub("", raw.rstrip("\r\n")).rstrip()
        begun = begun or number
        if text.endswith("\\"):
            held += text[:-1]
            continue
        whole = (held + text).strip()
        if whole:
            yield Line(whole, file, begun, constraint)
        held, begun = "", 0
    if held.strip():
        yield Line(held.strip(), file, begun, constraint)


def included(line: Line) -> tuple[str, bool] | None:
    """Return the file that ``-r`` or ``-c`` includes, and whether it holds constraints."""
    match = _INCLUDE.match(line.text)
    if match is None:
        return None
    return match["path"], line.text.startswith(("-c", "--constraint"))


def read_lines(directory: Path, name: str, *, constraint: bool = False) -> Iterator[Line]:
    """Yield the lines of a file and of those it includes, which are relative to it.

    Raises:
        OSError: a file is missing or unreadable.
    """
    yield from _read(directory, Path(name), constraint, ())


def _read(directory: Path, name: Path, constraint: bool, above: tuple[Path, ...]) -> Iterator[Line]:
    if name in above:
        return
    texts = (directory / name).read_text(encoding="utf-8-sig").splitlines()
    for line in parse_lines(texts, str(name), constraint=constraint):
        inclusion = included(line)
        if inclusion is None:
            yield line
        else:
            path, is_constraint = inclusion
            yield from _read(
                directory,
                Path(os.path.normpath(name.parent / path)),
                constraint or is_constraint,
                (*above, name),
            )
