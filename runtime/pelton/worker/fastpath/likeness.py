"""Whether two inputs of a model are the same one, down to the layout in memory.

Equal values are not enough: a frame of the same numbers in another block layout can change the last
digits of a BLAS result, and a model may look at dtypes, indexes and flags.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def same_input(left: Any, right: Any) -> bool:
    """Return whether a model could not tell ``left`` from ``right`` (object identity aside)."""
    if type(left) is not type(right):
        return False
    if isinstance(left, pd.DataFrame):
        return _same_frame(left, right)
    if isinstance(left, np.ndarray):
        return _same_array(left, right)
    if isinstance(left, dict):
        return list(left) == list(right) and all(same_input(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same_input, left, right))
    if isinstance(left, float):
        return bool(left.hex() == right.hex())
    return bool(left == right)


def _same_frame(left: pd.DataFrame, right: pd.DataFrame) -> bool:
    ours, theirs = left._mgr.blocks, right._mgr.blocks
    return bool(
        _same_index(left.columns, right.columns)
        and _same_index(left.index, right.index)
        and left.attrs == right.attrs
        and left.flags == right.flags
        and len(ours) == len(theirs)
        and all(
            np.array_equal(a.mgr_locs.as_array, b.mgr_locs.as_array)
            and _same_values(a.values, b.values)
            for a, b in zip(ours, theirs, strict=True)
        )
    )


def _same_index(left: pd.Index, right: pd.Index) -> bool:
    if type(left) is not type(right) or left.dtype != right.dtype or left.names != right.names:
        return False
    return same_input(left.tolist(), right.tolist())


def _same_values(left: Any, right: Any) -> bool:
    if type(left) is not type(right) or left.dtype != right.dtype or left.shape != right.shape:
        return False
    if isinstance(left, np.ndarray):
        return _same_array(left, right)
    storage = getattr(left, "_ndarray", None)  # datetimes, object-backed strings
    if isinstance(storage, np.ndarray):
        return _same_array(storage, right._ndarray)
    arrow = getattr(left, "_pa_array", None)
    if arrow is not None:
        other = right._pa_array
        return (
            arrow.type == other.type
            and arrow.num_chunks == other.num_chunks
            and bool(arrow.equals(other))
        )
    return same_input(left.tolist(), right.tolist())


def _same_array(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> bool:
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    # The stride of a dimension of length 1 means nothing, and numpy fills it in at will.
    strides = (
        a == b
        for a, b, length in zip(left.strides, right.strides, left.shape, strict=True)
        if length > 1
    )
    if not all(strides) or not all(
        getattr(left.flags, name) == getattr(right.flags, name)
        for name in ("c_contiguous", "f_contiguous", "writeable", "aligned")
    ):
        return False
    if left.dtype.hasobject:
        return same_input(left.tolist(), right.tolist())
    return left.tobytes() == right.tobytes()
