"""The forms in which MLflow takes a table: what each looks like, and samples of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pelton.worker.fastpath.cells import Kind, Odd

SPLIT, RECORDS, INPUTS, INSTANCES = "dataframe_split", "dataframe_records", "inputs", "instances"


_MATRIX_SHAPES = {1: "column", 2: "rows"}


class JsonTable(NamedTuple):
    """A table as it stands in a request.

    Attributes:
        key: the one it stands under.
        shape: "rows" (lists), "records" (objects), "columns" (an object of lists), "row" (an
            object of cells) or "column" (a list of cells).
        labels: of its columns, in order; ``None`` if it names none.
        content: what ``shape`` says; rows may also be a matrix of doubles, which stand for
            integers too.
        index: labels of its rows, unchecked; ``None`` if it has none.
    """

    key: str
    shape: str
    labels: tuple[str, ...] | None
    content: Any
    index: Any = None

    @classmethod
    def read(cls, key: str, value: Any, last: tuple[str, ...] = ()) -> JsonTable:
        """Return the table ``value`` that stands under ``key``.

        Args:
            key: one of the four.
            value: of any type.
            last: labels that are likely, which makes it faster.

        Raises:
            Odd: it is none, or one that only MLflow reads. Any other exception means the same.
        """
        if key == SPLIT:
            return cls._read_split(value, last)
        if type(value) is dict:
            first = next(iter(value.values()))
            return cls(key, "columns" if type(first) is list else "row", tuple(value), value)
        if type(value) is np.ndarray:
            return cls(key, _MATRIX_SHAPES[value.ndim], None, value)
        if type(value) is not list:
            raise Odd("a bare value")
        first = value[0]
        if type(first) is dict:
            if set(map(type, value)) != {dict}:
                raise Odd("records among others")
            return cls(key, "records", tuple(first), value)
        if key == RECORDS:
            raise Odd("records that are no objects")
        if type(first) is list:
            if set(map(type, value)) != {list}:
                raise Odd("rows among others")
            return cls(key, "rows", None, value)
        return cls(key, "column", None, value)

    @classmethod
    def _read_split(cls, value: Any, last: tuple[str, ...]) -> JsonTable:
        if not value.keys() <= {"columns", "data", "index"}:
            raise Odd("unknown keys")
        labels, rows = value.get("columns"), value["data"]
        if labels is not None:
            if type(labels) is not list:
                raise Odd("labels that are no list")
            labels = tuple(labels)
            if labels == last:
                labels = last  # with hashes known
            elif set(map(type, labels)) != {str}:
                raise Odd("labels that are no strings")
        if type(rows) is np.ndarray:
            if rows.ndim != 2:
                raise Odd("rows that are no lists")
        elif type(rows) is not list or set(map(type, rows)) != {list}:
            raise Odd("rows that are no lists")
        return cls(SPLIT, "rows", labels, rows, value.get("index"))

    def first(self) -> Sequence[Any]:
        """Return the cells of the first row."""
        content: Any = self.content
        if self.shape == "rows":
            return list(content[0])
        if self.shape == "records":
            return list(content[0].values())
        if self.shape == "columns":
            return [column[0] for column in content.values()]
        if self.shape == "row":
            return list(content.values())
        return list(content[:1])


class TableSamples:
    """Requests that show how MLflow treats the form of ``table`` with columns of ``kinds``.

    Attributes:
        turns: number of different samples.
        counts: numbers of rows it comes in, smallest first.
    """

    def __init__(self, table: JsonTable, kinds: Sequence[Kind | None]) -> None:
        self._table = table
        self._kinds = kinds
        self.turns = max(len(kind.samples) for kind in kinds if kind is not None)
        self.counts = (1,) if table.shape == "row" else (1, 3)

    def body(
        self, turn: int, count: int, floats: Sequence[Any] | None = None, index: Any = None
    ) -> bytes:
        """Return a request of ``count`` rows; ``floats`` replaces the cells of float columns."""
        columns: list[Any] = []
        for place, kind in enumerate(self._kinds):
            if kind is None:
                column: Sequence[Any] = (1, "x", None)
            elif kind.is_float and floats is not None:
                column = floats
            else:
                column = kind.samples[turn % len(kind.samples)]
            # No two columns alike, or a mix-up would go unseen.
            shift = place % 3 if floats is None else 0
            columns.append([*column[shift:], *column[:shift]][:count])
        return json.dumps({self._table.key: self._value(columns, index)}).encode()

    def probe(self) -> bytes:
        """Return a request that most models can predict with."""
        count = self.counts[-1]
        columns = [list((kind.probes if kind else (1, 2, 3))[:count]) for kind in self._kinds]
        return json.dumps({self._table.key: self._value(columns, None)}).encode()

    def _value(self, columns: list[Any], index: Any) -> Any:
        key, shape, labels, *_ = self._table
        rows = [list(row) for row in zip(*columns, strict=True)]
        if key == SPLIT:
            value: dict[str, Any] = {"data": rows}
            if labels is not None:
                value["columns"] = labels
            if index is not None:
                value["index"] = index
            return value
        if labels is None:
            return rows if shape == "rows" else columns[0]
        if shape == "columns":
            return dict(zip(labels, columns, strict=True))
        records = [dict(zip(labels, row, strict=True)) for row in rows]
        return records if shape == "records" else records[0]
