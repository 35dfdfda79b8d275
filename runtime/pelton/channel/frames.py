"""Framing: bytes to frames and back. Pure: no sockets, no clocks.

A frame is a 16-byte header, ``meta_bytes`` of metadata and a body::

    u32 payload bytes (meta + body) | u8 kind | u8 flags | u16 meta bytes | u64 id

all little-endian. A sequence of frames with one id is one conversation (a request and its
answer); the flag LAST ends it, so that an answer may be streamed.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Final, NamedTuple, cast

from pelton.errors import FrameError

HEADER: Final = struct.Struct("<IBBHQ")
HEADER_BYTES: Final = HEADER.size
MAX_PAYLOAD_BYTES: Final = 2**31 - 1
LAST: Final = 0x01

Buffer = bytes | bytearray | memoryview


class Frame(NamedTuple):
    """One message as it crosses the channel.

    Attributes:
        kind: one of ``messages.Kind``.
        id: the conversation; 0 where there is none.
        meta: small fixed metadata, at most 65,535 bytes.
        body: the payload.
        flags: LAST or 0.
    """

    kind: int
    id: int = 0
    meta: bytes = b""
    body: Buffer = b""
    flags: int = LAST


def encode_header(frame: Frame) -> bytes:
    """Return the header of ``frame``.

    Raises:
        FrameError: the frame is too large for its length fields.
    """
    kind, id, meta, body, flags = frame
    meta_bytes = len(meta)
    payload = meta_bytes + len(body)
    if payload > MAX_PAYLOAD_BYTES or meta_bytes > 0xFFFF:
        raise FrameError(f"A frame of {payload} bytes does not fit. This is a bug.")
    return HEADER.pack(payload, kind, flags, meta_bytes, id)


def encode(frame: Frame) -> list[Buffer]:
    """Return the buffers to write, one after the other; large bodies are not copied."""
    _, _, meta, body, _ = frame
    head = encode_header(frame) + meta
    return [head, body] if len(body) else [head]


# As `Frame(...)`, which would go through a function in Python.
_frame: Final = cast(
    "Callable[[tuple[int, int, bytes, Buffer, int]], Frame]",
    functools.partial(tuple.__new__, Frame),
)


class FrameReader:
    """Cuts a stream of bytes into frames; holds at most one incomplete frame.

    A byte is copied once or twice, however the stream was cut; one that is read into ``room``,
    not at all.
    """

    def __init__(self, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self._max_payload_bytes = max_payload_bytes
        self._head = bytearray()
        self._payload = bytearray()
        self._room: memoryview | None = None
        self._kind = self._flags = self._meta_bytes = self._id = 0

    @property
    def is_between(self) -> bool:
        """Whether the next byte begins a frame."""
        return self._room is None and not self._head

    @property
    def room(self) -> memoryview | None:
        """Where the rest of an incomplete payload belongs; ``None`` if there is none."""
        return self._room

    def feed(self, data: Buffer) -> list[Frame]:
        """Take the next bytes of the stream and return the frames they complete.

        Raises:
            FrameError: the bytes are not a frame; the stream cannot be used any more.
        """
        frames: list[Frame] = []
        if self._room is None and not self._head:
            data = data if type(data) is bytes else bytes(data)
            taken = self._take_whole(data, frames)
            if taken == len(data):
                return frames
            view = memoryview(data)[taken:]
        else:
            view = memoryview(data)
        while len(view) or self._room is not None:
            room = self._room
            if room is None:
                taken = min(HEADER_BYTES - len(self._head), len(view))
                self._head += view[:taken]
                view = view[taken:]
                if len(self._head) < HEADER_BYTES:
                    break
                room = self._begin()
            taken = min(len(room), len(view))
            room[:taken] = view[:taken]  # a bytearray in place of a view would make a copy first
            view = view[taken:]
            frame = self.filled(taken)
            if frame is None:
                break
            frames.append(frame)
        return frames

    def filled(self, count: int) -> Frame | None:
        """Take ``count`` bytes that were read into ``room``; return the frame if it is whole."""
        assert self._room is not None
        room = self._room[count:]
        if len(room):
            self._room = room
            return None
        self._room = None
        payload, self._payload = self._payload, bytearray()
        meta = bytes(payload[: self._meta_bytes])
        body = memoryview(payload)[self._meta_bytes :] if self._meta_bytes else payload
        return Frame(self._kind, self._id, meta, body, self._flags)

    def _take_whole(self, data: bytes, frames: list[Frame]) -> int:
        """Cut off the frames that lie whole in ``data``; returns the bytes they take."""
        at, end, longest, unpack = 0, len(data), self._max_payload_bytes, HEADER.unpack_from
        while end - at >= HEADER_BYTES:
            size, kind, flags, meta_bytes, id = unpack(data, at)
            meta_at = at + HEADER_BYTES
            next_at = meta_at + size
            if size > longest or meta_bytes > size or next_at > end:
                break  # the slow way says what is wrong, or waits for the rest
            body_at = meta_at + meta_bytes
            frames.append(_frame((kind, id, data[meta_at:body_at], data[body_at:next_at], flags)))
            at = next_at
        return at

    def _begin(self) -> memoryview:
        size, self._kind, self._flags, self._meta_bytes, self._id = HEADER.unpack(self._head)
        if size > self._max_payload_bytes or self._meta_bytes > size:
            raise FrameError(f"Not a frame: {bytes(self._head)!r}. This is a bug.")
        self._head.clear()
        self._payload = bytearray(size)
        self._room = memoryview(self._payload)
        return self._room
