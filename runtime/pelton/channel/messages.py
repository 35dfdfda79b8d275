"""What the frames mean. Both sides import this module, and only this, to understand each other.

Server to worker::

    LOAD     body: JSON of ``LoadSpec``. Once, first.
    FORK     body: JSON of fields of ``LoadSpec``. Fork server only; the new worker's descriptors
             ride along.
    REQUEST  meta: deadline and content type; body: the raw request body. The frames of one batch
             follow each other; the last one has the flag LAST.
    PLACED   as REQUEST; body: where the request's body is, see ``bodies``.
    CANCEL   id: the batch's first request. Nobody waits for that batch any more.
    DROP     id: a request of a batch that has not begun. Nobody waits for it any more.
    RECALL   id: the first request of a batch that waits for the present one. Others could run it;
             answered by RETURNED, unless it has begun.
    PING     answered by PONG from a thread that runs no user code.
    DRAIN    finish, then exit with status 0.

Worker to server::

    CONNECTED, LOADED, WARMED   body: JSON report of the step
    FAILED                      body: JSON {"stage", "message", "traceback"}; the exit follows
    ANSWER                      meta: ``AnswerMeta`` and media type; body: a part of the answer
    PONG                        id: that of the PING
    RETURNED                    id: that of the RECALL. That batch will not be begun.
    RECHECKS                    id: a batch's first request. Once all of it is answered, the slot
                                is not through: it has something to check. Answers follow.
    THROUGH                     id: that of the RECHECKS. Now the slot is.
    FORKED, EXITED              fork server only; body: JSON
"""

from __future__ import annotations

import functools
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any, Final, NamedTuple, Protocol

from pelton.channel.bodies import place_of
from pelton.channel.frames import HEADER, LAST, MAX_PAYLOAD_BYTES, Buffer, Frame
from pelton.compiled import core
from pelton.errors import FrameError

VERDICTS: Final = ("fast_path", "fast_path_reason", "batching", "batching_reason")
"""Keys of the WARMED report that later workers of a revision are told."""


class Kind(IntEnum):
    """The kinds of frames."""

    LOAD = 1
    FORK = 2
    REQUEST = 3
    CANCEL = 4
    PING = 5
    DRAIN = 6
    DROP = 7
    RECALL = 8
    PLACED = 9
    CONNECTED = 17
    LOADED = 18
    WARMED = 19
    FAILED = 20
    ANSWER = 21
    PONG = 22
    FORKED = 23
    EXITED = 24
    RETURNED = 25
    RECHECKS = 26
    THROUGH = 27


# Exit statuses of a worker; a signal means a crash.
EXIT_DRAINED: Final = 0
EXIT_LOAD_FAILED: Final = 3
EXIT_WARMUP_FAILED: Final = 4
EXIT_LOST_PARENT: Final = 5


@dataclass(frozen=True)
class LoadSpec:
    """What a worker needs to know to serve.

    Attributes:
        name: the worker's name, for logs and ``ps``.
        model_path: local folder with the MLmodel file.
        slots: requests it runs at a time, each in its own thread.
        threads: native threads that a forked worker's libraries may use.
        endpoint: name of the endpoint, for the model's prediction context.
        warmup_timeout_s: a warm-up prediction longer than this is a failure.
        python_paths: folders to append to ``sys.path`` (``--env local`` only).
        fast_path: whether answers may come from the fast path.
        batching: ``auto``, ``on`` or ``off``.
        recheck: one fast answer in so many is checked against the oracle; 0 for none.
        verdicts: what an earlier worker of the revision found out about the model; empty for the
            first.
        accelerators: folder with optional libraries of the fast path for the Python that its name
            ends with; empty for none.
        verify: requests whose answers are to be reported by the warm-up, as (content type, body
            in latin-1).
        bodies: where the server's ``SharedBodies`` are opened; empty for none.
        real_time: whether brief batches go before all other processes of the machine.
    """

    name: str
    model_path: str
    slots: int = 1
    threads: int = 1
    endpoint: str = ""
    warmup_timeout_s: float = 60.0
    python_paths: list[str] = field(default_factory=list)
    fast_path: bool = True
    batching: str = "auto"
    recheck: int = 0
    accelerators: str = ""
    verify: list[tuple[str, str]] = field(default_factory=list)
    verdicts: dict[str, Any] = field(default_factory=dict)
    bodies: str = ""
    real_time: bool = False

    def to_frame(self) -> Frame:
        """Return the LOAD frame."""
        return json_frame(Kind.LOAD, asdict(self))

    @classmethod
    def from_frame(cls, frame: Frame) -> LoadSpec:
        """Read a LOAD frame; unknown keys are an error, as both sides are one version."""
        return cls(**read_json(frame))


# Packing an integer is faster than a member of an enumeration.
REQUEST: Final = int(Kind.REQUEST)
PLACED: Final = int(Kind.PLACED)
ANSWER: Final = int(Kind.ANSWER)
_REQUEST_META: Final = struct.Struct("<d?")
_REQUEST_HEAD: Final = struct.Struct(HEADER.format + "d?")


class Request(Protocol):
    """What crosses the channel of a request; ``deadline`` in seconds of the monotonic clock."""

    @property
    def id(self) -> int:
        """Its conversation."""

    @property
    def body(self) -> Buffer:
        """The raw bytes."""

    @property
    def content_type(self) -> str | None:
        """The header's value; ``None`` if there was none."""

    @property
    def deadline(self) -> float:
        """When nobody waits for it any more."""


def encode_requests(batch: Sequence[Request], *, shares: bool = False) -> list[Buffer]:
    """Return the REQUEST frames of a batch as the buffers to write; bodies are not copied.

    Args:
        batch: the requests.
        shares: the worker reads bodies where they are, if they have a place (PLACED frames).

    Raises:
        FrameError: a request is too large for a frame.
    """
    pack, to_come = _REQUEST_HEAD.pack, len(batch)
    buffers: list[Buffer] = []
    for request in batch:
        to_come -= 1
        content_type, body = request.content_type, request.body
        kind, place = REQUEST, place_of(body) if shares else None
        if place is not None:
            kind, body = PLACED, place
        latin = _latin(content_type) if content_type else b""
        meta_bytes = _REQUEST_META.size + len(latin)
        payload = meta_bytes + len(body)
        if payload > MAX_PAYLOAD_BYTES or meta_bytes > 0xFFFF:
            raise FrameError(f"A request of {payload} bytes does not fit. This is a bug.")
        flags = 0 if to_come else LAST
        has_type = content_type is not None
        head = pack(payload, kind, flags, meta_bytes, request.id, request.deadline, has_type)
        buffers.append(head + latin)
        if payload > meta_bytes:
            buffers.append(body)
    return buffers


@functools.lru_cache(maxsize=64)
def _latin(text: str) -> bytes:
    return text.encode("latin-1")


@functools.lru_cache(maxsize=64)
def _text(latin: bytes) -> str:
    return latin.decode("latin-1")


def read_request(meta: bytes) -> tuple[float, str | None]:
    """Return (deadline, content type) of a REQUEST frame; no content type is ``None``."""
    deadline, has_type = _REQUEST_META.unpack_from(meta)
    return deadline, _text(meta[_REQUEST_META.size :]) if has_type else None


class AnswerMeta(NamedTuple):
    """What an answer says beside its body; the answers of one batch share it.

    Attributes:
        status: HTTP status as MLflow would give it; 0 for a request that was cancelled.
        decode_s, predict_s, encode_s: where the time went, in seconds.
        batch_size: requests that were predicted together.
        path: ``PATHS`` index: how it was answered.
        media_type: value of the content-type header.
    """

    status: int
    media_type: str = "application/json"
    decode_s: float = 0.0
    predict_s: float = 0.0
    encode_s: float = 0.0
    batch_size: int = 1
    path: int = 0


PATHS: Final = ("oracle", "fast", "cancelled")
_ANSWER_META: Final = struct.Struct("<HBHfff")


def encode_answers(answers: Sequence[tuple[int, AnswerMeta, Buffer]]) -> list[Buffer]:
    """Return the ANSWER frames of whole answers as the buffers to write; large ones are not copied.

    Raises:
        FrameError: an answer is too large for a frame.
    """
    if core is not None and type(answers) is list:
        joined = core.encode_answers(answers, ANSWER, _pack_answer)
        if joined is not None:
            return [joined]
    pack, known, packed, meta_bytes = HEADER.pack, None, b"", 0
    buffers: list[Buffer] = []
    for id, meta, body in answers:
        if meta is not known:
            known, packed = meta, _pack_answer(meta)
            meta_bytes = len(packed)
        payload = meta_bytes + len(body)
        if payload > MAX_PAYLOAD_BYTES:
            raise FrameError(f"An answer of {payload} bytes does not fit. This is a bug.")
        buffers.append(pack(payload, ANSWER, LAST, meta_bytes, id) + packed)
        if payload > meta_bytes:
            buffers.append(body)
    return buffers


def answer_frame(id: int, meta: AnswerMeta, body: Buffer, *, last: bool = True) -> Frame:
    """Return a part of an answer; only the last part has the flag LAST."""
    return Frame(ANSWER, id, _pack_answer(meta), body, LAST if last else 0)


def _pack_answer(meta: AnswerMeta) -> bytes:
    packed = _ANSWER_META.pack(
        meta.status, meta.path, meta.batch_size, meta.decode_s, meta.predict_s, meta.encode_s
    )
    return packed + _latin(meta.media_type)


def read_answer(meta: bytes) -> AnswerMeta:
    """Return what the metadata of an ANSWER frame says."""
    status, path, batch_size, decode_s, predict_s, encode_s = _ANSWER_META.unpack_from(meta)
    media_type = _text(meta[_ANSWER_META.size :])
    return AnswerMeta(status, media_type, decode_s, predict_s, encode_s, batch_size, path)


def json_frame(kind: Kind, payload: Mapping[str, Any], id: int = 0) -> Frame:
    """Return a frame whose body is JSON; for everything that is not on the hot path."""
    return Frame(kind, id, b"", json.dumps(payload).encode())


def read_json(frame: Frame) -> dict[str, Any]:
    """Return the JSON object in the body of ``frame``."""
    value = json.loads(bytes(frame.body))
    assert isinstance(value, dict)
    return value
