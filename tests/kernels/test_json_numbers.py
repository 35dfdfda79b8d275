"""Numbers are written as ``json.dumps`` writes them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pelton_kernels import json_numbers

settings.register_profile("kernels", derandomize=True, deadline=None, database=None)
settings.load_profile("kernels")

_FLOATS = st.one_of(
    st.floats(),
    st.floats(1e-6, 1e-3),
    st.floats(1e15, 1e17),
    st.sampled_from([0.0, -0.0, 1e-4, 1e16, 9.999999999999999e-05, 9999999999999998.0, 5e-324]),
)
_SHAPES = [(30,), (5, 6), (2, 3, 5), (1, 30), (30, 1), (5, 1, 6)]


def assert_written_alike(array: Any) -> None:
    assert json_numbers.text(array) == json_numbers.reference(array)
    assert json_numbers.texts(array.reshape(-1)) == [
        json.dumps(value) for value in array.reshape(-1).tolist()
    ]


@given(
    values=st.lists(_FLOATS, min_size=30, max_size=30),
    shape=st.sampled_from(_SHAPES),
    dtype=st.sampled_from(["f8", "f4", "f2", ">f8"]),
)
def test_floats(values: list[float], shape: tuple[int, ...], dtype: str) -> None:
    with np.errstate(over="ignore"):
        assert_written_alike(np.array(values).astype(dtype).reshape(shape))


@given(values=st.lists(_FLOATS, max_size=30))
def test_few_floats(values: list[float]) -> None:
    assert_written_alike(np.array(values, dtype=np.float64))


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4"])
@pytest.mark.parametrize("size", [0, 3, 60])
def test_integers(dtype: str, size: int) -> None:
    limits = np.iinfo(dtype)
    values = np.resize(np.array([limits.min, 0, 1, limits.max], dtype=dtype), size)

    assert_written_alike(values)
    assert_written_alike(values.reshape(-1, 3))
    assert_written_alike(values[::2])


def test_booleans() -> None:
    assert_written_alike(np.array([True, False]))
    assert_written_alike(np.array([[True, False]] * 20))


@pytest.mark.parametrize("odd", [[], [1e-7], [1e16, np.nan, -np.inf], [1e-7] * 90])
@pytest.mark.parametrize("rest", [0.5, json_numbers._PLACEHOLDER, -json_numbers._PLACEHOLDER])
def test_values_of_pythons_own_among_others(odd: list[float], rest: float) -> None:
    values = np.array([*odd, *[rest, 2.5] * 20, *odd, 1.5])

    assert_written_alike(values)
    assert_written_alike(values[1:-2].reshape(-1, 1))
    assert_written_alike(np.array([0.5] * 40 + [1e22]))


def test_the_placeholder_is_written_as_it_is_looked_for() -> None:
    assert repr(json_numbers._PLACEHOLDER) == json_numbers._PLACEHOLDER_TEXT
    assert len(json_numbers._PLACEHOLDER_TEXT) == 17 + len(".")


@pytest.mark.parametrize("size", [3, 100])
def test_without_orjson(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_numbers, "orjson", None)

    assert_written_alike(np.linspace(-1, 1, size))
    assert_written_alike(np.array([np.nan, np.inf, 1e16] * size))
    assert_written_alike(np.arange(size))
