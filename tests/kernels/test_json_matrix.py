"""A matrix is read as ``json.loads`` and NumPy read it, or not at all."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pelton_kernels import json_matrix

settings.register_profile("kernels", derandomize=True, deadline=None, database=None)
settings.load_profile("kernels")

pytest.importorskip("simdjson")

_NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.integers(-9, 9),
)
_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=2),
    st.sampled_from([[], [1], {}, {"a": 1}, "[", "\\", 2**53, 2**63, 2**64, 2**70, 1e300]),
    st.sampled_from([float("nan"), float("inf"), -0.0]),
)
_REST = st.dictionaries(
    st.sampled_from(["columns", "index", "params", "id", "["]),
    st.one_of(_ODD, st.lists(_ODD, max_size=2), st.lists(st.sampled_from(["a", "[b"]), max_size=2)),
    max_size=2,
)


def assert_read_alike(body: bytes, path: tuple[str, ...]) -> None:
    read = json_matrix.read(body, path)
    if read is None:
        return
    expected = json_matrix.reference(body, path)
    for key in path[:-1]:
        assert list(read) == list(expected)
        assert {k: v for k, v in read.items() if k != key} == {
            k: v for k, v in expected.items() if k != key
        }
        read, expected = read[key], expected[key]
    ours, theirs = read.pop(path[-1]), expected.pop(path[-1])
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert ours.tobytes() == theirs.tobytes()
    assert repr(read) == repr(expected)


def nested(numbers: list[Any], shape: tuple[int, ...]) -> Any:
    return np.array(numbers, dtype=object).reshape(shape).tolist()


@given(
    numbers=st.lists(_NUMBERS, min_size=12, max_size=12),
    shape=st.sampled_from([(12,), (3, 4), (12, 1), (1, 12), (2, 3, 2), (1, 1, 12)]),
    rest=_REST,
    odd=st.one_of(st.none(), st.tuples(st.integers(0, 11), _ODD)),
)
def test_any_matrix(numbers: list[Any], shape: tuple[int, ...], rest: Any, odd: Any) -> None:
    if odd is not None:
        numbers[odd[0]] = 0.5
    value = nested(numbers, shape)
    if odd is not None:
        holder = value
        while type(holder[-1]) is list:
            holder = holder[-1]
        holder[-1] = odd[1]
    for document, path in (
        ({"split": {"data": value, **rest}, **rest}, ("split", "data")),
        ({**rest, "inputs": value}, ("inputs",)),
    ):
        assert_read_alike(json.dumps(document, ensure_ascii=False).encode(), path)


@given(digits=st.from_regex(r"-?[0-9]{1,18}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True))
def test_any_number(digits: str) -> None:
    assert_read_alike(b'{"a": [' + digits.encode() + b"]}", ("a",))


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": [[1, 2.5], [-3, 4e2]]}',
        b' {"a" : [ 1 , 2 ] , "b": {"c": [1, "x", null]}} ',
        b'{"a": [-0, -0.0, 0]}',
    ],
)
def test_what_is_read(body: bytes) -> None:
    assert json_matrix.read(body, ("a",)) is not None
    assert_read_alike(body, ("a",))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b'{"a": 1}',
        b'{"a": []}',
        b'{"a": [[]]}',
        b'{"a": {}}',
        b'{"b": [1]}',
        b'{"a": [1], "a": [2]}',
        b'{"a": [1], "b": {"c": 1, "c": 2}}',
        b'{"a": [1], "b": [{"c": 1, "c": 2}]}',
        b'{"a": [1, 2], "b": "\\u005b"}',
        b'{"a": [[1, 2], [3]]}',
        b'{"a": [[1, 2], 3]}',
        b'{"a": [1, [2]]}',
        b'{"a": [[[1], 2], [3, 4]]}',
        b'{"a": [[[1, 2]], [[3]]]}',
        b'{"a": [1, true]}',
        b'{"a": [1, null]}',
        b'{"a": [1, "2"]}',
        b'{"a": [1, {}]}',
        b'{"a": [1, NaN]}',
        b'{"a": [1, 1e400]}',
        b'{"a": [9007199254740992]}',
        b'{"a": [-18446744073709551617]}',
        b'{"a": [1]} x',
        b'{"a": [1], "b": "\xff"}',
        b'{"a": ' + b"[" * 2000 + b"1" + b"]" * 2000 + b"}",
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_is_not_read(body: bytes) -> None:
    assert json_matrix.read(body, ("a",)) is None


def test_a_result_outlives_the_next_reading() -> None:
    first = json_matrix.read(b'{"a": [1, 2]}', ("a",))
    second = json_matrix.read(b'{"a": [3, 4]}', ("a",))

    assert first is not None
    assert second is not None
    assert first["a"].tolist() == [1.0, 2.0]
    assert second["a"].tolist() == [3.0, 4.0]


def test_a_body_that_was_refused_does_not_keep_the_next_from_being_read() -> None:
    try:
        raise ValueError(json_matrix._parse(b'{"a": [1]}'))
    except ValueError as error:
        kept = error  # with an element of the last body in it

    assert json_matrix.read(b'{"a": [1]}', ("a",)) is not None
    assert kept.args


def test_without_simdjson_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_matrix, "Parser", None)

    assert json_matrix.read(b'{"a": [1]}', ("a",)) is None
