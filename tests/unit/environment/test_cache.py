"""The cache's promises: an entry is complete or absent, whoever dies when."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pelton.environment.cache import Cache, Entry, Writer

Write = Callable[[Writer], Awaitable[None]]


async def _write(writer: Writer) -> None:
    (writer.path / "data").write_text("whole")
    writer.facts["from"] = "a test"


async def _must_not_write(writer: Writer) -> None:
    raise AssertionError("a complete entry was written again")


def _obtain(cache: Cache, write: Write = _write, key: str = "k") -> Entry:
    return asyncio.run(cache.obtain(key, write, on_wait=lambda: None))


def test_an_entry_is_written_once(tmp_path: Path) -> None:
    first = _obtain(Cache(tmp_path))
    second = _obtain(Cache(tmp_path), _must_not_write)
    assert (second.path / "data").read_text() == "whole"
    assert first.path == second.path
    assert second.facts == {"from": "a test"}


def test_a_failed_writer_leaves_nothing(tmp_path: Path) -> None:
    async def fail(writer: Writer) -> None:
        (writer.path / "data").write_text("ha")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        _obtain(Cache(tmp_path), fail)
    assert list(tmp_path.iterdir()) == []
    _obtain(Cache(tmp_path))


def test_a_cancelled_writer_leaves_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        started = asyncio.Event()

        async def stall(writer: Writer) -> None:
            (writer.path / "data").write_text("ha")
            started.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(Cache(tmp_path).obtain("k", stall, on_wait=lambda: None))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert list(tmp_path.iterdir()) == []
    _obtain(Cache(tmp_path))


def test_debris_of_a_killed_writer_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "k").mkdir()
    (tmp_path / "k" / "half").write_text("ha")
    entry = _obtain(Cache(tmp_path))
    assert sorted(path.name for path in entry.path.iterdir()) == [".complete", "data"]


def test_of_two_writers_one_writes_and_the_other_waits(tmp_path: Path) -> None:
    written, waited = [], []

    async def scenario() -> None:
        may_finish = asyncio.Event()

        async def slowly(writer: Writer) -> None:
            await may_finish.wait()
            written.append(writer.path)

        def on_wait() -> None:
            waited.append(True)
            may_finish.set()

        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(Cache(tmp_path).obtain("k", slowly, on_wait=on_wait))

    asyncio.run(scenario())
    assert (len(written), len(waited)) == (1, 1)


_WRITER = """
import asyncio, subprocess, sys
from pathlib import Path
from pelton.environment.cache import Cache

async def write(writer):
    (writer.path / "data").write_text("half")
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"],
        stdin=sys.stdin, pass_fds=[writer.lock_fd],
    )
    child.wait()

asyncio.run(Cache(Path(sys.argv[1])).obtain("k", write, on_wait=lambda: None))
"""


def test_an_orphan_of_a_killed_writer_keeps_others_out(tmp_path: Path) -> None:
    """What the killed process started may still be writing: wait for it, then begin anew."""
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, os.fspath(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    orphan_input, orphan_output = writer.stdin, writer.stdout
    with orphan_input, orphan_output:
        assert orphan_output.readline() == b"up\n"
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        waited = []

        def on_wait() -> None:
            waited.append((tmp_path / "k" / "data").read_text())
            orphan_input.close()  # lets the orphan end

        entry = asyncio.run(Cache(tmp_path).obtain("k", _write, on_wait=on_wait))
    assert waited == ["half"]
    assert (entry.path / "data").read_text() == "whole"


def test_prune_spares_what_is_in_use_or_was_used_lately(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    used = _obtain(cache, key="used")
    for key in ("idle", "recent"):
        lease = _obtain(cache, key=key).lease
        assert lease is not None
        lease.release()
        lease.release()
    os.utime(tmp_path / "idle" / ".complete", (0, 0))
    os.utime(tmp_path / "used" / ".complete", (0, 0))
    (tmp_path / "debris").mkdir()
    (tmp_path / ".debris-1").mkdir()

    assert {each.key for each in cache.prune(unused_for_s=3600)} == {"idle", "debris"}
    assert {each.key for each in cache.list_entries()} == {"used", "recent"}
    assert not (tmp_path / ".debris-1").exists()
    assert used.lease is not None
    used.lease.release()
    assert {each.key for each in cache.prune()} == {"used", "recent"}
    assert list(tmp_path.iterdir()) == []


def test_entries_are_listed_with_size_use_and_facts(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    entry = _obtain(cache)
    (tmp_path / "half").mkdir()
    listed = {each.key: each for each in cache.list_entries()}
    assert listed["k"].in_use
    assert listed["k"].complete
    assert listed["k"].facts == {"from": "a test"}
    assert listed["k"].size_bytes > 0
    assert not listed["half"].complete
    assert not listed["half"].in_use
    assert entry.key == "k"


def test_an_absent_cache_is_an_empty_one(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "none")
    assert cache.list_entries() == []
    assert cache.prune() == []


def test_a_read_only_cache_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = _obtain(Cache(tmp_path))
    assert written.lease is not None
    written.lease.release()

    def refuse(*_: object) -> int:
        raise OSError(errno.EROFS, "read-only file system")

    monkeypatch.setattr(os, "open", refuse)  # root may write everywhere but there
    monkeypatch.setattr(os, "utime", refuse)
    entry = _obtain(Cache(tmp_path), _must_not_write)
    assert (entry.path, entry.lease) == (written.path, None)
