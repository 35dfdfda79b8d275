"""Answers are compared exactly, but for the last digits of floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pelton.worker.fastpath.comparison import DIFFERENT, distance, precision

_EPS = float(np.finfo(np.float64).eps)
_EPS_32 = float(np.finfo(np.float32).eps)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (np.zeros(1), _EPS),
        (np.zeros(1, dtype=np.float32), _EPS_32),
        (np.zeros(1, dtype=np.int64), 0.0),
        (np.float32(1), _EPS_32),
        (pd.DataFrame({"a": [1], "b": np.zeros(1, dtype=np.float32)}), _EPS_32),
        (pd.DataFrame({"a": ["x"]}), 0.0),
        (pd.DataFrame(), 0.0),
        (pd.Series([1.5]), _EPS),
        ({"a": np.zeros(1, dtype=np.float32), "b": 1.5}, _EPS_32),
        ([1.5, 2], _EPS),
        (["x"], 0.0),
        (None, 0.0),
    ],
)
def test_the_precision_is_that_of_the_coarsest_floats(output: Any, expected: float) -> None:
    assert precision(output) == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (b"1", b"2"),
        (b"1", b"1.0"),
        (b"1.0", b'"1.0"'),
        (b"[1.0]", b"[1.0, 2.0]"),
        (b'{"a": 1.0}', b'{"b": 1.0}'),
        (b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}'),
        (b"[NaN]", b"[1.0]"),
        (b"[Infinity]", b"[-Infinity]"),
        (b'["a", 1.5]', b'["b", 1.5]'),
        (b"true", b"1"),
        (b"null", b"0.0"),
    ],
)
def test_what_is_no_float_must_be_equal(left: bytes, right: bytes) -> None:
    assert distance(left, right, _EPS) == DIFFERENT
    assert distance(left, left, _EPS) == 0.0


def test_floats_are_a_number_of_units_apart() -> None:
    assert distance(b"[1.0, NaN]", b"[1.0000000000000002, NaN]", _EPS) == pytest.approx(1.0)
    assert distance(b"[1.0, NaN]", b"[1.0000000000000009, NaN]", _EPS) == pytest.approx(4.0)


def test_a_unit_is_taken_at_the_scale_of_the_answer() -> None:
    """The small number is the difference of large ones, and as inexact as they are."""
    assert distance(b"[1.0, 1e-9]", b"[1.0, 1.0000002e-9]", _EPS) < 1.0
    assert distance(b"[1e-9]", b"[1.0000002e-9]", _EPS) > 1e8


def test_no_float_no_unit() -> None:
    assert distance(b"[1.0]", b"[1.5]", 0.0) == DIFFERENT
