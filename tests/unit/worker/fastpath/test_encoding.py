"""Outputs are encoded to the bytes of MLflow's own encoder, or left to it."""

from __future__ import annotations

import datetime
import enum
import math
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.pyfunc import scoring_server
from tests.unit.worker.fastpath.models import JSON, Returns, compiled, pyfunc

from pelton.worker.fastpath.encoding import encode


def mlflow_text(output: Any, unwrapped: bool) -> bytes | None:
    """Return what MLflow writes, ``None`` where it fails."""
    written = StringIO()
    try:
        if unwrapped:
            scoring_server.unwrapped_predictions_to_json(output, written)
        else:
            scoring_server.predictions_to_json(output, written)
    except Exception:
        return None
    return written.getvalue().encode()


def assert_encoded_alike(output: Any) -> None:
    for unwrapped in (False, True):
        expected = mlflow_text(output, unwrapped)
        try:
            encoded = encode(output, unwrapped)
        except Exception:
            encoded = None
        assert encoded == expected, output


class _Point(pydantic.BaseModel):
    x: float
    when: datetime.datetime


class _Colour(enum.IntEnum):
    RED = 1


_ODD_FLOATS = [
    0.0, -0.0, 1e-4, 9.999e-5, 1e-5, 1e-7, 5e-324, 1e15, 1e16, 123456789012345680.0, 1e22, 1e300,
    math.nan, math.inf, -math.inf, 0.1, 1 / 3, -1e16, 9007199254740993.0, 1.5e-5,
]  # fmt: skip

OUTPUTS = [
    np.array(_ODD_FLOATS),
    np.array(_ODD_FLOATS * 5).reshape(10, 10),
    np.array(_ODD_FLOATS, dtype=np.float32),
    np.array(_ODD_FLOATS * 4, dtype=np.float16),
    np.array(_ODD_FLOATS, dtype=np.longdouble),
    np.array(_ODD_FLOATS * 4).reshape(5, 4, 4).T,
    np.array(_ODD_FLOATS * 4)[::3],
    np.arange(60, dtype=">f8").reshape(3, 20),
    np.arange(60, dtype=">i4"),
    np.arange(60, dtype=np.uint8),
    np.array([2**63, 2**64 - 1], dtype=np.uint64),
    np.array([True, False]),
    np.zeros((0,)),
    np.zeros((3, 0)),
    np.zeros((0, 3)),
    np.array(1.5),
    np.array("x"),
    np.array(["a", 'q"\n', "é\u2028\U0001f600", "\ud800"]),
    np.array([b"abc", b"\xff" * 60]),
    np.array([b"abc", 1, None, "x", 2.5, np.float32(0.1)], dtype=object),
    np.array(["2024-01-01", "NaT"], dtype="datetime64[ns]"),
    np.array(["2024-01-01", "NaT"], dtype="datetime64[us]"),
    np.array([1 + 2j]),
    np.ma.masked_array([1.0, 2.0], mask=[True, False]),
    np.float32(0.1),
    np.int64(3),
    [0.1] * 100,
    [0.1] * 100 + [1],
    [*_ODD_FLOATS] * 5,
    [np.float64(0.1)] * 100,
    [np.float32(0.1), np.int8(1), np.array([1.5]), np.bool_(True)],
    ["a", 1, None, True, 2.5, {"b": [1, {"c": "é"}]}],
    {"a": np.arange(3), 1: "x", None: 2, False: 3, 1.5: 4},
    {np.int64(1): 1},
    (1, 2),
    "text é",
    None,
    True,
    3,
    math.nan,
    b"abc",
    bytearray(b"\xff" * 80),
    {1, 2},
    datetime.datetime(2024, 1, 2, 3, 4, 5, 6),
    datetime.date(2024, 1, 2),
    pd.Timestamp("2024-01-01"),
    pd.NaT,
    pd.NA,
    _Point(x=1.5, when=datetime.datetime(2024, 1, 1)),
    [_Point(x=1.5, when=datetime.datetime(2024, 1, 1))],
    _Colour.RED,
    [_Colour.RED],
    pd.DataFrame({"a": _ODD_FLOATS, "b": range(20)}),
    pd.DataFrame({"a": [1.5], "b": ["x"], "c": [True], "d": [3]}),
    pd.DataFrame({"a": [0.1, 2]}, dtype=np.float32),
    pd.DataFrame({'k"%s': [1], "é": ["ü"], "%": [2.5]}),
    pd.DataFrame({1: [1], "1": [2], 2: [3]}),
    pd.DataFrame([[1, 2.5], [3, 4.5]]),
    pd.DataFrame([[1, 2]], columns=["a", "a"]),
    pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])),
    pd.DataFrame([[1, 2]], columns=[True, 1.5]),
    pd.DataFrame({"a": ["x", None]}),
    pd.DataFrame({"a": [1, None, "x", [1], {"b": 1}, b"abc"]}),
    pd.DataFrame({"a": pd.Categorical(["x", "y"])}),
    pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}),
    pd.DataFrame({"a": pd.to_datetime(["2024-01-01", None])}),
    pd.DataFrame({"a": []}),
    pd.DataFrame(),
    pd.DataFrame(index=[1, 2]),
    pd.DataFrame({"a": [1, 2], "b": [1.5, 2]}, index=["x", "y"]),
    pd.DataFrame(np.arange(12.0).reshape(3, 4)).T,
    pd.DataFrame({"a": [1.5, 2], "b": ["x", "y"], "c": [0.1, 0.2]})[["c", "a"]],
    pd.Series([1.5, 2.5]),
    pd.Series(["a", "b"], name="n", index=[5, 6]),
    pd.Index([1, 2]),
]


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: repr(output)[:60])
def test_each_kind_of_output(output: Any) -> None:
    assert_encoded_alike(output)


_FLOATS = st.one_of(st.floats(), st.floats(width=32), st.sampled_from(_ODD_FLOATS))


@given(
    values=st.lists(_FLOATS, min_size=1, max_size=70),
    dtype=st.sampled_from(["f8", "f4", "f2", ">f8"]),
)
def test_any_array_of_floats(values: list[float], dtype: str) -> None:
    with np.errstate(over="ignore"):
        array = np.array(values).astype(dtype)
    assert_encoded_alike(array)
    assert_encoded_alike(np.resize(array, (3, 5, 2)))
    assert_encoded_alike(pd.DataFrame({"a": array, "b": array[::-1]}))
    assert_encoded_alike(values)


_ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.text(max_size=3), st.integers(), st.booleans(), st.floats(), st.none()),
            inner,
            max_size=3,
        ),
    ),
)


@given(output=_ANYTHING)
def test_any_python_value(output: Any) -> None:
    assert_encoded_alike(output)


_COLUMNS = st.one_of(
    st.lists(st.floats(), min_size=2, max_size=2),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=2),
    st.lists(st.text(max_size=4), min_size=2, max_size=2),
    st.lists(st.booleans(), min_size=2, max_size=2),
    st.lists(st.one_of(st.none(), st.text(max_size=2), st.integers()), min_size=2, max_size=2),
)


@given(
    frame=st.dictionaries(
        st.one_of(st.text(max_size=4), st.integers(-5, 5)), _COLUMNS, max_size=4
    ).map(pd.DataFrame)
)
def test_any_frame(frame: pd.DataFrame) -> None:
    assert_encoded_alike(frame)


def test_what_is_no_json_is_left_to_mlflow() -> None:
    fast = compiled(pyfunc(Returns({1, 2})))
    request = fast.decode(b'{"inputs": [1.5]}', JSON)
    assert request is not None

    assert fast.encode(fast.predict(request), request) is None
