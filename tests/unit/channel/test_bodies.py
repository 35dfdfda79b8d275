"""Places in shared memory: never two bodies in one, never lost, never outside."""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton.channel.bodies import UNIT_BYTES, BodyReader, SharedBodies, place_of
from pelton.errors import FrameError

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="Linux has these files")

TOTAL, KEPT = 16 * UNIT_BYTES, 4 * UNIT_BYTES


def shared() -> SharedBodies:
    return SharedBodies(os.memfd_create("test"), TOTAL, KEPT)


@pytest.fixture
def bodies() -> Iterator[SharedBodies]:
    made = shared()
    yield made
    made.close()


def wire(body: memoryview) -> bytes:
    place = place_of(body)
    assert place is not None
    return place


def held(bodies: SharedBodies) -> int:
    """Bytes of memory that the system has given to it."""
    return os.stat(bodies.path).st_blocks * 512


@given(
    steps=st.lists(
        st.tuples(st.booleans(), st.integers(0, 9), st.integers(1, 5 * UNIT_BYTES)), max_size=40
    )
)
def test_what_is_written_to_a_place_is_read_there(steps: list[tuple[bool, int, int]]) -> None:
    bodies = shared()
    reader = BodyReader(bodies.path)
    source = random.Random(0)
    taken: list[tuple[memoryview, bytes]] = []
    refused = 0
    for takes, which, size in steps:
        if takes:
            room = bodies.take(size)
            if room is None:
                refused += 1
                units = sum(-(-len(content) // UNIT_BYTES) for _, content in taken)
                assert units, "an empty one has room"
                continue
            content = source.randbytes(size)
            room[:] = content
            taken.append((room, content))
        elif taken:
            taken.pop(which % len(taken))
        for view, content in taken:
            assert bytes(reader.at(wire(view))) == content
    room = None
    taken.clear()
    view = None
    assert bodies.is_empty
    assert bodies.take(TOTAL) is not None
    bodies.close()


def test_there_is_no_room_for_more_than_all(bodies: SharedBodies) -> None:
    assert bodies.take(TOTAL + 1) is None
    everything = bodies.take(TOTAL)
    assert everything is not None
    assert bodies.take(1) is None
    del everything
    assert bodies.take(1) is not None


def test_a_place_is_taken_while_any_view_of_it_is_left(bodies: SharedBodies) -> None:
    room = bodies.take(100)
    assert room is not None
    part = room[10:20]
    del room
    assert not bodies.is_empty
    assert place_of(part) is None  # it is no body
    del part
    assert bodies.is_empty


def test_a_view_in_a_cycle_is_given_back_by_the_collector(bodies: SharedBodies) -> None:
    cycle: list[Any] = [bodies.take(100)]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert bodies.is_empty


def test_memory_is_given_back_once_nothing_is_taken(bodies: SharedBodies) -> None:
    first, second = bodies.take(1), bodies.take(10 * UNIT_BYTES)
    assert first is not None
    assert second is not None
    assert held(bodies) == bodies.memory_bytes == 11 * UNIT_BYTES
    first[:] = b"x"
    del second
    bodies.tidy()
    assert bodies.memory_bytes == 11 * UNIT_BYTES
    assert bytes(first) == b"x"
    del first
    bodies.tidy()
    assert held(bodies) == bodies.memory_bytes == KEPT
    again = bodies.take(10 * UNIT_BYTES)
    assert again is not None
    again[-1] = 7
    assert held(bodies) == 10 * UNIT_BYTES


def test_without_memory_there_is_no_place(
    bodies: SharedBodies, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", refuse)
        assert bodies.take(1) is None
        assert bodies.is_empty
    assert bodies.take(1) is not None


def test_a_reader_cannot_write(bodies: SharedBodies) -> None:
    room = bodies.take(10)
    assert room is not None
    view = BodyReader(bodies.path).at(wire(room))
    with pytest.raises(TypeError, match="read-only"):
        view[0] = 1


def test_what_is_no_place_is_refused(bodies: SharedBodies) -> None:
    reader = BodyReader(bodies.path)
    last = bodies.take(TOTAL)
    assert last is not None
    start, size = (int.from_bytes(part, "little") for part in (wire(last)[:8], wire(last)[8:]))
    assert (start, size) == (0, TOTAL)
    for start, size in ((0, TOTAL + 1), (TOTAL, 1), (2**63, 1), (1, 2**64 - 1)):
        with pytest.raises(FrameError, match="no place"):
            reader.at(start.to_bytes(8, "little") + size.to_bytes(8, "little"))
    with pytest.raises(FrameError, match="no place"):
        reader.at(b"short")


@pytest.mark.parametrize("other", [b"x", bytearray(b"x"), memoryview(b"x"), memoryview(b"")])
def test_other_bodies_have_no_place(other: Any) -> None:
    assert place_of(other) is None


def test_what_cannot_be_opened_is_none(bodies: SharedBodies) -> None:
    assert BodyReader.open("") is None
    assert BodyReader.open("/proc/0/fd/3") is None
    assert BodyReader.open(os.devnull) is None  # opened, but cannot be mapped
    assert BodyReader.open(bodies.path) is not None


def test_nobody_can_cut_off_what_is_mapped() -> None:
    bodies = SharedBodies.create()
    assert bodies is not None
    with open(bodies.path, "r+b") as file, pytest.raises(PermissionError):
        file.truncate(0)
    bodies.close()


def test_a_system_without_such_files_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "memfd_create", refuse)
    assert SharedBodies.create() is None
    monkeypatch.delattr(os, "memfd_create")
    assert SharedBodies.create() is None
