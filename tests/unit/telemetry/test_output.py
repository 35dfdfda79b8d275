"""What a model prints, through real pipes."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from pelton.telemetry import output
from pelton.telemetry.logging import parse
from pelton.telemetry.output import OutputReader

pytestmark = pytest.mark.usefixtures("no_leaks")
LIMIT_S = 30.0


async def _read(write: Callable[[int], None]) -> None:
    """Have ``write`` print into a pipe, in a thread, and read until it is closed."""
    read_fd, write_fd = os.pipe()
    reader = OutputReader(read_fd, "worker-1", "stdout")

    def run() -> None:
        try:
            write(write_fd)
        finally:
            os.close(write_fd)

    async with asyncio.timeout(LIMIT_S):
        await asyncio.to_thread(run)
        while reader._fd is not None:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.001)


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    events = [parse(record.getMessage()) for record in caplog.records]
    return [str(event["text"]) for event in events if event["event"] == "worker.output"]


@pytest.fixture(autouse=True)
def _level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pelton.output")


def test_lines_are_logged_whole_however_they_come(caplog: pytest.LogCaptureFixture) -> None:
    def write(fd: int) -> None:
        for piece in (b"hel", b"lo\nwo", b"rld\r\n\n", b"no newline at the end"):
            os.write(fd, piece)

    asyncio.run(_read(write))
    assert _lines(caplog) == ["hello", "world", "no newline at the end"]
    first = parse(caplog.records[0].getMessage())
    assert (first["worker"], first["stream"]) == ("worker-1", "stdout")


def test_bytes_that_are_no_text_do_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(_read(lambda fd: os.write(fd, b"\xff\xfe\x00 ok\n") and None))
    assert _lines(caplog) == ["��\x00 ok"]


def test_endless_line_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    def write(fd: int) -> None:
        for _ in range(64):
            os.write(fd, b"x" * 65536)

    asyncio.run(_read(write))
    assert _lines(caplog)
    assert all(len(line) <= 8 * 1024 for line in _lines(caplog))


def test_flood_is_counted_not_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock stands still: everything falls into one second."""
    monkeypatch.setattr(output, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    asyncio.run(_read(lambda fd: [os.write(fd, b"line\n" * 1000) for _ in range(5)] and None))
    assert len(_lines(caplog)) == 500
    left_out = [r for r in caplog.records if r.getMessage().startswith("worker.output_left_out")]
    assert [re.search(r"lines=(\d+)", r.getMessage())[1] for r in left_out] == ["4500"]  # type: ignore[index]


def test_end_of_the_process_logs_what_is_still_in_the_pipe(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A grandchild may hold the pipe open: the reader does not wait for it."""

    async def scenario() -> None:
        read_fd, write_fd = os.pipe()
        reader = OutputReader(read_fd, "worker-1", "stderr")
        os.write(write_fd, b"last words\nand more")
        reader.finish()
        reader.finish()
        os.close(write_fd)

    asyncio.run(scenario())
    assert _lines(caplog) == ["last words", "and more"]
