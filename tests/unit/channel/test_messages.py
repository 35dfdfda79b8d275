from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton.channel.bodies import UNIT_BYTES, BodyReader, SharedBodies
from pelton.channel.frames import LAST, MAX_PAYLOAD_BYTES, Buffer, Frame, FrameReader
from pelton.channel.messages import (
    PATHS,
    AnswerMeta,
    Kind,
    LoadSpec,
    answer_frame,
    encode_answers,
    encode_requests,
    json_frame,
    read_answer,
    read_json,
    read_request,
)
from pelton.errors import FrameError

_latin = st.text(st.characters(max_codepoint=255), max_size=60)
_seconds = st.floats(0.0, 1e4, width=32)


@dataclass
class _Asked:
    id: int
    body: Buffer
    content_type: str | None
    deadline: float


def _frames(buffers: Sequence[Buffer]) -> list[Frame]:
    return FrameReader().feed(b"".join(bytes(buffer) for buffer in buffers))


@given(
    batch=st.lists(
        st.builds(
            _Asked,
            id=st.integers(1, 2**63),
            body=st.binary(max_size=50),
            content_type=st.none() | _latin,
            deadline=st.floats(allow_nan=False, allow_infinity=False),
        ),
        max_size=5,
    )
)
def test_requests_round_trip(batch: list[_Asked]) -> None:
    frames = _frames(encode_requests(batch))
    assert [frame.kind for frame in frames] == [Kind.REQUEST] * len(batch)
    assert [
        _Asked(f.id, bytes(f.body), read_request(f.meta)[1], read_request(f.meta)[0])
        for f in frames
    ] == batch
    assert [bool(frame.flags & LAST) for frame in frames] == [
        index == len(batch) - 1 for index in range(len(batch))
    ]


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="Linux has these files")
def test_a_body_with_a_place_is_not_sent_to_who_shares_it() -> None:
    bodies = SharedBodies(os.memfd_create("test"), 2 * UNIT_BYTES)
    room = bodies.take(5)
    assert room is not None
    room[:] = b"large"
    batch = [_Asked(1, b"small", "a/b", 1.0), _Asked(2, room, None, 2.0)]

    sent = _frames(encode_requests(batch))
    assert [(f.kind, bytes(f.body)) for f in sent] == [
        (Kind.REQUEST, b"small"), (Kind.REQUEST, b"large"),
    ]  # fmt: skip
    first, second = _frames(encode_requests(batch, shares=True))
    assert (first.kind, bytes(first.body)) == (Kind.REQUEST, b"small")
    assert (second.kind, second.id, second.flags) == (Kind.PLACED, 2, LAST)
    assert read_request(second.meta) == (2.0, None)
    assert bytes(BodyReader(bodies.path).at(second.body)) == b"large"
    bodies.close()


_metas = st.builds(
    AnswerMeta,
    status=st.integers(0, 599),
    media_type=_latin,
    decode_s=_seconds,
    predict_s=_seconds,
    encode_s=_seconds,
    batch_size=st.integers(1, 65535),
    path=st.integers(0, len(PATHS) - 1),
)


@given(meta=_metas, body=st.binary(max_size=50), last=st.booleans())
def test_parts_of_answers_round_trip(meta: AnswerMeta, body: bytes, last: bool) -> None:
    frame = answer_frame(8, meta, body, last=last)
    assert (frame.kind, frame.id, bytes(frame.body)) == (Kind.ANSWER, 8, body)
    assert bool(frame.flags & LAST) == last
    assert read_answer(frame.meta) == meta


@given(data=st.data())
def test_answers_round_trip(data: st.DataObject) -> None:
    """Those of a batch share what they say beside their bodies, others do not."""
    metas = data.draw(st.lists(_metas, min_size=1, max_size=3))
    answers = data.draw(
        st.lists(
            st.tuples(st.integers(1, 2**63), st.sampled_from(metas), st.binary(max_size=50)),
            max_size=6,
        )
    )
    frames = _frames(encode_answers(answers))
    assert [(frame.id, read_answer(frame.meta), bytes(frame.body)) for frame in frames] == answers
    assert all((frame.kind, frame.flags) == (Kind.ANSWER, LAST) for frame in frames)


class _Huge(bytes):
    """Says that it is as long as a frame cannot be."""

    def __len__(self) -> int:
        return MAX_PAYLOAD_BYTES


def test_what_does_not_fit_a_frame_is_refused() -> None:
    with pytest.raises(FrameError, match=r"request of .* bytes does not fit"):
        encode_requests([_Asked(1, _Huge(), None, 0.0)])
    with pytest.raises(FrameError, match=r"answer of .* bytes does not fit"):
        encode_answers([(1, AnswerMeta(200), _Huge())])


def test_load_spec_round_trips() -> None:
    spec = LoadSpec(
        name="worker-1",
        model_path="/models/ä b",
        slots=3,
        python_paths=["/x"],
        batching="off",
        recheck=10,
    )
    frame = spec.to_frame()
    assert frame.kind == Kind.LOAD
    assert LoadSpec.from_frame(frame) == spec


def test_load_spec_of_another_version_is_an_error() -> None:
    with pytest.raises(TypeError, match="unknown"):
        LoadSpec.from_frame(json_frame(Kind.LOAD, {"name": "w", "model_path": "/", "unknown": 1}))


def test_reports_are_json() -> None:
    frame = json_frame(Kind.FAILED, {"message": "schön"}, id=4)
    assert (frame.kind, frame.id) == (Kind.FAILED, 4)
    assert read_json(frame) == {"message": "schön"}
