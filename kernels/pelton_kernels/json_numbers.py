"""Numbers to JSON text, as ``json.dumps`` writes them: ``", "`` between, ``repr`` of floats.

orjson formats floats some ten times faster than ``float.__repr__``, but writes ``1e16`` and
``0.00001`` where Python writes ``1e+16`` and ``1e-05``, and ``null`` for NaN. Both write the
shortest digits that round-trip, so the texts are equal wherever Python uses no exponent; only the
other values are written by Python.
"""

from __future__ import annotations

import json
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
    if kind == "f":
        wide = np.ascontiguousarray(array, dtype=np.float64)  # float32: 0.10000000149011612
        odd = _exponent_or_not_finite(wide)
        if odd.any():
            return _nest(_fixed_tokens(wide, odd), array.shape)
    else:
        wide = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return _packed(wide).replace(b",", b", ").decode("ascii")


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
    if kind == "f":
        wide = np.ascontiguousarray(array, dtype=np.float64)
        return _fixed_tokens(wide, _exponent_or_not_finite(wide))
    wide = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return _tokens(wide)


def _exponent_or_not_finite(wide: Array) -> npt.NDArray[np.bool_]:
    """Return where Python's ``repr`` uses an exponent, or there is no JSON number."""
    size = np.abs(wide)
    plain = (size >= 1e-4) & (size < 1e16)
    plain |= size == 0.0
    return np.logical_not(plain, out=plain)


def _packed(array: Array) -> bytes:
    return bytes(orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY))


def _tokens(flat: Array) -> list[str]:
    return _packed(flat)[1:-1].decode("ascii").split(",")


def _fixed_tokens(wide: Array, odd: npt.NDArray[np.bool_]) -> list[str]:
    flat = wide.reshape(-1)
    tokens = _tokens(flat)
    at = np.flatnonzero(odd.reshape(-1))
    for index, value in zip(at.tolist(), flat[at].tolist(), strict=True):
        tokens[index] = json.dumps(value)
    return tokens


def _nest(tokens: list[str], shape: tuple[int, ...]) -> str:
    """Return ``tokens`` in the brackets of ``shape`` (no dimension is 0)."""
    for length in reversed(shape[1:]):
        tokens = [
            f"[{', '.join(tokens[start : start + length])}]"
            for start in range(0, len(tokens), length)
        ]
    return f"[{', '.join(tokens)}]"
