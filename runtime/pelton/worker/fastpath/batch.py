"""Several requests as one predict: joined by rows, and the output taken apart again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pandas as pd

from pelton.worker.fastpath.decoded import Decoded, Share, whole_of
from pelton.worker.fastpath.encoding import RowTexts, row_texts

#: Arrays with more rows a request are taken apart faster as arrays.
_FEW_ROWS = 16


def assemble(requests: Sequence[Decoded | Share]) -> Decoded:
    """Return one request with the rows of all ``requests``, in their order.

    Raises:
        ValueError: they are not of one group.
    """
    first = requests[0]
    if len(requests) == 1:
        return first.alone if isinstance(first, Share) else first
    whole = whole_of(requests)
    if whole is not None:
        return whole
    if any(request.group != first.group for request in requests):
        raise ValueError("Only requests of one group can be joined. This is a bug.")
    cells = first.form.join([request.cells for request in requests])
    rows = sum(request.rows for request in requests)
    return Decoded(first.form, cells, rows, first.params, first.group)


def split(output: Any, requests: Sequence[Decoded | Share]) -> list[Any] | None:
    """Return what each of ``requests`` would have been answered, by rows of the joined output.

    Returns:
        One output per request, to be encoded; where ``row_texts`` knows them, its rows as JSON
        already. ``None`` if the output is not aligned with the rows.
    """
    if len(requests) == 1:
        return [output]
    counts = [request.rows for request in requests]
    ends = list(accumulate(counts, initial=0))
    rows = ends[-1]
    slices = map(slice, ends, ends[1:])
    if type(output) is pd.DataFrame or rows <= _FEW_ROWS * len(requests):
        texts = row_texts(output)
        if texts is not None:
            if len(texts) != rows:
                return None
            if set(counts) == {1}:
                return list(map(RowTexts, texts))
            return [RowTexts(", ".join(texts[part])) for part in slices]
    return _take_apart(output, list(slices), rows)


def _take_apart(output: Any, slices: list[slice], rows: int) -> list[Any] | None:
    kind = type(output)
    if kind is np.ndarray:
        if output.ndim == 0 or len(output) != rows:
            return None
        return [output[part] for part in slices]
    if kind is pd.DataFrame or kind is pd.Series:
        return [output.iloc[part] for part in slices] if len(output) == rows else None
    if kind is list or kind is tuple:
        return [output[part] for part in slices] if len(output) == rows else None
    if kind is dict and output:
        members = [_take_apart(member, slices, rows) for member in output.values()]
        if any(
            member is None or type(value) is dict
            for member, value in zip(members, output.values(), strict=True)
        ):
            return None
        return [
            dict(zip(output, parts, strict=True))
            for parts in zip(*(m for m in members if m is not None), strict=True)
        ]
    return None
