"""Bodies that begin and end as an earlier one did are decoded as if there had been none."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.types.schema import Schema
from tests.unit.worker.fastpath.models import (
    JSON,
    Echo,
    columns,
    compiled,
    mlflow_answer,
    pyfunc,
    tensor,
)

from pelton.worker.fastpath import FastPath
from pelton.worker.fastpath import skeleton as skeletons
from pelton.worker.fastpath.likeness import same_input
from pelton.worker.fastpath.self_check import answer
from pelton_kernels import json_lists

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


USUAL_ROWS = st.sampled_from(["[[1.5, 2.5]]", "[[3.5, 4.5], [5.5, 6.5]]", "[[7, 8.5]]"])


def decoded_alike(fast: FastPath, bodies: list[bytes]) -> bool:
    """Whether ``bodies`` are decoded together at all; if so, as they are one by one."""
    with patch.object(json_lists, "_library", None):
        decoded_together(fast, bodies)
    return decoded_together(fast, bodies)


def decoded_together(fast: FastPath, bodies: list[bytes]) -> bool:
    together = fast.decode_together(bodies, [JSON] * len(bodies))
    if together is None:
        return False
    apart = [fast.decode(body, JSON) for body in bodies]
    assert [share.rows for share in together] == [one and one.rows for one in apart]
    for share, one in zip(together, apart, strict=True):
        assert one is not None
        assert same_input(share.data, one.data)
        assert (share.group, share.params, share.unwrapped, share.enforce, share.has_rows) == (
            one.group, one.params, one.unwrapped, one.enforce, one.has_rows,
        )  # fmt: skip
    whole = fast.assemble(together)
    assert same_input(whole.data, fast.assemble([one for one in apart if one is not None]).data)
    assert same_input(fast.assemble(together[1:]).data, fast.assemble(apart[1:]).data)
    return True


@given(
    model=st.sampled_from([MODEL, pyfunc(Echo(), columns(a="double", b="double"))]),
    bodies=st.lists(st.builds(split, ROWS | USUAL_ROWS) | BODIES, min_size=2, max_size=5),
)
def test_together_is_as_apart_whatever_the_others_are(model: Any, bodies: list[bytes]) -> None:
    fast = compiled(model)
    read(fast, USUAL.encode())
    decoded_alike(fast, bodies)


CELLS = {
    "double": ("1.5", "-0.0", "2", "null", "9007199254740993", "1e308"),
    "float": ("1.5", "3e38", "3.5e38", "2"),
    "long": ("1", "-9223372036854775808", "9223372036854775808", "1.5"),
    "integer": ("1", "-2147483648", "2147483648"),
    "boolean": ("true", "false", "1"),
    "datetime": ('"2020-01-02"', '"2020-01-02T03:04:05"', '"1900-01-01"'),
}
OF_KIND = {
    kind: compiled(pyfunc(Echo(), columns(a=kind, b=kind))) for kind in CELLS
}  # what they learn is kept from one example to the next, as a worker does


@given(kind=st.sampled_from(sorted(CELLS)), data=st.data())
def test_no_cell_depends_on_those_of_others(kind: str, data: st.DataObject) -> None:
    fast = OF_KIND[kind]
    first = CELLS[kind][0]
    read(fast, split(f"[[{first}, {first}]]"))
    usual, cell = st.sampled_from(CELLS[kind][:2]), st.sampled_from(CELLS[kind])
    rows = st.lists(st.tuples(cell, cell), min_size=1, max_size=2) | st.tuples(
        st.tuples(usual, usual)
    )
    tables = data.draw(st.lists(rows, min_size=2, max_size=5))
    decoded_alike(
        fast, [split(f"[{', '.join(f'[{a}, {b}]' for a, b in table)}]") for table in tables]
    )


@pytest.mark.parametrize("kind", [kind for kind in CELLS if kind != "datetime"])
def test_each_kind_of_number_is_decoded_together(kind: str) -> None:
    fast = OF_KIND[kind]
    body = split(f"[[{CELLS[kind][0]}, {CELLS[kind][1]}]]")
    read(fast, body)
    assert decoded_alike(fast, [body, split(f"[[{CELLS[kind][1]}, {CELLS[kind][0]}]]")])


@given(rows=st.lists(USUAL_ROWS, min_size=2, max_size=9))
def test_usual_ones_are_decoded_together(rows: list[str]) -> None:
    fast = compiled(MODEL)
    read(fast, USUAL.encode())
    assert decoded_alike(fast, [split(data) for data in rows])


def nested(shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    """Lists of that shape, of floats and integers, now and then of something else."""
    cell = st.floats(-9, 9, width=32) | st.integers(-9, 9) | st.floats(-1e30, 1e30)
    value: st.SearchStrategy[Any] = cell | st.sampled_from([None, True, "1", 2**53 + 1, [1.5]])
    value = st.one_of(*[cell] * 9, value)
    for length in reversed(shape):
        value = st.lists(value, min_size=length, max_size=length)
    return value


TENSORS = {
    (dtype, shape): compiled(pyfunc(Echo(), Schema([tensor(dtype, shape, name)])))
    for dtype, shape, name in [
        ("float32", (-1, 3), None),
        ("float64", (-1,), None),
        ("float16", (-1, 2, 2), None),
        ("float64", (-1, 3), "named"),
        ("float32", (-1, -1), None),
        ("float32", (2, 3), None),
        ("int64", (-1, 3), None),
    ]
}


@given(known=st.sampled_from(sorted(TENSORS, key=str)), data=st.data())
def test_tensors_together_are_as_apart(known: Any, data: st.DataObject) -> None:
    fast, shape = TENSORS[known], known[1]
    key = data.draw(st.sampled_from(["inputs", "instances"]))
    usual = nested(tuple(2 if length == -1 else length for length in shape))
    rows = nested((3, *(2 if length == -1 else length for length in shape[1:])))
    other = nested((1, 4))
    bodies = [
        json.dumps({key: value}).encode()
        for value in data.draw(st.lists(usual | rows | other, min_size=2, max_size=5))
    ]
    read(fast, bodies[0])
    decoded_alike(fast, bodies)


@pytest.mark.parametrize("known", sorted(TENSORS, key=str))
def test_usual_tensors_are_decoded_together(known: Any) -> None:
    fast, (dtype, shape) = TENSORS[known], known
    lengths = [2 if length == -1 else length for length in shape]
    values = [np.random.default_rng(seed).normal(size=lengths) for seed in range(3)]
    bodies = [json.dumps({"inputs": value.tolist()}).encode() for value in values]
    read(fast, bodies[0])
    assert decoded_alike(fast, bodies) == (shape[0] == -1 and dtype.startswith("float"))


def test_rows_of_floats_together_are_read_without_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    if not json_lists.is_compiled():
        pytest.skip("the kernel could not be compiled")
    fast = compiled(MODEL)
    read(fast, USUAL.encode())
    monkeypatch.setattr(skeletons, "parse", None)
    assert fast.decode_together([USUAL.encode()] * 3, [JSON] * 3) is not None


@pytest.mark.parametrize(
    "rows",
    [
        ("[[1.5, 2.5]], [[3.5, 4.5]", "[5.5, 6.5]]"),
        ("[[1.5, 2.5], [3.5, 4.5]", "]"),
        ("[[1.5, 2.5]]]", "[[[3.5, 4.5]]"),
        ('[[1.5, "', '", 2.5]]'),
        ("[[1.5, 2.5]], [[3.5, 4.5]]", ""),
        ("", "[[1.5, 2.5]], [[3.5, 4.5]]"),
        ("[[1.5, 2.5]]", "[]"),
        ("[[1.5, 2.5]]", "[[1.5, 2.5, 3.5]]"),
        ("[[1.5, 2.5]]", '[[1.5, "2.5"]]'),
        ("[[1.5, 2.5]]", "[1.5, 2.5]"),
        ("[[1.5, 2.5]]", "null"),
    ],
)
def test_what_is_only_json_together_is_not_taken_for_it(rows: tuple[str, str]) -> None:
    fast = compiled(MODEL)
    read(fast, USUAL.encode())
    bodies = [split(data) for data in rows]
    assert fast.decode_together(bodies, [JSON, JSON]) is None
    assert fast.decode_together(bodies[::-1], [JSON, JSON]) is None


def test_who_knows_the_mark_could_forge_so_it_is_another_each_time() -> None:
    one, other = (compiled(MODEL) for _ in range(2))
    assert one._tables is not None
    assert other._tables is not None
    assert one._tables._skeletons._mark != other._tables._skeletons._mark


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
    known = fast._tables._skeletons
    for number in range(100):
        body = split("[[1.5, 2.5]]", before=f'"index": [{number}], ')
        assert tuple(read(fast, body)) == mlflow_answer(MODEL, body)

    assert len(known._known) == 8
    assert known._tries_left == 0
