"""Images and containers without a container engine: buildah, a change of root, a PID namespace."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.e2e.endpoint import environment, until
from tests.zoo.store import REPOSITORY

from pelton.bench.child import free_port

TOOLS = {"buildah": "buildah", "mmdebstrap": "mmdebstrap", "newuidmap": "uidmap", "unshare": ""}
"""What is needed, and the Debian package that has it."""

_BUILD_LIMIT_S = 3000.0
_READ_ONLY = """
set -e
mount --make-rprivate /
mount --bind "$0" "$0"
mount -o remount,bind,ro "$0"
mount -t tmpfs tmpfs "$0/tmp" -o mode=1777
mount --rbind /dev "$0/dev"
mount -t proc proc "$0/proc"
exec chroot --userspec="$1" "$0" /usr/bin/env -i -C "$2" "${@:3}"
"""


def missing() -> str | None:
    """Say what is not there to build images with."""
    if os.geteuid() != 0:
        return "images are built as root here"
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        packages = " ".join(filter(None, (TOOLS[tool] for tool in absent)))
        return f"there is no {', '.join(absent)}: apt-get install {packages}"
    return None


class Store:
    """buildah's images and containers, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        driver = "overlay" if _mounts_overlays(folder) else "vfs"
        configuration = folder / "storage.conf"
        configuration.write_text(
            f'[storage]\ndriver = "{driver}"\ngraphroot = "{folder}/graph"\n'
            f'runroot = "{folder}/run"\n'
        )
        # The sources as they are now: layers of other ones would be other layers.
        sources = folder / "sources"
        for part in ("runtime", "kernels"):
            shutil.copytree(REPOSITORY / part, sources / part)
        for part in ("Dockerfile.cpu", "Dockerfile.gpu"):
            shutil.copyfile(REPOSITORY / part, sources / part)
        self.variables = environment(
            PYTHONPATH=f"{sources}/runtime:{sources}/kernels",
            BUILDAH_ISOLATION="chroot",
            CONTAINERS_STORAGE_CONF=str(configuration),
            STORAGE_DRIVER=driver,
        )

    def buildah(self, *arguments: str) -> str:
        return subprocess.run(
            ["buildah", *arguments],
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_BUILD_LIMIT_S,
        ).stdout

    def import_base(self, archive: Path, tag: str, folder: Path) -> None:
        """Make an image of a root file system."""
        (folder / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n")
        shutil.copyfile(archive, folder / "base.tar")
        self.buildah("build", "--tag", tag, str(folder))

    def pelton_build(self, model: Path, tag: str, *arguments: str) -> str:
        """Run `pelton build`; what it and buildah printed."""
        child = subprocess.run(
            [
                *(sys.executable, "-m", "pelton", "build", str(model), "--tag", tag),
                *("--builder", "buildah", *arguments),
            ],
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_BUILD_LIMIT_S,
        )
        assert child.returncode == 0, child.stdout
        return child.stdout

    def configuration(self, image: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", image))
        config: dict[str, Any] = found["Docker"]["config"]
        return config


class Container:
    """A container that runs what its image says, and is gone after ``with``."""

    def __init__(self, store: Store, image: str) -> None:
        self._store = store
        self._image = image
        self._config = store.configuration(image)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> Container:
        self._name = self._store.buildah("from", self._image).strip()
        self._exits.callback(self._store.buildah, "rm", self._name)
        folder = Path(self._exits.enter_context(tempfile.TemporaryDirectory()))
        self._log = folder / "log"
        self.client = self._exits.enter_context(httpx.Client(base_url=self.url, timeout=120.0))
        return self

    def __exit__(self, *_: object) -> None:
        with self._exits:
            for process in _descendants(self._process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            self._process.wait()

    def run(self) -> None:
        """Run it as buildah does: another root, the image's user."""
        self._start([*self._buildah_run(), *self._command()])

    def run_as_init(self) -> None:
        """Run it as process 1 of a PID namespace, with a read-only root file system."""
        root = self._store.buildah("mount", self._name).strip()
        variables = [*self._config["Env"], f"PELTON_PORT={self.port}"]
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c"]
        where = [root, self._config["User"], self._config["WorkingDir"]]
        self._start([*namespaces, _READ_ONLY, *where, *variables, *self._command()])

    def check_health(self) -> int:
        """Run the image's health check in it; returns the exit status."""
        kind, *test = self._config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return subprocess.run(
            [*self._buildah_run(), *test], env=self._store.variables, check=False, timeout=120
        ).returncode

    def until_ready(self) -> None:
        until(self._is_ready, "the container is ready", 600.0)

    def server(self) -> Process:
        """Return the server's process."""
        (found,) = (p for p in _descendants(self._process.pid) if p.name == "pelton")
        return found

    def workers(self) -> list[Process]:
        return [p for p in _descendants(self._process.pid) if p.name.startswith("worker-")]

    def until_ended(self) -> int:
        """Return the exit status, once it has ended."""
        return self._process.wait(120.0)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def _buildah_run(self) -> list[str]:
        return ["buildah", "run", "--env", f"PELTON_PORT={self.port}", self._name, "--"]

    def _command(self) -> list[str]:
        return [*self._config["Entrypoint"], *self._config["Cmd"]]

    def _start(self, command: Sequence[str]) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env=self._store.variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, f"the container has ended:\n{self.log()}"
        try:
            return self.client.get("/v2/health/ready").status_code == 200
        except httpx.TransportError:
            return False


@dataclass(frozen=True)
class Process:
    """A process as this machine sees it."""

    pid: int
    parent: int
    name: str
    state: str
    uid: int


def _descendants(pid: int) -> Iterator[Process]:
    """Yield a process and all that come of it."""
    known = dict(_processes())
    if pid in known:
        yield known[pid]
    ancestors = {pid}
    while children := [p for p in known.values() if p.parent in ancestors]:
        yield from children
        ancestors = {process.pid for process in children}


def _processes() -> Iterator[tuple[int, Process]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
            uid = folder.stat().st_uid
        except OSError:  # ended meanwhile
            continue
        state, parent = rest.split()[:2]
        pid = int(folder.name)
        yield pid, Process(pid, int(parent), name, state, uid)


def _mounts_overlays(folder: Path) -> bool:
    """Whether buildah can share layers here; else it copies each one whole."""
    parts = {name: folder / f"overlay-{name}" for name in ("lower", "upper", "work", "merged")}
    for part in parts.values():
        part.mkdir()
    options = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
    mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(parts["merged"])]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        return False
    subprocess.run(["umount", str(parts["merged"])], check=True)
    return True


def steps_run(output: str) -> list[str]:
    """Return the steps of a build that were not taken from the cache, stage `FROM`s left out."""
    found: list[str] = []
    for line in output.splitlines():
        _, step, instruction = line.partition("STEP ")
        text = instruction.partition(": ")[2]
        if step and not text.startswith("FROM"):
            found.append(text)
        elif "--> Using cache" in line and found:
            found.pop()
    return found
