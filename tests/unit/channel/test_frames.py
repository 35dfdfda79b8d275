from __future__ import annotations

import contextlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton.channel.frames import (
    HEADER,
    HEADER_BYTES,
    LAST,
    Frame,
    FrameReader,
    encode,
    encode_header,
)
from pelton.errors import FrameError

_frames = st.builds(
    Frame,
    kind=st.integers(0, 255),
    id=st.integers(0, 2**64 - 1),
    meta=st.binary(max_size=40),
    body=st.binary(max_size=200),
    flags=st.integers(0, 255),
)


def _bytes(frame: Frame) -> bytes:
    return b"".join(bytes(buffer) for buffer in encode(frame))


def _plain(frame: Frame) -> Frame:
    return Frame(frame.kind, frame.id, frame.meta, bytes(frame.body), frame.flags)


@given(sent=st.lists(_frames, max_size=6), data=st.data())
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(
    sent: list[Frame], data: st.DataObject
) -> None:
    stream = b"".join(map(_bytes, sent))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20))
    reader = FrameReader()
    received: list[Frame] = []
    edges = [0, *sorted(cuts), len(stream)]
    for start, end in pairwise(edges):
        received += reader.feed(stream[start:end])
    assert [_plain(frame) for frame in received] == sent


@given(chunks=st.lists(st.binary(max_size=64), max_size=10))
def test_garbage_is_a_frame_error_or_nothing(chunks: list[bytes]) -> None:
    reader = FrameReader(max_payload_bytes=4096)
    try:
        for chunk in chunks:
            for frame in reader.feed(chunk):
                assert len(frame.meta) + len(frame.body) <= 4096
    except FrameError:
        pass


@given(frame=_frames, at=st.integers(0, HEADER_BYTES - 1), value=st.integers(0, 255))
def test_a_damaged_header_is_a_frame_error_or_nothing(frame: Frame, at: int, value: int) -> None:
    damaged = bytearray(_bytes(frame))
    damaged[at] = value
    with contextlib.suppress(FrameError):
        FrameReader(max_payload_bytes=4096).feed(damaged)


def test_a_byte_at_a_time() -> None:
    frame = Frame(3, 9, b"meta", b"body", LAST)
    reader = FrameReader()
    arrived = [reader.feed(bytes([byte])) for byte in _bytes(frame)]
    assert arrived[:-1] == [[]] * (len(arrived) - 1)
    assert [_plain(f) for f in arrived[-1]] == [frame]


def test_an_empty_frame_needs_no_further_byte() -> None:
    assert len(FrameReader().feed(_bytes(Frame(6)))) == 1


def test_incomplete_frame_yields_nothing() -> None:
    assert FrameReader().feed(_bytes(Frame(3, 9, b"meta", b"body"))[:-1]) == []


def test_a_frame_larger_than_the_limit_is_refused_by_its_header() -> None:
    with pytest.raises(FrameError, match="Not a frame"):
        FrameReader(max_payload_bytes=10).feed(encode_header(Frame(3, 0, b"", b"x" * 11)))


def test_more_metadata_than_payload_is_no_frame() -> None:
    with pytest.raises(FrameError):
        FrameReader().feed(HEADER.pack(4, 1, 0, 5, 0))


def test_metadata_that_does_not_fit_its_length_is_refused_when_sent() -> None:
    with pytest.raises(FrameError, match="does not fit"):
        encode(Frame(3, 0, b"m" * 0x10000))


def test_a_large_body_is_not_copied() -> None:
    body = bytearray(1 << 20)
    assert encode(Frame(3, 1, b"meta", body))[1] is body
