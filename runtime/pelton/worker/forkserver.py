"""The fork server: imports the libraries, loads the model once, and forks what shares its memory.

Before it has loaded a model it forks further fork servers (so that the next revision need not
import anything again), afterwards workers. Each FORK brings the new process's descriptors along
(channel, lifeline, stdout, stderr). It runs no user code after loading and has no thread of its
own. A forked worker goes on with its own warm-up, which is also the proof that this model
survives a fork.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import os
import select
import signal
import socket
import sys
import traceback
from dataclasses import replace
from typing import Any, Final, NoReturn

from pelton import platform
from pelton.channel import frames
from pelton.channel.messages import (
    EXIT_LOAD_FAILED,
    EXIT_LOST_PARENT,
    Kind,
    LoadSpec,
    json_frame,
    read_json,
)
from pelton.channel.server import ChannelServer
from pelton.worker.main import report_failure, serve, unbuffer_output
from pelton.worker.model import LoadedModel
from pelton.worker.threads import ThreadLimits

FORK_FDS: Final = 4
"""Descriptors with a FORK: channel, lifeline, stdout, stderr."""


class ForkServer:
    """Serves one channel until the server is gone.

    Args:
        channel: to the server.
    """

    def __init__(self, channel: ChannelServer) -> None:
        self._channel = channel
        self._reader = frames.FrameReader()
        self._spec: LoadSpec | None = None
        self._model: LoadedModel | None = None
        self._children: dict[int, str] = {}
        # A child's death must wake the select below.
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def run(self) -> int:
        """Load and fork on request; returns the exit status. A forked child never comes back."""
        sock = self._channel.sock
        while True:
            ready, _, _ = select.select([sock.fileno(), self._wake_read], [], [])
            if self._wake_read in ready:
                os.read(self._wake_read, 4096)
                self._reap()
            if sock.fileno() not in ready:
                continue
            data, fds = _receive(sock)
            if not data:
                return EXIT_LOST_PARENT
            for frame in self._reader.feed(data):
                if frame.kind == Kind.LOAD and not self._load(LoadSpec.from_frame(frame)):
                    return EXIT_LOAD_FAILED
                if frame.kind == Kind.FORK:
                    self._fork(read_json(frame), fds)

    def _load(self, spec: LoadSpec) -> bool:
        """Load the model; whether that worked."""
        platform.name_process(spec.name)
        try:
            model = LoadedModel.load(spec)
        except BaseException as error:
            report_failure(self._channel, "load", error)
            return False
        self._spec, self._model = spec, model
        # What every worker would do first is done once, as far as it runs no code of the model.
        self._threads = ThreadLimits()
        if spec.fast_path:
            model.compile_fast_path()
        model.freeze()
        report = {**model.report(), "fork_danger": model.fork_danger()}
        self._channel.send([json_frame(Kind.LOADED, report)])
        return True

    def _fork(self, differs: dict[str, Any], fds: list[int]) -> None:
        name: str = differs["name"]
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _leave(self._become(differs, fds))
        self._children[pid] = name
        for fd in fds:
            os.close(fd)
        self._channel.send([json_frame(Kind.FORKED, {"name": name, "pid": pid})])

    def _become(self, differs: dict[str, Any], fds: list[int]) -> int:
        """Be the forked process; returns its exit status."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # What the parent wants done at its end (remove a folder of the model, say) is not ours.
        atexit._clear()
        os.close(self._wake_read)
        os.close(self._wake_write)
        self._channel.close()
        channel = _take_over(fds, differs["name"])
        try:
            if self._model is None or self._spec is None:
                return ForkServer(channel).run()
            spec = replace(self._spec, **differs)
            channel.send([json_frame(Kind.LOADED, self._model.report())])
            self._threads.use(spec.threads)
            return serve(channel, spec, self._model)
        except SystemExit as error:
            return error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:
            traceback.print_exc()
            return 1

    def _reap(self) -> None:
        """Report every child that ended; several deaths may have come as one signal."""
        for pid in list(self._children):
            try:
                done, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                done, status = pid, 0
            if done:
                report = {
                    "name": self._children.pop(pid),
                    "pid": pid,
                    "returncode": os.waitstatus_to_exitcode(status),
                }
                self._channel.send([json_frame(Kind.EXITED, report)])


def _take_over(fds: list[int], name: str) -> ChannelServer:
    """Make the descriptors that came with FORK this process's own; returns its channel."""
    channel_fd, lifeline_fd, stdout_fd, stderr_fd = fds
    os.setsid()
    platform.name_process(name)
    os.dup2(stdout_fd, 1)
    os.dup2(stderr_fd, 2)
    os.close(stdout_fd)
    os.close(stderr_fd)
    platform.die_with_lifeline(lifeline_fd)
    unbuffer_output()
    channel = ChannelServer(socket.socket(fileno=channel_fd))
    channel.send([json_frame(Kind.CONNECTED, {"pid": os.getpid(), "python": sys.version})])
    return channel


def _leave(status: int) -> NoReturn:
    """End a forked process like multiprocessing, not by the interpreter's own way out.

    That destroys what libraries made before the fork, and onnxruntime, for one, then waits for
    threads that only the parent has.
    """
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):  # the model may have closed them
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _receive(sock: socket.socket) -> tuple[bytes, list[int]]:
    """Read what is there and the descriptors that came with it; the server sends one FORK at a
    time, so they belong to that one."""
    fds = array.array("i")
    try:
        data, ancillary, _, _ = sock.recvmsg(65536, socket.CMSG_SPACE(FORK_FDS * fds.itemsize))
    except ConnectionResetError:
        return b"", []
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    for fd in fds:
        os.set_inheritable(fd, False)
    return data, list(fds)
