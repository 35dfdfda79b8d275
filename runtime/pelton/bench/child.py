"""A server started for a run and stopped after it: ``pelton serve``, as a child process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

from pelton.bench.caller import Caller
from pelton.bench.process import tree_pids
from pelton.bench.target import Target
from pelton.errors import ModelError

READY_PATH: Final = "/v2/health/ready"
_POLL_S: Final = 0.05
_STOP_S: Final = 20.0
_LOG_LINES: Final = 30


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pelton_command(model: str, port: int, extra: Sequence[str] = ()) -> list[str]:
    """Return the command line that serves a model on a loopback port."""
    serve = [sys.executable, "-m", "pelton", "serve", model]
    return [*serve, "--host", "127.0.0.1", "--port", str(port), *extra]


class Server:
    """A server process on a loopback port, from :meth:`start` to :meth:`stop`.

    Args:
        command: how to start it.
        port: where it will listen.
        ready_path: answers 200 once the model can be asked.
        environment: variables beside this process's own.
        cores: cores to keep it on; ``None`` = wherever the system likes.
        log: where its output goes; ``None`` = a file that is gone afterwards.
        adopt: called with the process's id as soon as there is one, to limit it, say.
    """

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        *,
        ready_path: str = READY_PATH,
        environment: dict[str, str] | None = None,
        cores: Sequence[int] | None = None,
        log: Path | None = None,
        adopt: Callable[[int], None] = lambda pid: None,
    ) -> None:
        self._command = list(command)
        self._ready_path = ready_path
        self._environment = {**os.environ, **(environment or {})}
        self._cores = cores
        self._log = log.open("w+b") if log else tempfile.TemporaryFile()  # noqa: SIM115
        self._adopt = adopt
        self._process: asyncio.subprocess.Process | None = None
        self.target = Target("127.0.0.1", port)
        self.start_s = float("nan")

    @property
    def pid(self) -> int:
        """The process's id; its workers are below it."""
        assert self._process is not None
        return self._process.pid

    async def start(self, timeout_s: float = 300.0) -> None:
        """Start it and wait until it is ready; if cancelled or failing, it is stopped.

        Raises:
            ModelError: it ended, or was not ready in time; the message has its last lines.
        """
        begun = perf_counter()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=self._environment,
            start_new_session=True,  # Ctrl-C is for us; we stop it ourselves
        )
        if self._cores is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self._process.pid, self._cores)
        caller = Caller(self.target, timeout_s=10.0)
        try:
            self._adopt(self._process.pid)
            while perf_counter() - begun < timeout_s:
                if self._process.returncode is not None:
                    raise ModelError(
                        f"the server ended with {self._process.returncode} before it was ready:\n"
                        + self.last_lines()
                    )
                with contextlib.suppress(OSError, TimeoutError):
                    if (await caller.get(self._ready_path)).status == 200:
                        self.start_s = perf_counter() - begun
                        return
                await asyncio.sleep(_POLL_S)
            raise ModelError(f"not ready after {timeout_s:.0f} s:\n{self.last_lines()}")
        except BaseException:
            await self.stop()
            raise
        finally:
            caller.close()

    async def stop(self) -> None:
        """End it and everything below it; safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        family = tree_pids(process.pid)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            family = sorted({*family, *tree_pids(process.pid)})
        for pid in family:
            if pid != process.pid or process.returncode is None:
                _kill_if_ours(pid, process.pid)
        await process.wait()
        self._log.close()

    def last_lines(self) -> str:
        """Return the end of what the server has printed."""
        self._log.flush()
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:])


def _kill_if_ours(pid: int, session: int) -> None:
    """Kill a process unless its id has gone to somebody else (another session) by now."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getsid(pid) == session or pid == session:
            os.kill(pid, signal.SIGKILL)
