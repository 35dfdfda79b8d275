"""Inputs a model could tell apart are told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pelton.worker.fastpath.likeness import same_input


def frame() -> pd.DataFrame:
    return pd.DataFrame({"a": [1.5, 2.5], "b": [3.5, 4.5], "s": ["x", "y"]})


def _renamed(data: pd.DataFrame) -> None:
    data.columns.name = "c"


def _reindexed(data: pd.DataFrame) -> None:
    data.index = pd.Index([0, 1])


def _split_blocks(data: pd.DataFrame) -> None:
    data["b"] = [3.5, 4.5]


def _value(data: pd.DataFrame) -> None:
    data.iloc[0, 0] = 1.5000000000000002


def _text(data: pd.DataFrame) -> None:
    data.iloc[0, 2] = "z"


def _attrs(data: pd.DataFrame) -> None:
    data.attrs["a"] = 1


@pytest.mark.parametrize("change", [_renamed, _reindexed, _split_blocks, _value, _text, _attrs])
def test_frames_that_differ(change: Any) -> None:
    changed = frame()
    change(changed)

    assert same_input(frame(), frame())
    assert not same_input(frame(), changed)


def test_a_frame_over_another_memory_layout_differs() -> None:
    rows = np.arange(6.0).reshape(3, 2)
    columns = np.ascontiguousarray(rows.T)

    assert not same_input(
        pd.DataFrame(rows, columns=["a", "b"], copy=False),
        pd.DataFrame(columns.T, columns=["a", "b"], copy=False),
    )


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (np.array([1.0]), np.array([1.0], dtype=np.float32)),
        (np.array([0.0]), np.array([-0.0])),
        (np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(3, 2).T),
        (np.array([1, "a"], dtype=object), np.array([1.0, "a"], dtype=object)),
        ([1], [1.0]),
        ([True], [1]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ((1,), [1]),
        (None, 0),
    ],
)
def test_values_that_differ(left: Any, right: Any) -> None:
    assert same_input(left, left)
    assert not same_input(left, right)


def test_nan_is_like_nan() -> None:
    assert same_input([float("nan")], [float("nan")])
    assert same_input(np.array([np.nan]), np.array([np.nan]))
