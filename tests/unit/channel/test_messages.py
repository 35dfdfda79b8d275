from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton.channel.frames import LAST
from pelton.channel.messages import (
    PATHS,
    AnswerMeta,
    Kind,
    LoadSpec,
    answer_frame,
    json_frame,
    read_answer,
    read_json,
    read_request,
    request_frame,
)

_latin = st.text(st.characters(max_codepoint=255), max_size=60)
_seconds = st.floats(0.0, 1e4, width=32)


@given(
    deadline=st.floats(allow_nan=False, allow_infinity=False),
    content_type=st.none() | _latin,
    body=st.binary(max_size=50),
    last=st.booleans(),
)
def test_requests_round_trip(
    deadline: float, content_type: str | None, body: bytes, last: bool
) -> None:
    frame = request_frame(5, body, content_type, deadline, last=last)
    assert (frame.kind, frame.id, bytes(frame.body)) == (Kind.REQUEST, 5, body)
    assert bool(frame.flags & LAST) == last
    assert read_request(frame) == (deadline, content_type)


@given(
    meta=st.builds(
        AnswerMeta,
        status=st.integers(0, 599),
        media_type=_latin,
        decode_s=_seconds,
        predict_s=_seconds,
        encode_s=_seconds,
        batch_size=st.integers(1, 65535),
        path=st.integers(0, len(PATHS) - 1),
    ),
    body=st.binary(max_size=50),
    last=st.booleans(),
)
def test_answers_round_trip(meta: AnswerMeta, body: bytes, last: bool) -> None:
    frame = answer_frame(8, meta, body, last=last)
    assert (frame.kind, frame.id, bytes(frame.body)) == (Kind.ANSWER, 8, body)
    assert bool(frame.flags & LAST) == last
    assert read_answer(frame) == meta


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
