"""The witness sees what MLflow hands to predict, and asks nobody else."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from tests.unit.worker.fastpath.models import (
    Echo,
    columns,
    compiled,
    mlflow_answer,
    params,
    pyfunc,
)

BODY = b'{"inputs": {"a": [1.5]}, "params": {"p": 2}}'
REMARKABLE = b'{"dataframe_records": [{"a": 1.5, "extra": 1}]}'


def test_it_is_handed_data_and_params() -> None:
    witness = compiled(pyfunc(Echo(), columns(a="double"), params(p=1, q="x"))).witness

    handed = witness.look(BODY)

    assert handed is not None
    assert handed.data["a"].tolist() == [1.5]
    assert handed.params == {"p": 2, "q": "x"}


@pytest.mark.parametrize("body", [b"{", b'{"inputs": {"b": [1]}}', b'{"inputs": {"a": ["x"]}}'])
def test_what_mlflow_refuses_reaches_nobody(body: bytes) -> None:
    assert compiled(pyfunc(Echo(), columns(a="double"))).witness.look(body) is None


def test_the_model_is_not_called() -> None:
    class Untouched:
        def predict(self, data: Any, params: Any = None) -> Any:
            raise AssertionError

    assert compiled(pyfunc(Untouched(), columns(a="double"))).witness.look(BODY) is not None


def test_its_questions_are_not_logged_and_other_threads_are(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's remark on extra columns belongs in the log where a caller sent them."""
    monkeypatch.setattr(logging.getLogger("mlflow"), "propagate", True)
    model = pyfunc(Echo(), columns(a="double"))
    fast = compiled(model)
    with caplog.at_level(logging.WARNING):
        assert fast.witness.look(REMARKABLE) is not None
        assert not caplog.records

        asking = threading.Thread(target=mlflow_answer, args=(model, REMARKABLE))
        asking.start()
        asking.join()

    assert {"extra inputs" in record.getMessage() for record in caplog.records} == {True}
