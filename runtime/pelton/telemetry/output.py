"""What a model prints, line by line in the log, whatever it prints."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time

from pelton.telemetry.logging import kv

log = logging.getLogger("pelton.output")

_READ_BYTES = 256 * 1024
_LINE_BYTES = 8 * 1024
_LINES_PER_S = 500
_LAST_READS = 64


class OutputReader:
    """Reads a worker's stdout or stderr from a pipe until it is closed.

    It always reads, so that a model is never blocked by printing, and logs at most
    ``_LINES_PER_S`` lines a second of at most ``_LINE_BYTES`` bytes; it says how many it left out.
    """

    def __init__(self, fd: int, worker: str, stream: str) -> None:
        self._fd: int | None = fd
        self._worker = worker
        self._stream = stream
        self._rest = b""
        self._second = 0
        self._lines = 0
        self._left_out = 0
        os.set_blocking(fd, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(fd, self._readable)

    def finish(self) -> None:
        """Log what is still in the pipe and close it; the process has ended."""
        for _ in range(_LAST_READS):  # a grandchild may hold the pipe and go on printing
            if self._fd is None or self._read_once() is not True:
                break
        self._close()

    def _readable(self) -> None:
        if self._read_once() is False:
            self._close()

    def _read_once(self) -> bool | None:
        """Read once: True if something came, None if nothing is there now, False at the end."""
        assert self._fd is not None
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return None
        if not data:
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._log(line)
        return True

    def _log(self, line: bytes) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._report_left_out()
            self._second, self._lines = second, 0
        self._lines += 1
        if self._lines > _LINES_PER_S:
            if not self._left_out:  # the model may print nothing more
                self._loop.call_later(1.0, self._report_left_out)
            self._left_out += 1
            return
        text = line[:_LINE_BYTES].decode("utf-8", "replace").rstrip("\r")
        if text:
            log.info("worker.output %s", kv(worker=self._worker, stream=self._stream, text=text))

    def _report_left_out(self) -> None:
        if self._left_out:
            log.warning(
                "worker.output_left_out %s",
                kv(worker=self._worker, stream=self._stream, lines=self._left_out),
            )
            self._left_out = 0

    def _close(self) -> None:
        if self._fd is None:
            return
        if self._rest:
            self._log(self._rest)
            self._rest = b""
        self._report_left_out()
        with contextlib.suppress(ValueError):
            self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self._fd = None
