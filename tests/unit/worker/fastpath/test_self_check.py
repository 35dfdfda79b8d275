"""A fast path that differs from the oracle anywhere is found out before it is used."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from tests.unit.worker.fastpath.models import (
    Calls,
    Echo,
    columns,
    compiled,
    mlflow_answer,
    pyfunc,
)
from tests.unit.worker.fastpath.requests import TABLES, TENSORS

from pelton.worker.fastpath import FastPath, SelfCheck, self_check
from pelton.worker.fastpath.cells import KINDS
from pelton.worker.fastpath.layout import Layout

_BUDGET_S = 120.0  # the tests compare everything, however slow the machine
_EXAMPLE = b'{"dataframe_split": {"columns": ["a"], "data": [[1.5], [2]]}}'


def check(model: Any, fast: FastPath | None = None, example: bytes | None = None) -> SelfCheck:
    fast = fast or compiled(model)
    return self_check(
        fast,
        lambda body, content_type: mlflow_answer(model, body, content_type),
        example,
        _BUDGET_S,
    )


@pytest.mark.parametrize("schema", [*TABLES.values(), *TENSORS.values()], ids=str)
def test_every_signature_passes(schema: Any) -> None:
    found = check(pyfunc(Echo(), schema), example=_EXAMPLE if schema is None else None)

    assert found.ok, found.reason
    assert found.taken > 1


def test_an_example_is_compared_too() -> None:
    found = check(pyfunc(Echo(), columns(a="double")), example=_EXAMPLE + b"\n")

    assert found.ok, found.reason


def test_another_layout_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    build = Layout.build

    def transposed(self: Layout, table: Any, rows: int) -> Any:
        frame = build(self, table, rows)
        rows_first = np.ascontiguousarray(frame.to_numpy())
        return type(frame)(rows_first, columns=list(frame.columns), copy=False)

    model = pyfunc(Echo(), columns(a="double", b="double"))
    fast = compiled(model)
    assert all(fast.decode(body, "application/json") for body in fast.samples())
    monkeypatch.setattr(Layout, "build", transposed)
    for form in fast._tables._forms.values():  # type: ignore[union-attr]
        form.build = form.join.__self__.build  # type: ignore[attr-defined]

    found = check(model, fast)

    assert not found.ok
    assert "another input" in found.reason


def test_a_wrong_cast_is_never_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that converts otherwise than MLflow makes no plan at all."""
    wrong = KINDS["long"].admitting(bool)
    object.__setattr__(wrong, "convert", lambda cells: np.array(cells, dtype=np.float64))
    monkeypatch.setitem(KINDS, "long", wrong)

    fast = compiled(pyfunc(Echo(), columns(n="long")))

    assert not any(fast.decode(body, "application/json") for body in fast.samples())


def test_another_answer_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model = pyfunc(Calls(lambda data: data["a"].to_numpy()), columns(a="double"))
    fast = compiled(model)
    monkeypatch.setattr(fast, "encode", lambda output, decoded: b"{}")

    found = check(model, fast)

    assert not found.ok
    assert "the answer is b'{}'" in found.reason


def test_a_model_that_never_answers_the_same_way_is_compared_by_its_input() -> None:
    counter = itertools.count()
    model = pyfunc(Calls(lambda data: next(counter)), columns(a="double"))

    assert check(model).ok


def test_the_time_is_bounded_but_something_is_always_compared() -> None:
    model = pyfunc(Echo(), columns(a="double"))

    found = self_check(
        compiled(model),
        lambda body, content_type: mlflow_answer(model, body, content_type),
        None,
        budget_s=0.0,
    )

    assert found.ok
    assert found.checked == 1
