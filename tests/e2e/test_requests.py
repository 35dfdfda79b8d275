"""Requests, good and bad, as MLflow answers them; after a bad one the next good one is answered."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.endpoint import Endpoint
from tests.e2e.test_flavors import FLOWERS, IRIS, ROWS
from tests.zoo import build

pytestmark = pytest.mark.xdist_group("requests")

JSON = {"Content-Type": "application/json"}
CSV = {"Content-Type": "text/csv"}
PARQUET = {"Content-Type": "application/vnd.apache.parquet"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(build("sklearn4")) as endpoint:
        yield endpoint


@pytest.mark.parametrize(
    "request_",
    [
        ROWS,
        {"dataframe_records": [dict(zip(IRIS, row, strict=True)) for row in FLOWERS]},
        {"instances": [dict(zip(IRIS, row, strict=True)) for row in FLOWERS]},
        {"inputs": {name: list(column) for name, *column in zip(IRIS, *FLOWERS, strict=True)}},
        {**ROWS, "client_request_id": "1", "params": {"unknown": 1}},
    ],
    ids=["split", "records", "instances", "inputs", "more-keys"],
)
def test_each_form_of_a_request(request_: dict[str, Any], endpoint: Endpoint) -> None:
    answer = endpoint.ask(request_)

    assert (answer.status_code, answer.json()) == (200, {"predictions": [0, 2]})


def test_csv(endpoint: Endpoint) -> None:
    lines = [",".join(IRIS), *(",".join(map(str, row)) for row in FLOWERS)]

    answer = endpoint.ask(content="\n".join(lines).encode(), headers=CSV)

    assert (answer.status_code, answer.json()) == (200, {"predictions": [0, 2]})


def test_parquet(endpoint: Endpoint) -> None:
    import pandas as pd

    file = io.BytesIO()
    pd.DataFrame(FLOWERS, columns=IRIS).to_parquet(file)

    answer = endpoint.ask(content=file.getvalue(), headers=PARQUET)

    assert (answer.status_code, answer.json()) == (200, {"predictions": [0, 2]})


_GOOD = json.dumps(ROWS).encode()


@pytest.mark.parametrize(
    ("content", "headers", "status", "words"),
    [
        (b"not json", JSON, 400, "valid JSON"),
        (_GOOD[:-9], JSON, 400, "valid JSON"),
        (b"", JSON, 400, "valid JSON"),
        (b"\xff\xfe\xfd{", JSON, 400, "valid JSON"),
        (b"[1, 2]", JSON, 400, "JSON dictionary"),
        (b"{}", JSON, 400, "exactly one of the input fields"),
        (_GOOD[:-1] + b', "inputs": [1]}', JSON, 400, "exactly one of the input fields"),
        (
            b'{"dataframe_records": [{"sepal_length": 1.0}]}',
            JSON,
            400,
            "missing inputs",
        ),
        (_GOOD.replace(b"5.1", b'"wide"'), JSON, 400, "Failed to convert column sepal_length"),
        (_GOOD.replace(b"5.1", b"[5.1]"), JSON, 400, "Failed to"),
        (b"a,b\n1,2\n", CSV, 400, "missing inputs"),
        (b"no parquet", PARQUET, 400, "parquet"),
        (_GOOD, {"Content-Type": "text/plain"}, 415, "only supports the following content types"),
        (_GOOD, {"Content-Type": "application/json; charset=latin-1"}, 415, "UTF-8"),
        (_GOOD, {"Content-Type": "application/json; color=red"}, 415, "color"),
        (_GOOD, {"Content-Type": "application/json;"}, 415, "content type"),
        (_GOOD, {}, 500, "Internal Server Error"),
    ],
    ids=[
        *("no-json", "cut-off", "empty", "no-text", "list", "no-format", "two-formats"),
        *("missing-column", "wrong-type", "list-for-number", "csv-columns", "no-parquet"),
        *("content-type", "charset", "parameter", "semicolon", "no-content-type"),
    ],
)
def test_bad_request(
    content: bytes, headers: dict[str, str], status: int, words: str, endpoint: Endpoint
) -> None:
    answer = endpoint.ask(content=content, headers=headers)

    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    if status == 400:
        assert answer.json()["error_code"] in ("BAD_REQUEST", "INVALID_PARAMETER_VALUE")
    assert endpoint.ask(ROWS).json() == {"predictions": [0, 2]}


def test_good_requests_among_bad_ones_at_the_same_time(endpoint: Endpoint) -> None:
    bad = {"dataframe_records": [{"sepal_length": 1.0}]}
    answers = [endpoint.later(bad if i % 3 else ROWS) for i in range(60)]

    for i, answer in enumerate(answers):
        if i % 3:
            assert answer.result().status_code == 400
        else:
            assert answer.result().json() == {"predictions": [0, 2]}
