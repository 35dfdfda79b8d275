"""Numbers to JSON text, as ``json.dumps`` writes them: ``", "`` between, ``repr`` of floats.

orjson formats floats some ten times faster than ``float.__repr__``, but writes ``1e16`` and
``0.00001`` where Python writes ``1e+16`` and ``1e-05``, and ``null`` for NaN. Both write the
shortest digits that round-trip, so the texts are equal wherever Python uses no exponent; only the
other values are written by Python.
"""

from __future__ import annotations

import json
import math
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

orjson: Any
try:
    import orjson
except ImportError:  # the model's environment need not have it
    orjson = None

Array = npt.NDArray[Any]

#: Below this many values ``repr`` of the list is the faster one (benchmarks/micro, "encode").
_FEW = 24

#: Stands for the values that Python writes. As 17 digits are the most any double is written with,
#: no other number has this text in its own, but for its negative.
_PLACEHOLDER = 1234567890.0987654
_PLACEHOLDER_TEXT = "1234567890.0987654"


def reference(array: Array) -> str:
    """Return the JSON text of ``array``: the specification of ``text``."""
    return json.dumps(array.tolist())


def text(array: Array) -> str:
    """Return the JSON text of ``array``.

    Args:
        array: any shape but 0-d, dtype float16 to float64, (unsigned) integer or boolean.
    """
    kind = array.dtype.kind
    if kind == "b":
        return json.dumps(array.tolist())
    if array.size < _FEW or orjson is None:
        plain = repr(array.tolist())
        # Only nan and inf have an "n"; JSON spells them NaN and Infinity.
        return plain if "n" not in plain else json.dumps(array.tolist())
    if kind != "f":
        return _packed(array.astype(array.dtype.newbyteorder("="), copy=False))
    wide = array.astype(np.float64, copy=False)  # float32: 0.10000000149011612
    odd = _exponent_or_not_finite(wide)
    count = int(np.count_nonzero(odd))
    if count == 0:
        return _packed(wide)
    if 2 * count > array.size or (np.abs(wide) == _PLACEHOLDER).any():
        return reference(array)
    pieces = _packed(np.where(odd, _PLACEHOLDER, wide)).split(_PLACEHOLDER_TEXT)
    written = map(_written, wide[odd].tolist())
    return "".join(chain.from_iterable(zip(pieces, chain(written, [""]), strict=True)))


def texts(array: Array) -> list[str]:
    """Return the JSON text of each value of the 1-d ``array``; dtypes as in ``text``."""
    kind = array.dtype.kind
    if kind == "b":
        return ["true" if value else "false" for value in array.tolist()]
    if array.size < _FEW or orjson is None:
        plain = list(map(repr, array.tolist()))
        if kind == "f" and not np.isfinite(array).all():
            return list(map(json.dumps, array.tolist()))
        return plain
    if kind != "f":
        return _tokens(array.astype(array.dtype.newbyteorder("="), copy=False))
    wide = array.astype(np.float64, copy=False)
    tokens = _tokens(wide)
    at = np.flatnonzero(_exponent_or_not_finite(wide))
    for index, value in zip(at.tolist(), wide[at].tolist(), strict=True):
        tokens[index] = _written(value)
    return tokens


def _exponent_or_not_finite(wide: Array) -> npt.NDArray[np.bool_]:
    """Return where Python's ``repr`` uses an exponent, or there is no JSON number."""
    size = np.abs(wide)
    plain = (size >= 1e-4) & (size < 1e16)
    plain |= size == 0.0
    return np.logical_not(plain, out=plain)


def _written(value: float) -> str:
    return repr(value) if math.isfinite(value) else json.dumps(value)


def _packed(array: Array) -> str:
    packed = orjson.dumps(np.ascontiguousarray(array), option=orjson.OPT_SERIALIZE_NUMPY)
    return bytes(packed).replace(b",", b", ").decode("ascii")


def _tokens(flat: Array) -> list[str]:
    return _packed(flat)[1:-1].split(", ")
