"""The fork server: loads the model once and forks workers that share its memory.

It runs no user code after loading and has no thread of its own. Each FORK brings the new
worker's descriptors along (channel, lifeline, stdout, stderr); the child goes on as a worker
with its own warm-up, which is also the proof that this model survives a fork.
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
from typing import Final, NoReturn

from pelton import platform
from pelton.channel import frames
from pelton.channel.messages import EXIT_LOST_PARENT, Kind, LoadSpec, json_frame, read_json
from pelton.channel.server import ChannelServer
from pelton.worker.main import serve, unbuffer_output
from pelton.worker.model import LoadedModel
from pelton.worker.threads import use_threads

FORK_FDS: Final = 4
"""Descriptors with a FORK: channel, lifeline, stdout, stderr."""


def serve_forks(channel: ChannelServer, spec: LoadSpec, model: LoadedModel) -> int:
    """Fork workers on request until the server is gone; returns the exit status.

    A forked child never comes back.
    """
    model.freeze()
    # A child's death must wake the select below.
    wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    channel.send([json_frame(Kind.LOADED, {**model.report(), "fork_danger": model.fork_danger()})])
    children: dict[int, str] = {}
    reader = frames.FrameReader()
    while True:
        ready, _, _ = select.select([channel.sock.fileno(), wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            _reap(channel, children)
        if channel.sock.fileno() not in ready:
            continue
        data, fds = _receive(channel.sock)
        if not data:
            return EXIT_LOST_PARENT
        for frame in reader.feed(data):
            if frame.kind == Kind.DRAIN:
                return 0
            if frame.kind != Kind.FORK:
                continue
            child = replace(spec, **read_json(frame))
            sys.stdout.flush()
            sys.stderr.flush()
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.close(wake_read)
                os.close(wake_write)
                channel.close()
                _become_worker(fds, child, model)
            children[pid] = child.name
            for fd in fds:
                os.close(fd)
            channel.send([json_frame(Kind.FORKED, {"name": child.name, "pid": pid})])


def _become_worker(fds: list[int], spec: LoadSpec, model: LoadedModel) -> NoReturn:
    # What the parent wants done at its end (remove a folder of the model, say) is not ours to do.
    atexit._clear()
    channel_fd, lifeline_fd, stdout_fd, stderr_fd = fds
    os.setsid()
    platform.name_process(spec.name)
    os.dup2(stdout_fd, 1)
    os.dup2(stderr_fd, 2)
    os.close(stdout_fd)
    os.close(stderr_fd)
    platform.die_with_lifeline(lifeline_fd)
    unbuffer_output()
    channel = ChannelServer(socket.socket(fileno=channel_fd))
    channel.send([json_frame(Kind.CONNECTED, {"pid": os.getpid(), "python": sys.version})])
    channel.send([json_frame(Kind.LOADED, model.report())])
    try:
        use_threads(spec.threads)
        status = serve(channel, spec, model)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    # Like multiprocessing, not by the interpreter's own way out: that destroys what libraries made
    # before the fork, and onnxruntime, for one, then waits for threads that only the parent has.
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


def _reap(channel: ChannelServer, children: dict[int, str]) -> None:
    """Report every child that ended; several deaths may have come as one signal."""
    for pid in list(children):
        try:
            done, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            done, status = pid, 0
        if done:
            report = {
                "name": children.pop(pid),
                "pid": pid,
                "returncode": os.waitstatus_to_exitcode(status),
            }
            channel.send([json_frame(Kind.EXITED, report)])
