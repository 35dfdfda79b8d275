"""Framing: bytes to frames and back. Pure: no sockets, no clocks.

A frame is a 16-byte header, ``meta_bytes`` of metadata and a body::

    u32 payload bytes (meta + body) | u8 kind | u8 flags | u16 meta bytes | u64 id

all little-endian. A sequence of frames with one id is one conversation (a request and its
answer); the flag LAST ends it, so that an answer may be streamed.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from pelton.errors import FrameError

HEADER: Final = struct.Struct("<IBBHQ")
HEADER_BYTES: Final = HEADER.size
MAX_PAYLOAD_BYTES: Final = 2**31 - 1
LAST: Final = 0x01


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
    body: bytes | bytearray | memoryview = b""
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


def encode(frame: Frame) -> list[bytes | bytearray | memoryview]:
    """Return the buffers to write, one after the other; large bodies are not copied."""
    _, _, meta, body, _ = frame
    head = encode_header(frame) + meta
    return [head, body] if len(body) else [head]


class FrameReader:
    """Cuts a stream of bytes into frames; holds at most one incomplete frame.

    Each byte is copied once, into the frame it belongs to, however the stream was cut; one that
    is read into ``room``, not even that.
    """

    def __init__(self, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self._max_payload_bytes = max_payload_bytes
        self._head = bytearray()
        self._payload = bytearray()
        self._room: memoryview | None = None
        self._kind = self._flags = self._meta_bytes = self._id = 0

    @property
    def room(self) -> memoryview | None:
        """Where the rest of an incomplete payload belongs; ``None`` if there is none."""
        return self._room

    def feed(self, data: bytes | bytearray | memoryview) -> list[Frame]:
        """Take the next bytes of the stream and return the frames they complete.

        Raises:
            FrameError: the bytes are not a frame; the stream cannot be used any more.
        """
        frames: list[Frame] = []
        view = memoryview(data)
        if self._room is None and not self._head:
            view = view[self._take_whole(data, frames) :]
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

    def _take_whole(self, data: bytes | bytearray | memoryview, frames: list[Frame]) -> int:
        """Cut off the frames that lie whole in ``data``; returns the bytes they take."""
        at, end = 0, len(data)
        while end - at >= HEADER_BYTES:
            size, kind, flags, meta_bytes, id = HEADER.unpack_from(data, at)
            if size > self._max_payload_bytes or meta_bytes > size:
                break  # the slow way says what is wrong
            body_at = at + HEADER_BYTES + meta_bytes
            next_at = at + HEADER_BYTES + size
            if next_at > end:
                break
            meta = bytes(data[at + HEADER_BYTES : body_at])
            frames.append(Frame(kind, id, meta, bytes(data[body_at:next_at]), flags))
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
