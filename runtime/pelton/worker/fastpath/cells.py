"""Columns of JSON cells: which ones MLflow takes as they are, and the arrays it makes of them.

A ``Kind`` is a scalar type of MLflow's signature together with the JSON values that need no cast on
the way to it. Anything else (a string where a number belongs, an integer that wraps, a date in an
unusual form) is ``Odd``: MLflow has its own opinion on it, so MLflow must be asked.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pelton.worker.fastpath.document import UNCERTAIN

Array = npt.NDArray[Any]
NULL = type(None)

#: Integers up to here are exact as doubles, so how they get there does not matter.
_EXACT = 2**53

_DATETIME = re.compile(
    r"(?:1[7-9]|2[01])\d\d-[01]\d-[0-3]\d(?:[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?)?"
)


class Odd(Exception):
    """A value, or a shape, that only MLflow knows how to take."""


def _doubles(cells: Sequence[Any]) -> Array:
    return np.array(cells, dtype=np.float64)


def _floats(cells: Sequence[Any]) -> Array:
    return np.array(cells, dtype=np.float32)


def _longs(cells: Sequence[Any]) -> Array:
    if max(cells) > 2**63 - 1 or min(cells) < -(2**63):
        raise Odd("an integer beyond 64 bits")
    return np.array(cells, dtype=np.int64)


def _integers(cells: Sequence[Any]) -> Array:
    if max(cells) > 2**31 - 1 or min(cells) < -(2**31):
        raise Odd("an integer beyond 32 bits")
    return np.array(cells, dtype=np.int32)


def _booleans(cells: Sequence[Any]) -> Array:
    return np.array(cells, dtype=np.bool_)


def _datetimes(cells: Sequence[Any]) -> Array:
    if not all(map(_DATETIME.fullmatch, cells)):
        raise Odd("not a plain ISO 8601 date")
    if len({(len(cell), cell[10:11]) for cell in cells}) != 1:
        raise Odd("dates in several forms")  # pandas infers the form from the first one
    return np.array(cells, dtype="datetime64[ns]")


def _strings(cells: Sequence[Any]) -> list[Any]:
    return list(cells)


def _binaries(cells: Sequence[Any]) -> list[Any]:
    try:
        return [base64.decodebytes(bytes(cell, "utf8")) for cell in cells]
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Odd("not base64") from error


@dataclass(frozen=True)
class Kind:
    """A scalar type of a signature, and what is taken for it.

    Attributes:
        name: MLflow's name of the type.
        admits: the Python types of the JSON cells it takes.
        convert: cells in any number to a 1-d array, or to a list of Python objects; may raise.
        is_text: it makes a list of objects rather than an array of numbers.
        dtype: of the array, if it takes floats.
        by_column: cells are taken one column at a time, since they must look alike within it.
        samples: groups of three cells that show how MLflow treats this type, for plans to be
            checked on; a group is one column of one request.
        probes: three different cells that most models can predict with.
    """

    name: str
    admits: frozenset[type]
    convert: Callable[[Sequence[Any]], Any]
    samples: tuple[tuple[Any, Any, Any], ...]
    probes: tuple[Any, Any, Any]
    is_text: bool = False
    by_column: bool = False
    dtype: Any = None

    def admitting(self, *types: type) -> Kind:
        """Return this kind taking cells of ``types`` too."""
        return replace(self, admits=self.admits.union(types))

    def take(self, cells: Sequence[Any]) -> Any:
        """Return ``cells``, of one column or several, in the form of the block they go to.

        Raises:
            Odd: MLflow may treat one of them otherwise.
        """
        found = set(map(type, cells))
        if not found <= self.admits:
            raise Odd(f"cells for {self.name} are of types {found}")
        if int in found and float in self.admits:
            whole = [cell for cell in cells if type(cell) is int]
            if max(whole) > _EXACT or min(whole) < -_EXACT:
                raise Odd("an integer that is not exact as a float")
        return self.convert(cells)

    def take_doubles(self, cells: Array) -> Array:
        """Return an array of doubles, which stand for exact integers too.

        Raises:
            Odd: this kind does not take both for floats.
        """
        if not self.takes_doubles:
            raise Odd(f"doubles for {self.name}")
        return cells.astype(self.dtype, copy=False)

    @property
    def takes_doubles(self) -> bool:
        """Whether it takes both floats and integers for floats."""
        return self.admits.issuperset((float, int))

    @property
    def is_float(self) -> bool:
        """Whether it may take integers and nulls, if MLflow agrees."""
        return float in self.admits


_FLOATS = ((1.5, -2.25e-7, 3e30), (0.1, 7.0, -0.0))
_LARGE = ((1.5, -2.25e-7, 3e300), (0.1, 7.0, -0.0))
_CERTAIN = ((1.5, -2.25e-7, 3e18), (0.1, 7.0, -0.0))
_SOME = (0.5, -1.25, 2.75)
_COUNTS = (0, 1, 2)
_DATES = (
    ("2024-02-29T03:04:05", "1999-12-31T23:59:59", "2100-01-01T00:00:00"),
    ("2024-02-29", "1970-01-01", "1701-12-31"),
    ("2024-02-29 03:04:05", "1999-12-31 23:59:59", "2100-01-01 00:00:00"),
    ("2024-02-29T03:04:05.123", "1999-12-31T23:59:59.999", "2199-01-01T00:00:00.000"),
    ("2024-02-29T03:04:05.123456789",) * 3,
)


def _kind(name: str, cell: type, convert: Any, samples: Any, probes: Any, **more: Any) -> Kind:
    return Kind(name, frozenset({cell}), convert, samples, probes, **more)


_TEXT: dict[str, Any] = {"is_text": True, "by_column": True}

KINDS = {
    kind.name: kind
    for kind in (
        _kind("double", float, _doubles, _LARGE, _SOME, dtype=np.float64),
        _kind("float", float, _floats, _FLOATS, _SOME, dtype=np.float32),
        _kind("long", int, _longs, ((0, -(2**40), 2**62 + 1), (1, 0, 1)), _COUNTS),
        _kind("integer", int, _integers, ((0, -7, 2**31 - 1), (1, 0, 1)), _COUNTS),
        _kind("boolean", bool, _booleans, ((True, False, True), (False,) * 3), (True, False, True)),
        _kind(
            "string",
            str,
            _strings,
            (("a", "", "é\n"), ("1", "2.5", "x")),
            ("a", "b", "c d"),
            **_TEXT,
        ),
        _kind("datetime", str, _datetimes, _DATES, _DATES[0], by_column=True),
        _kind(
            "binary",
            str,
            _binaries,
            (("YWJj", "", "AP8="), ("YQ==",) * 3),
            ("YWJj", "YQ==", "Yg=="),
            **_TEXT,
        ),
    )
}
"""Every scalar type of a column signature, strictly: a column of floats takes no integer yet."""


def _certain_doubles(cells: Sequence[Any]) -> Array:
    values = np.array(cells, dtype=np.float64)
    if np.abs(values).max() >= UNCERTAIN:
        raise Odd("maybe an integer, which would not be inferred as a float")
    return values


KIND_OF_JSON = {
    float: replace(KINDS["double"], convert=_certain_doubles, samples=_CERTAIN),
    int: KINDS["long"],
    bool: KINDS["boolean"],
    str: KINDS["string"],
}
"""What pandas infers from cells that are all of one JSON type."""
