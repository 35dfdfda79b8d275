"""Building an image with docker, buildah or podman, whichever is there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from pelton.container.packages import PackageSettings
from pelton.errors import ConfigError, EnvironmentError_

BUILDERS: Final = ("docker", "buildah", "podman")
_KEPT_LINES: Final = 30
_LINE_LIMIT_BYTES: Final = 1 << 20
_FULL: Final = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_PROBE_LIMIT_S: Final = 20.0


async def find_builder(wanted: str) -> str:
    """Return the name of a builder that works.

    Raises:
        ConfigError: there is none, or not the one that is wanted.
    """
    reasons = []
    for name in BUILDERS if wanted == "auto" else (wanted,):
        reason = await _unusable(name)
        if reason is None:
            return name
        reasons.append(f"{name} {reason}")
    raise ConfigError(
        f"Nothing here can build an image: {'; '.join(reasons)}. Install one of"
        f" {', '.join(BUILDERS)}, or write the context with --dry-run and build elsewhere."
    )


async def _unusable(name: str) -> str | None:
    if shutil.which(name) is None:
        return "is not installed"
    if name != "docker":
        return None
    # Its command is of no use without its daemon.
    try:
        async with asyncio.timeout(_PROBE_LIMIT_S):
            child = await asyncio.create_subprocess_exec(
                *("docker", "info"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            status = await child.wait()
    except TimeoutError:
        child.kill()
        return "does not answer"
    return None if status == 0 else "has no daemon running"


def command(
    builder: str,
    context: Path,
    tag: str,
    arguments: Mapping[str, str],
    packages: PackageSettings,
    secret: Path | None,
    extra: Sequence[str],
) -> list[str]:
    """Return the command line that builds ``context``.

    Args:
        builder: one of ``BUILDERS``.
        context: a folder with a Dockerfile.
        tag: name of the image.
        arguments: build arguments.
        packages: where packages come from.
        secret: a file with its script.
        extra: further options, as they are.

    Raises:
        ConfigError: packages come from local folders, and docker does not let a build see them.
    """
    options = ["--tag", tag]
    for name, value in arguments.items():
        options += ["--build-arg", f"{name}={value}"]
    if secret is not None:
        options += ["--secret", f"id=packages,src={secret}"]
    if builder == "docker":
        if packages.folders:
            raise ConfigError(
                "pip's or uv's settings name local files"
                f" ({', '.join(map(str, packages.folders))}), which docker does not show to a"
                " build. Use buildah or podman, or an index that is reached over the network."
            )
        return ["docker", "build", *options, *extra, str(context)]
    for folder in packages.folders:
        options += ["--volume", f"{folder}:{folder}:ro"]
    # OCI's own format has no health check.
    kind = ["--format", "docker", "--layers"]
    verb = ["buildah", "build"] if builder == "buildah" else ["podman", "build"]
    return [*verb, *kind, *options, *extra, str(context)]


async def build(
    builder: str,
    context: Path,
    tag: str,
    arguments: Mapping[str, str],
    packages: PackageSettings,
    *,
    extra: Sequence[str],
    timeout_s: float,
    on_progress: Callable[[str], None],
) -> None:
    """Build the image ``tag``; every line that the builder prints is progress.

    Raises:
        EnvironmentError_: it cannot be built, the disk is full, or it took too long. If
            cancelled, the builder is ended.
        ConfigError: the builder cannot reach what packages come from.
    """
    with tempfile.TemporaryDirectory(prefix="pelton-secret-") as folder:
        secret = None
        if packages.script:
            secret = Path(folder, "packages")
            secret.touch(mode=0o600)
            secret.write_text(packages.script)
        line = command(builder, context, tag, arguments, packages, secret, extra)
        try:
            async with asyncio.timeout(timeout_s):
                status, said = await _run(line, on_progress)
        except TimeoutError:
            raise EnvironmentError_(
                f"the image was not built within {timeout_s:g} s (--time-limit); what is done so "
                "far is cached, so that a second attempt goes on from there"
            ) from None
    if status == 0:
        return
    text = "\n".join(said)
    if _FULL.search(text):
        raise EnvironmentError_(
            f"there is no space left to build the image: {builder} keeps its layers in its storage"
            f" folder and works in TMPDIR ({tempfile.gettempdir()}). Remove old images"
            f" (`{builder} {'image prune' if builder != 'buildah' else 'rmi --prune'}`), or move"
            " them to a larger disk."
        )
    raise EnvironmentError_(f"{builder} could not build the image (exit status {status}):\n{text}")


async def _run(line: Sequence[str], on_progress: Callable[[str], None]) -> tuple[int, list[str]]:
    child = await asyncio.create_subprocess_exec(
        *line,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=_LINE_LIMIT_BYTES,
        env={**os.environ, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"},
        start_new_session=True,  # its own process group, to be ended as a whole
    )
    assert child.stdout is not None
    said: deque[str] = deque(maxlen=_KEPT_LINES)
    try:
        while text := await child.stdout.readline():
            said.append(text.decode(errors="replace").rstrip())
            on_progress(said[-1])
        return await child.wait(), list(said)
    finally:
        if child.returncode is None:
            await _end(child)


async def _end(child: asyncio.subprocess.Process) -> None:
    """Let the builder tidy up, but not for long."""
    for number, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.shield(child.wait())
                return
