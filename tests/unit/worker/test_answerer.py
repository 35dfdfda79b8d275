"""Answers are the same whether their requests were decoded ahead or in their turn."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.worker.fastpath.models import (
    JSON,
    Calls,
    Echo,
    columns,
    compiled,
    mlflow_answer,
    params,
    pyfunc,
)

from pelton.channel.messages import PATHS, AnswerMeta
from pelton.worker.answerer import Answerer, WorkerRequest
from pelton.worker.model import LoadedModel
from pelton.worker.proof import Proof

BODIES = (
    b'{"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, "x"]]}}',
    b'{"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, "x"], [2.5, "y"]]}}',
    b'{"dataframe_records": [{"a": 1.5, "b": "x"}], "params": {"c": 2}}',
    b'{"dataframe_records": [{"a": 1.5, "b": "x"}], "params": {"c": "two"}}',
    b'{"inputs": [{"a": 1.5, "b": "x"}]}',
    b'{"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"]]}}',
    b'{"dataframe_split": {"columns": ["a"], "data": [[1.5]]}}',
    b'{"dataframe_split": {"columns": ["a", "b"], "data": [[NaN, "x"]]}}',
    b"{",
)


def writes(data: Any) -> list[str]:
    """Answer with the input, and spoil it."""
    seen = repr(data.values.tolist())
    data.loc[:, "a"] = -1.0
    return [seen] * len(data)


def answers(
    model: LoadedModel, bodies: list[bytes], *, may_batch: bool, ahead: bool
) -> dict[int, tuple[int, str, bytes]]:
    answerer = Answerer(model, Proof(compiled(model.pyfunc), may_batch, {}))
    got: dict[int, tuple[int, str, bytes]] = {}

    def reply(frames: Any, **_: bool) -> None:
        for id, meta, body in frames:
            assert id not in got
            got[id] = (meta.status, meta.media_type, bytes(body))

    batch = [
        WorkerRequest(id, body, JSON, time.monotonic() + 600) for id, body in enumerate(bodies)
    ]
    answerer.answer(batch, reply, answerer.decode_ahead(batch) if ahead else None)
    return got


def rechecked(answerer: Answerer) -> list[bytes]:
    """Return the bodies that ``answerer`` compares with the oracle's from now on."""
    bodies: list[bytes] = []
    difference = answerer._difference

    def check(fast: Any, ask: Any, body: bytes) -> Any:
        bodies.append(body)
        return difference(fast, ask, body)

    answerer._difference = check
    return bodies


@pytest.fixture(scope="module", params=["echo", "writes"])
def model(request: pytest.FixtureRequest) -> LoadedModel:
    impl = Echo() if request.param == "echo" else Calls(writes)
    return LoadedModel(pyfunc(impl, columns(a="double", b="string"), params(c=1)), Path(), 0.0)


@given(bodies=st.lists(st.sampled_from(BODIES), min_size=1, max_size=5))
def test_each_is_answered_as_by_mlflow(model: LoadedModel, bodies: list[bytes]) -> None:
    alone = {id: mlflow_answer(model.pyfunc, body) for id, body in enumerate(bodies)}

    assert answers(model, bodies, may_batch=False, ahead=False) == alone
    assert answers(model, bodies, may_batch=False, ahead=True) == alone


@given(bodies=st.lists(st.sampled_from(BODIES), min_size=1, max_size=5))
def test_batches_are_the_same(model: LoadedModel, bodies: list[bytes]) -> None:
    in_turn = answers(model, bodies, may_batch=True, ahead=False)

    assert answers(model, bodies, may_batch=True, ahead=True) == in_turn


@given(bodies=st.lists(st.sampled_from(BODIES), min_size=1, max_size=5), may_batch=st.booleans())
def test_nothing_of_a_body_is_looked_at_once_it_is_answered(
    model: LoadedModel, bodies: list[bytes], may_batch: bool
) -> None:
    """Its place in shared memory may be another one's by then; rechecks come after that."""
    in_turn = answers(model, bodies, may_batch=may_batch, ahead=False)
    answerer = Answerer(model, Proof(compiled(model.pyfunc), may_batch, {}), recheck=1)
    places = [bytearray(body) for body in bodies]
    got: dict[int, tuple[int, str, bytes]] = {}
    checked = rechecked(answerer)

    def reply(frames: Any, **_: bool) -> None:
        for id, meta, body in frames:
            got[id] = (meta.status, meta.media_type, bytes(body))
            places[id][:] = b" " * len(places[id])

    deadline = time.monotonic() + 600
    answerer.answer(
        [WorkerRequest(id, memoryview(place), JSON, deadline) for id, place in enumerate(places)],
        reply,
    )

    assert got == in_turn
    assert set(checked) <= set(bodies)
    assert answerer._fast is not None


def test_one_that_is_late_by_then_is_not_predicted(model: LoadedModel) -> None:
    answerer = Answerer(model, Proof(compiled(model.pyfunc), True, {}))
    batch = [WorkerRequest(1, BODIES[0], JSON, time.monotonic() - 1)]
    got: list[tuple[int, AnswerMeta, bytes]] = []

    def reply(answers: Any, **_: bool) -> None:
        got.extend(answers)

    answerer.answer(batch, reply, answerer.decode_ahead(batch))

    assert [(id, PATHS[meta.path]) for id, meta, _ in got] == [(1, "cancelled")]


def test_an_input_that_cannot_be_built_ahead_is_built_in_its_turn(
    model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = compiled(model.pyfunc)
    answerer = Answerer(model, Proof(fast, True, {}))
    batch = [WorkerRequest(1, BODIES[0], JSON, time.monotonic() + 600)]
    decoded = fast.decode(BODIES[0], JSON)
    assert decoded is not None
    form, built = type(decoded.form), []

    def fails(_self: Any, _cells: Any, _rows: int) -> Any:
        built.append(1)
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(decoded.form, "build", fails.__get__(decoded.form, form))
        patch.setattr(fast, "decode", lambda _body, _type: decoded)
        ahead = answerer.decode_ahead(batch)
    got: list[tuple[int, AnswerMeta, bytes]] = []

    def reply(answers: Any, **_: bool) -> None:
        got.extend(answers)

    answerer.answer(batch, reply, ahead)

    assert built == [1]
    assert [(meta.status, body) for _, meta, body in got] == [
        (200, mlflow_answer(model.pyfunc, BODIES[0])[2])
    ]


def test_what_was_built_ahead_is_handed_out_once(model: LoadedModel) -> None:
    decoded = compiled(model.pyfunc).decode(BODIES[0], JSON)
    assert decoded is not None
    decoded.build_ahead()

    first, second = decoded.data, decoded.data

    assert first is not second
    first.loc[:, "a"] = -1.0  # as a model may
    assert second.equals(decoded.data)
    assert not first.equals(second)


SMALL, LARGE = 1, 100  # rows


@pytest.mark.parametrize(
    ("rows", "checked"),
    [
        ([SMALL, SMALL, SMALL], SMALL),
        ([LARGE, LARGE, LARGE], LARGE),
        ([SMALL, LARGE, SMALL], SMALL),
        ([LARGE, SMALL, LARGE], None),
        ([LARGE, SMALL, LARGE, LARGE, LARGE, LARGE], LARGE),  # small ones come no more
    ],
)
def test_none_is_checked_again_that_is_much_larger_than_others(
    model: LoadedModel, rows: list[int], checked: int | None
) -> None:
    """The next one would wait for that, for over a second after one of 16 MB."""
    answerer = Answerer(model, Proof(compiled(model.pyfunc), False, {}), recheck=3)
    seen = rechecked(answerer)
    said: list[bool] = []

    def of(many: int) -> bytes:
        data = ", ".join(['[1.5, "x"]'] * many)
        text = '{"dataframe_split": {"columns": ["a", "b"], "data": [%s]}}'
        return (text % data).encode()

    for id, many in enumerate(rows):
        request = WorkerRequest(id, of(many), JSON, time.monotonic() + 600)
        answerer.answer([request], lambda _, rechecks: said.append(rechecks))

    assert seen == ([] if checked is None else [of(checked)])
    assert said.count(True) == len(seen)


def test_checks_take_a_five_hundredth_of_the_time(
    model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    monkeypatch.setattr("pelton.worker.answerer.time", SimpleNamespace(monotonic=lambda: now_s))
    answerer = Answerer(model, Proof(compiled(model.pyfunc), False, {}), recheck=1)
    checked_at: list[float] = []

    def takes_4_ms(*_: Any) -> None:
        nonlocal now_s
        checked_at.append(now_s)
        now_s += 0.004

    answerer._difference = takes_4_ms
    for at_s in (0.0, 0.1, 2.003, 2.005, 4.0, 4.01):
        now_s = at_s
        answerer.answer([WorkerRequest(1, BODIES[0], JSON, 600.0)], lambda _, rechecks: None)

    assert checked_at == [0.0, 2.005, 4.01]
