"""Bodies that begin and end as an earlier one did are decoded as if there had been none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.worker.fastpath.models import JSON, Echo, columns, compiled, mlflow_answer, pyfunc

from pelton.worker.fastpath import FastPath
from pelton.worker.fastpath import skeleton as skeletons
from pelton.worker.fastpath.self_check import answer

MODEL = pyfunc(Echo(), columns(a="double", b="double", s="string?"))
USUAL = '{"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, 2.5]]}}'


def split(
    data: str, before: str = "", after: str = "", labels: str = '["a", "b"]', last: str = ""
) -> bytes:
    names = "" if last else f'"columns": {labels}, '
    return f'{{"dataframe_split": {{{before}{names}"data": {data}{last}}}{after}}}'.encode()


AROUND = st.sampled_from(
    [
        {},
        {"before": '"index": [0], '},
        {"before": '"index": [7, 8], '},
        {"before": '"index": null, '},
        {"before": '"data": [[9.5, 9.5]], '},
        {"labels": '["b", "a"]'},
        {"labels": '["a", "b", "s"]'},
        {"labels": '["a", "b", "data"]'},
        {"after": ', "params": {}'},
        {"after": ', "client_request_id": "x"'},
        {"after": " \n"},
        {"last": ', "columns": ["a", "b"]'},
        {"last": ', "columns": ["b", "a"]'},
        {"last": ', "columns": ["a", "b", "s"], "index": null'},
    ]
)
ROWS = st.one_of(
    st.lists(st.lists(st.floats(-9, 9), min_size=2, max_size=3), max_size=3).map(json.dumps),
    st.sampled_from(
        [
            '[[1.5, 2.5, "x"]]',
            '[[1.5, 2.5, "data"]]',
            '[[1.5, 2.5, "data"], [3.5, 4.5, "x"]]',
            '[[1.5, 2.5, "data"], [3.5, 4.5, "]"]]',
            '[[1.5, 2.5, "]], \\"data\\": [["]]',
            "[[1.5, 2.5]",
            "[[1.5, 2.5]]]",
            '[[1.5]], "index": [[2.5]]',
            '[[1.5, 2.5]], "data": [[3.5, 4.5]]',
            '[[1.5, 2.5]]}, "inputs": {"a": [[1.5]]',
            "[[NaN, 2.5]]",
            "[[1, 9007199254740993]]",
            "[[1e400, 1]]",
            '[[1.5, "2.5"]]',
            "[1.5, 2.5]",
            "null",
            "",
            " [ [ 1.5 , 2.5 ] ] ",
            "[[1.5, 2.5,]]",
        ]
    ),
)
BODIES = st.builds(lambda rows, around: split(rows, **around), ROWS, AROUND)


def read(fast: FastPath, body: bytes) -> Any:
    return answer(fast, body, JSON)


@given(bodies=st.lists(BODIES, min_size=2, max_size=8))
def test_what_came_before_changes_nothing(bodies: list[bytes]) -> None:
    experienced = compiled(MODEL)
    for body in bodies * 2:
        found = read(experienced, body)

        assert found == read(compiled(MODEL), body)
        assert found is None or tuple(found) == mlflow_answer(MODEL, body)


def test_only_the_rows_of_the_next_one_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = compiled(MODEL)
    parsed: list[bytes] = []
    real = skeletons.parse

    def parse(body: bytes) -> Any:
        parsed.append(body)
        return real(body)

    monkeypatch.setattr(skeletons, "parse", parse)
    for data in ("[[1.5, 2.5]]", "[[3.5, 4.5], [5.5, 6.5]]"):
        assert tuple(read(fast, split(data))) == mlflow_answer(MODEL, split(data))

    assert parsed == [USUAL.replace("[[1.5, 2.5]]", "null").encode(), b"[[3.5, 4.5], [5.5, 6.5]]"]


def test_an_index_goes_with_its_rows() -> None:
    fast = compiled(MODEL)
    for data in ("[[1.5, 2.5]]", "[[3.5, 4.5]]", "[[3.5, 4.5], [5.5, 6.5]]"):
        body = split(data, before='"index": [0], ')
        found = read(fast, body)

        assert found is None or tuple(found) == mlflow_answer(MODEL, body)
        assert (found is None) == (data.count("[") == 3)


def test_something_new_around_the_rows_each_time_is_not_remembered_for_ever() -> None:
    fast = compiled(MODEL)
    assert fast._tables is not None
    known = fast._tables.skeletons
    for number in range(100):
        body = split("[[1.5, 2.5]]", before=f'"index": [{number}], ')
        assert tuple(read(fast, body)) == mlflow_answer(MODEL, body)

    assert len(known._known) == 8
    assert known._tries_left == 0
