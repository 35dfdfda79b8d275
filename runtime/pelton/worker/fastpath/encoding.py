"""A model's output to the bytes of MLflow's answer.

Contract: ``scoring_server.predictions_to_json`` and ``unwrapped_predictions_to_json``, that is
``_get_jsonable_obj`` and then ``json.dump`` with MLflow's encoder. ``json.dump`` always takes the
pure-Python encoder; the C one of ``JSONEncoder.encode`` writes the same text. Arrays and frames of
numbers do not go through Python objects at all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from mlflow.utils.proto_json_utils import NumpyEncoder, _get_jsonable_obj

from pelton_kernels import json_numbers

_any_json = NumpyEncoder().encode
_string = json.encoder.encode_basestring_ascii

#: Lists up to here are faster through the C encoder.
_SHORT = 64

_MAX_TEMPLATES = 64


class RowTexts(str):
    """Rows of an output as JSON, without the brackets, in place of what they were split from."""

    __slots__ = ()


def rows_body(rows: RowTexts) -> bytes:
    """Return the body MLflow answers for ``rows``."""
    return f'{{"predictions": [{rows}]}}'.encode("ascii")


def encode(output: Any, unwrapped: bool) -> bytes:
    """Return the body MLflow answers for ``output``.

    Args:
        output: what predict returned.
        unwrapped: of a unified LLM request.

    Raises:
        Exception: it is no JSON; MLflow's own encoder fails on it as well, after its own fashion.
    """
    text = f"[{output}]" if type(output) is RowTexts else _text(output)
    return (text if unwrapped else f'{{"predictions": {text}}}').encode("ascii")


def _text(output: Any) -> str:
    if type(output) is np.ndarray:
        if output.ndim and _is_number(output.dtype):
            return json_numbers.text(output)
    elif type(output) is pd.DataFrame:
        texts = _frame_texts(output)
        if texts is not None:
            return f"[{', '.join(texts)}]"
    elif type(output) is list and len(output) > _SHORT and set(map(type, output)) == {float}:
        return json_numbers.text(np.array(output))
    return str(_any_json(_get_jsonable_obj(output)))


def _is_number(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "iub" or (dtype.kind == "f" and dtype.itemsize <= 8)


_templates: dict[tuple[Any, ...], str] = {}


def row_texts(output: Any) -> list[str] | None:
    """Return each row of ``output`` as JSON; ``None`` if it is to be encoded otherwise.

    Args:
        output: what predict returned. A frame, or a one-dimensional array of numbers, has rows.
    """
    if type(output) is pd.DataFrame:
        return _frame_texts(output)
    if type(output) is np.ndarray and output.ndim == 1 and _is_number(output.dtype):
        return json_numbers.texts(output)
    return None


def _frame_texts(frame: pd.DataFrame) -> list[str] | None:
    labels = frame.columns
    if not labels.is_unique or not frame.shape[1]:
        return None
    names = tuple(labels.tolist())
    if not set(map(type, names)) <= {str, int}:  # True would find the template of 1
        return None
    template = _templates.get(names)
    if template is None:
        template = _template(names)
        if len(_templates) < _MAX_TEMPLATES:
            _templates[names] = template
    columns: list[Any] = [None] * len(names)
    for block in frame._mgr.blocks:
        cells = _block_texts(block.values)
        if cells is None:
            return None
        for place, column in zip(block.mgr_locs, cells, strict=True):
            columns[place] = column
    return [template % row for row in zip(*columns, strict=True)]


def _template(names: tuple[Any, ...]) -> str:
    keys = (_string(str(name)).replace("%", "%%") for name in names)
    return "{" + ", ".join(f"{key}: %s" for key in keys) + "}"


def _block_texts(values: Any) -> Sequence[Sequence[str]] | None:
    """Return the texts of each column of a block; ``None`` if it holds more than JSON scalars."""
    if isinstance(values, np.ndarray):
        if _is_number(values.dtype):
            width, rows = values.shape
            flat = json_numbers.texts(values.reshape(-1))
            return [flat[start * rows : (start + 1) * rows] for start in range(width)]
        if values.dtype != object:
            return None
        columns = values.tolist()
    elif isinstance(values.dtype, pd.StringDtype):
        columns = [values.tolist()]
    else:
        return None
    if not set(map(type, chain.from_iterable(columns))) <= {str}:
        return None
    return [list(map(_string, column)) for column in columns]
