"""Running uv, the tool that builds environments: where it is, its settings, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pelton import platform
from pelton.environment.pipconfig import as_uv
from pelton.errors import EnvironmentError_

# What would make uv install somewhere else than it is told.
_MISLEADING: Final = frozenset(
    {
        "CONDA_PREFIX",
        "UV_BREAK_SYSTEM_PACKAGES",
        "UV_NO_PROJECT",
        "UV_PREFIX",
        "UV_PROJECT",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON",
        "UV_SYSTEM_PYTHON",
        "UV_TARGET",
        "UV_WORKING_DIR",
        "VIRTUAL_ENV",
    }
)
# What uv says while it works that a person wants to see.
_PROGRESS: Final = (
    "Resolved ",
    "Downloading ",
    "Building ",
    "Prepared ",
    "Installed ",
    "Updating ",
)
_KEPT_LINES: Final = 400


class UvFailed(Exception):
    """uv ended with an error.

    Attributes:
        stderr: what it said, without progress.
    """

    def __init__(self, stderr: str) -> None:
        super().__init__(stderr)
        self.stderr = stderr


@dataclass(frozen=True)
class Uv:
    """uv, and the settings it runs with: the user's own, and pip's where uv has none.

    Attributes:
        options: for every command that looks for packages.
    """

    binary: str
    environment: Mapping[str, str]
    options: tuple[str, ...]

    async def run(
        self,
        *arguments: str,
        cwd: Path,
        on_progress: Callable[[str], None],
        inherit: Sequence[int] = (),
        extra: Mapping[str, str] | None = None,
    ) -> str:
        """Run one command and return its stdout.

        Args:
            inherit: file descriptors that uv and its children keep open.
            extra: more environment variables.

        Raises:
            UvFailed: it ended with an error. If cancelled, uv and its children are killed.
        """
        child = await asyncio.create_subprocess_exec(
            *(self.binary, *arguments),
            cwd=cwd,
            env={**self.environment, **(extra or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=inherit,
            start_new_session=True,  # its own process group, to be killed as a whole
        )
        platform.send_away(child.pid)
        assert child.stdout is not None
        assert child.stderr is not None
        said: deque[str] = deque(maxlen=_KEPT_LINES)
        try:
            async with asyncio.TaskGroup() as group:
                output = group.create_task(child.stdout.read())
                group.create_task(_follow(child.stderr, said, on_progress))
            code = await child.wait()
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                await asyncio.shield(child.wait())
        if code != 0:
            raise UvFailed("\n".join(said).strip() or f"it ended with exit code {code}")
        return output.result().decode(errors="replace")


def find_uv() -> Uv:
    """Find uv, in the package of that name or on PATH.

    Raises:
        EnvironmentError_: there is none.
    """
    binary = _binary()
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in _MISLEADING and not name.startswith("PYTHON")
    }
    translated, options = as_uv(os.environ)
    for name, value in translated.items():
        environment.setdefault(name, value)
    environment["NO_COLOR"] = "1"
    return Uv(binary, environment, options)


def _binary() -> str:
    with contextlib.suppress(ImportError, FileNotFoundError):
        from uv import find_uv_bin

        return os.fspath(find_uv_bin())
    found = shutil.which("uv")
    if found is None:
        raise EnvironmentError_(
            "uv, which builds environments, is not installed; `pip install uv`, or serve with "
            "--env local from an environment that has the model's requirements"
        )
    return found


async def _follow(
    stream: asyncio.StreamReader, said: deque[str], on_progress: Callable[[str], None]
) -> None:
    """Pass progress on and keep the rest; a line too long for the stream is dropped."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            continue
        if not line:
            return
        text = line.decode(errors="replace").rstrip()
        if text.lstrip().startswith(_PROGRESS):
            on_progress(text.strip())
        else:
            said.append(text)
