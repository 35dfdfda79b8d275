"""The fork server as the supervisor sees it: it has loaded the model once and forks workers."""

from __future__ import annotations

import array
import asyncio
import contextlib
import logging
import socket
from collections.abc import Mapping
from typing import Any

from pelton import platform
from pelton.channel import frames
from pelton.channel.messages import Kind, LoadSpec, json_frame, read_json
from pelton.errors import BudgetExceeded, LoadFailed, ModelError, WorkerCrashed
from pelton.supervisor.ending import failure
from pelton.supervisor.process import WorkerFds, WorkerProcess
from pelton.telemetry.logging import kv

log = logging.getLogger("pelton.supervisor")


class Template:
    """A fork server. Owned by one event loop; one ``fork`` at a time.

    Attributes:
        loaded: done when the model has loaded (its report), or has failed to.
    """

    def __init__(self, process: WorkerProcess, spec: LoadSpec) -> None:
        self.process = process
        self._spec = spec
        self._sock = process.sock
        self._sock.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._reader = frames.FrameReader()
        self._failure: ModelError | None = None
        self._forked: asyncio.Future[int] | None = None
        self._children: dict[int, WorkerProcess] = {}
        self._early_exits: dict[int, int] = {}
        self._lock = asyncio.Lock()
        self.loaded: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._loop.add_reader(self._sock, self._readable)
        process.exited.add_done_callback(self._exited)

    def load(self) -> None:
        """Tell it what to load."""
        # The socket's buffer is empty and large, so that this never blocks.
        self._sock.sendall(b"".join(bytes(b) for b in frames.encode(self._spec.to_frame())))

    @property
    def is_alive(self) -> bool:
        """Whether it can fork."""
        return not self.process.exited.done()

    async def fork(
        self, name: str, differs: Mapping[str, Any], timeout_s: float = 10.0
    ) -> WorkerProcess:
        """Fork a worker and return its process.

        Args:
            name: the worker's.
            differs: fields of its ``LoadSpec`` that differ from the fork server's.
            timeout_s: a fork server that takes longer is ended.

        Raises:
            WorkerCrashed: the fork server is gone, or does not answer.
        """
        async with self._lock:
            if not self.is_alive:
                raise WorkerCrashed("The fork server has ended.")
            fds = WorkerFds()
            self._forked = self._loop.create_future()
            frame = json_frame(Kind.FORK, {**differs, "name": name})
            payload = b"".join(bytes(part) for part in frames.encode(frame))
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds.child_fds))
            try:
                self._sock.sendmsg([payload], [rights])
                pid = await asyncio.wait_for(self._forked, timeout_s)
            except BaseException as error:
                fds.close()
                if not isinstance(error, (TimeoutError, OSError)):
                    raise
                self.process.kill()
                raise WorkerCrashed(f"The fork server did not fork: {error!r}") from error
            finally:
                self._forked = None
            fds.close_child_ends()
            process = WorkerProcess(pid, fds, name, reaper=self.process.exited)
            self._children[pid] = process
            if pid in self._early_exits:
                self._child_exited(pid, self._early_exits.pop(pid))
            return process

    def refuse(self, reason: str) -> None:
        """End it while it loads: it takes more memory than it may."""
        self._failure = BudgetExceeded(reason)
        self.process.kill()

    def end_if_stopped(self) -> None:
        """End it if a signal has stopped it: it would never fork; another takes its place."""
        if self.is_alive and platform.is_stopped(self.process.pid):
            log.warning("forkserver.stopped %s", kv(worker=self.process.name))
            self.process.kill()

    def stop(self) -> None:
        """End it; workers forked from it go on."""
        self.process.kill()

    def _readable(self) -> None:
        if not self._read_once():
            self._loop.remove_reader(self._sock)

    def _read_once(self) -> bool:
        """Read what is there; False once there will be nothing more."""
        try:
            data = self._sock.recv(65536)
        except BlockingIOError:
            return self.is_alive
        except OSError:
            return False
        for frame in self._reader.feed(data):
            self._on_frame(frame)
        return bool(data)

    def _on_frame(self, frame: frames.Frame) -> None:
        if frame.kind == Kind.LOADED:
            if not self.loaded.done():
                self.loaded.set_result(read_json(frame))
        elif frame.kind == Kind.FAILED:
            self._failure = failure(read_json(frame))
        elif frame.kind == Kind.FORKED:
            if self._forked is not None and not self._forked.done():
                self._forked.set_result(read_json(frame)["pid"])
        elif frame.kind == Kind.EXITED:
            report = read_json(frame)
            self._child_exited(report["pid"], report["returncode"])

    def _child_exited(self, pid: int, returncode: int) -> None:
        process = self._children.pop(pid, None)
        if process is None:
            self._early_exits[pid] = returncode
        else:
            process.set_returncode(returncode)

    def _exited(self, exited: asyncio.Future[int]) -> None:
        while self._read_once():  # its last words
            pass
        error = self._failure or LoadFailed(
            f"The process that loads the model ended (status {exited.result()}) before it had"
            f" loaded; see its output above."
        )
        if not self.loaded.done():
            self.loaded.set_exception(error)
            self.loaded.exception()
        if self._forked is not None and not self._forked.done():
            self._forked.set_exception(WorkerCrashed("The fork server has ended."))
        with contextlib.suppress(ValueError, OSError):
            self._loop.remove_reader(self._sock)
        self._sock.close()
        log.debug("template.ended %s", kv(worker=self.process.name))
