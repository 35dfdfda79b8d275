"""What the frames mean. Both sides import this module, and only this, to understand each other.

Server to worker::

    LOAD     body: JSON of ``LoadSpec``. Once, first.
    FORK     body: JSON of fields of ``LoadSpec``. Fork server only; the new worker's descriptors
             ride along.
    REQUEST  meta: deadline and content type; body: the raw request body. The frames of one batch
             follow each other; the last one has the flag LAST.
    CANCEL   id: the batch's first request. Nobody waits for that batch any more.
    DROP     id: a request of a batch that has not begun. Nobody waits for it any more.
    PING     answered by PONG from a thread that runs no user code.
    DRAIN    finish, then exit with status 0.

Worker to server::

    CONNECTED, LOADED, WARMED   body: JSON report of the step
    FAILED                      body: JSON {"stage", "message", "traceback"}; the exit follows
    ANSWER                      meta: ``AnswerMeta`` and media type; body: a part of the answer
    PONG                        id: that of the PING
    FORKED, EXITED              fork server only; body: JSON
"""

from __future__ import annotations

import functools
import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any, Final, NamedTuple

from pelton.channel.frames import LAST, Frame

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
    CONNECTED = 17
    LOADED = 18
    WARMED = 19
    FAILED = 20
    ANSWER = 21
    PONG = 22
    FORKED = 23
    EXITED = 24


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

    def to_frame(self) -> Frame:
        """Return the LOAD frame."""
        return json_frame(Kind.LOAD, asdict(self))

    @classmethod
    def from_frame(cls, frame: Frame) -> LoadSpec:
        """Read a LOAD frame; unknown keys are an error, as both sides are one version."""
        return cls(**read_json(frame))


# Packing an integer is faster than a member of an enumeration.
_REQUEST: Final = int(Kind.REQUEST)
_ANSWER: Final = int(Kind.ANSWER)
_REQUEST_META: Final = struct.Struct("<d?")


def request_frame(
    id: int,
    body: bytes | bytearray | memoryview,
    content_type: str | None,
    deadline: float,
    *,
    last: bool,
) -> Frame:
    """Return one request of a batch; ``deadline`` is in seconds of the monotonic clock."""
    meta = _REQUEST_META.pack(deadline, content_type is not None)
    if content_type:
        meta += _latin(content_type)
    return Frame(_REQUEST, id, meta, body, LAST if last else 0)


@functools.lru_cache(maxsize=64)
def _latin(text: str) -> bytes:
    return text.encode("latin-1")


@functools.lru_cache(maxsize=64)
def _text(latin: bytes) -> str:
    return latin.decode("latin-1")


def read_request(frame: Frame) -> tuple[float, str | None]:
    """Return (deadline, content type) of a REQUEST frame; no content type is ``None``."""
    deadline, has_type = _REQUEST_META.unpack_from(frame.meta)
    return deadline, _text(frame.meta[_REQUEST_META.size :]) if has_type else None


class AnswerMeta(NamedTuple):
    """What an answer says beside its body.

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


def answer_frame(
    id: int, meta: AnswerMeta, body: bytes | bytearray | memoryview, *, last: bool = True
) -> Frame:
    """Return a part of an answer; only the last part has the flag LAST."""
    packed = _ANSWER_META.pack(
        meta.status, meta.path, meta.batch_size, meta.decode_s, meta.predict_s, meta.encode_s
    )
    return Frame(_ANSWER, id, packed + _latin(meta.media_type), body, LAST if last else 0)


def read_answer(frame: Frame) -> AnswerMeta:
    """Return the metadata of an ANSWER frame."""
    status, path, batch_size, decode_s, predict_s, encode_s = _ANSWER_META.unpack_from(frame.meta)
    media_type = _text(frame.meta[_ANSWER_META.size :])
    return AnswerMeta(status, media_type, decode_s, predict_s, encode_s, batch_size, path)


def json_frame(kind: Kind, payload: Mapping[str, Any], id: int = 0) -> Frame:
    """Return a frame whose body is JSON; for everything that is not on the hot path."""
    return Frame(kind, id, b"", json.dumps(payload).encode())


def read_json(frame: Frame) -> dict[str, Any]:
    """Return the JSON object in the body of ``frame``."""
    value = json.loads(bytes(frame.body))
    assert isinstance(value, dict)
    return value
