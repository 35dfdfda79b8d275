"""Processes: start them so that they cannot outlive us, notice their end, end their groups."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pelton import platform
from pelton.telemetry.output import OutputReader

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_WORKER_ROOT = Path(__file__).resolve().parents[1] / "worker"
# Nothing of the server's environment may reach a worker in another environment.
_SERVER_VARIABLES = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "VIRTUAL_ENV",
    "__PYVENV_LAUNCHER__",
)
_REAPED_S = 2.0


class WorkerFds:
    """The descriptors a worker is born with, both ends.

    Attributes:
        sock: our end of the channel.
        child_fds: the worker's: channel, lifeline, stdout, stderr.
    """

    def __init__(self) -> None:
        self.sock, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        for end in (self.sock, child):
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                end.setsockopt(socket.SOL_SOCKET, option, 1024 * 1024)
        lifeline_read, self.lifeline = os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        self.stdout, stdout_write = os.pipe()
        self.stderr, stderr_write = os.pipe()
        self.child_fds = [child.detach(), lifeline_read, stdout_write, stderr_write]

    def close_child_ends(self) -> None:
        """Close what the worker has inherited by now."""
        for fd in self.child_fds:
            os.close(fd)
        self.child_fds = []

    def close(self) -> None:
        """Close both ends: there is no worker, or it is to die."""
        self.close_child_ends()
        self.sock.close()
        for fd in (self.lifeline, self.stdout, self.stderr):
            os.close(fd)


class WorkerProcess:
    """A process that is or becomes a worker. Owned by one event loop.

    Args:
        pid: its id; it is the leader of its own process group.
        fds: our ends of its descriptors.
        name: for the lines it prints.
        popen: the child, where it is a direct one; a forked worker's exit status comes from the
            fork server by ``set_returncode``.
        reaper: done when that fork server has ended, and nobody will say any more.

    Attributes:
        exited: done when the process has ended; the exit status as ``subprocess`` gives it.
    """

    def __init__(
        self,
        pid: int,
        fds: WorkerFds,
        name: str,
        popen: subprocess.Popen[bytes] | None = None,
        reaper: asyncio.Future[int] | None = None,
    ) -> None:
        self.pid = pid
        self.name = name
        self.sock = fds.sock
        self._lifeline: int | None = fds.lifeline
        self._popen = popen
        self._reaper = reaper
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        self.last_signal: int | None = None
        self._output = [
            OutputReader(fds.stdout, name, "stdout"),
            OutputReader(fds.stderr, name, "stderr"),
        ]
        self._pidfd: int | None = None
        self._watch()

    def send_signal(self, number: int) -> None:
        """Send a signal to the worker and everything it has started."""
        if self.exited.done():
            return
        self.last_signal = number
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, number)  # a worker that has not made its group yet

    def kill(self) -> None:
        """Kill it and its children, now; a stopped process dies too."""
        self.send_signal(signal.SIGKILL)

    def set_returncode(self, returncode: int) -> None:
        """Record how a forked worker ended, as its fork server reports it."""
        self._finish(returncode)

    def _watch(self) -> None:
        if hasattr(os, "pidfd_open"):
            try:
                self._pidfd = os.pidfd_open(self.pid)
            except OSError:
                self._gone()
                return
            self._loop.add_reader(self._pidfd, self._gone)
        elif self._popen is not None:  # macOS: a thread waits
            waiter = self._loop.run_in_executor(None, self._popen.wait)
            waiter.add_done_callback(lambda done: self._finish(done.result()))

    def _gone(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
        if self._popen is not None:
            self._finish(self._popen.wait())
        elif self._reaper is None or self._reaper.done():
            self._finish(-signal.SIGKILL)  # all that is known is that the process is gone
        else:
            # The fork server reaps it and says how it ended, soon; unless it is stopped, or ends.
            self._loop.call_later(_REAPED_S, self._finish, -signal.SIGKILL)
            self._reaper.add_done_callback(lambda _: self._finish(-signal.SIGKILL))

    def _finish(self, returncode: int) -> None:
        if self.exited.done():
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # what the model started dies with it
        self.exited.set_result(returncode)
        for output in self._output:
            output.finish()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None


def spawn(
    python: Path,
    name: str,
    environ: Mapping[str, str],
    *,
    template: bool = False,
    preload: Sequence[str] = (),
) -> WorkerProcess:
    """Start a worker (or a fork server) in its own session.

    Args:
        python: the interpreter of the model's environment.
        name: for logs.
        environ: its environment variables.
        template: start a fork server.
        preload: modules it imports before it is told what to load.
    """
    fds = WorkerFds()
    channel_fd, lifeline_fd, stdout_fd, stderr_fd = fds.child_fds
    command = [
        str(python),
        *isolation_flags(python),
        str(_WORKER_ROOT / "boot.py"),
        _kernels_folder(),
        f"--channel={channel_fd}",
        f"--lifeline={lifeline_fd}",
        *(["--template"] if template else []),
        *(f"--preload={module}" for module in preload),
    ]
    popen = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=stdout_fd,
        stderr=stderr_fd,
        pass_fds=(channel_fd, lifeline_fd),
        env=dict(environ),
        start_new_session=True,
    )
    platform.send_away(popen.pid)
    fds.close_child_ends()
    return WorkerProcess(popen.pid, fds, name, popen)


def isolation_flags(python: Path) -> list[str]:
    """Return the interpreter's flags: keep the script's folder off the path (3.11 and later)."""
    name = python.resolve().name
    old = name.endswith(("3.10", "3.9", "3.8"))
    return [] if old else ["-P"]


def worker_environ(
    environ: Mapping[str, str], threads: int, *, isolated: bool, template: bool = False
) -> dict[str, str]:
    """Return a worker's environment variables.

    Thread pools (OpenMP, BLAS, torch) are capped at ``threads`` each before anything imports
    NumPy; what the user has set is left alone. A fork server gets one thread whatever is set, as
    a pool does not survive a fork; its workers raise that (``worker.threads``).
    """
    result = dict(environ)
    result.pop("PELTON_TOKEN", None)
    if isolated:
        for variable in _SERVER_VARIABLES:
            result.pop(variable, None)
    for variable in THREAD_VARIABLES:
        if template:
            result[variable] = "1"
        else:
            result.setdefault(variable, str(threads))
    return result


def _kernels_folder() -> str:
    spec = importlib.util.find_spec("pelton_kernels")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return str(next(iter(spec.submodule_search_locations)))
