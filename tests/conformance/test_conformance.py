"""pelton answers what MLflow answers: some models here, all of them as slow tests.

Ask ``python -m tests.conformance`` for more than pytest shows.
"""

from __future__ import annotations

import pytest
from tests.conformance.case import inputs, records
from tests.conformance.cases import all_cases
from tests.conformance.comparison import compare
from tests.conformance.differences import BATCHED_ULP
from tests.conformance.oracle import recordings
from tests.conformance.server import mlflow_server, pelton_server
from tests.conformance.suite import Outcome, Subject, run
from tests.conformance.wire import ask_all
from tests.zoo import build

#: The first time, every model is logged and MLflow itself is asked every case.
RECORDING_S = 1800

SHORT = (
    "sklearn4",
    "witness",
    "columns-required",
    "tensor-unnamed",
    "hint-pydantic",
    "chat-model",
    "outputs",
    "raises",
)


@pytest.fixture(scope="module", autouse=True)
def _record_together() -> None:
    """One start of the oracle for all models whose answers are not recorded yet."""
    recordings(SHORT)


@pytest.mark.parametrize("model", SHORT)
def test_pelton_answers_as_mlflow(model: str) -> None:
    _assert_agrees(*run([model], Subject()))


@pytest.mark.slow
@pytest.mark.timeout(RECORDING_S)
def test_every_model_answers_as_mlflow() -> None:
    _assert_agrees(*run(all_cases(), Subject(), jobs=2))


@pytest.mark.slow
@pytest.mark.timeout(RECORDING_S)
def test_many_clients_get_the_bytes_that_one_gets() -> None:
    subject = Subject(arguments="--batching off", concurrency=32)
    _assert_agrees(*run(all_cases(), subject, jobs=2))


@pytest.mark.slow
@pytest.mark.timeout(RECORDING_S)
def test_rows_of_many_clients_predicted_together_are_a_few_ulp_off_at_most() -> None:
    subject = Subject(concurrency=32, rounds=3, ulp=BATCHED_ULP)
    _assert_agrees(*run(all_cases(), subject, jobs=2))


@pytest.mark.slow
@pytest.mark.timeout(RECORDING_S)
def test_the_slow_path_answers_as_the_fast_path() -> None:
    _assert_agrees(*run(all_cases(), Subject(arguments="--no-fast-path"), jobs=2))


@pytest.mark.slow
@pytest.mark.timeout(RECORDING_S)
def test_mlflow_itself_agrees_with_what_was_recorded() -> None:
    """The recorded answers come from one process; this asks each model as mlflow serves it."""
    _assert_agrees(*run(SHORT, Subject("mlflow"), jobs=2))


@pytest.mark.parametrize(
    ("model", "variable", "value"),
    [
        ("configured", "SERVING_MODEL_CONFIG", '{"greeting": "hi", "unknown": 1}'),
        ("sklearn4", "MLFLOW_DISABLE_SCHEMA_DETAILS", "true"),
    ],
)
@pytest.mark.slow
@pytest.mark.timeout(RECORDING_S)
def test_variables_that_mlflow_honours_are_honoured(model: str, variable: str, value: str) -> None:
    cases = [inputs("inputs", [1]), records("records", [{"x": 1}])]
    variables = {variable: value}
    with (
        mlflow_server(build(model), **variables) as oracle,
        pelton_server(build(model), **variables) as subject,
    ):
        expected, answered = ask_all(oracle, cases), ask_all(subject, cases)

    found = [compare(model, case, expected[case.name], answered[case.name]) for case in cases]
    assert [mismatch for mismatch in found if mismatch is not None] == []


def _assert_agrees(*outcomes: Outcome) -> None:
    lines = [
        outcome.failure or "\n".join(map(str, outcome.mismatches))
        for outcome in outcomes
        if not outcome.agrees
    ]
    assert not lines, "\n".join(lines)
