"""How one form of table, with one set of columns, becomes the cells of a layout."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

from pelton.worker.fastpath.cells import NULL, Array, Kind, Odd
from pelton.worker.fastpath.decoded import Frames
from pelton.worker.fastpath.layout import FrameCells
from pelton.worker.fastpath.table import JsonTable

_SCALARS = frozenset({int, float, str, bool, NULL})


class Plan:
    """Turns tables that look like ``example`` into cells. Immutable once checked.

    Args:
        example: a table of the form.
        width: number of its columns.
        order: where in the table the columns are, in the order of the layout's blocks; those it
            leaves out are dropped.
        kinds: of the columns, for each block of the layout.
        form: of the frames.

    Attributes:
        takes_index: an explicit index of integers has been checked too.
        is_joinable: its cells are the same whichever rows they come with.
        takes_doubles: they may come as a matrix of doubles, which stand for integers too.
    """

    def __init__(
        self,
        example: JsonTable,
        width: int,
        order: tuple[int, ...],
        kinds: Sequence[Sequence[Kind]],
        form: Frames,
    ) -> None:
        self.form = form
        self.takes_index = False
        self._shape = example.shape
        self._width = width
        self._kinds = kinds
        self._ends: list[int] = np.cumsum([len(block) for block in kinds]).tolist()
        self._order = list(order)
        self._has_extra = len(order) != width
        labels = None if example.shape == "rows" else example.labels
        self._keys: list[Any] = [labels[place] for place in order] if labels else list(order)
        get: Any = itemgetter(*self._keys)
        self._pick = get if len(order) > 1 else lambda row: (get(row),)
        self._is_straight = example.shape == "rows" and order == tuple(range(width))
        self._one = kinds[0][0] if len(kinds) == 1 and not kinds[0][0].is_text else None
        self.is_joinable = self._one is not None and example.shape == "rows"
        self.takes_doubles = self.is_joinable and self._one is not None and self._one.takes_doubles

    def cells(self, table: JsonTable) -> tuple[FrameCells, int]:
        """Return the cells of ``table`` and its number of rows.

        Raises:
            Odd: it holds something the plan has not been checked for. Any other exception means
                the same.
        """
        return self.cells_of(table.content, table.index)

    def cells_of(self, content: Any, index: Any = None) -> tuple[FrameCells, int]:
        """Do the same for the parts of a table that is like the example."""
        if type(content) is np.ndarray:
            blocks, count = self._from_matrix(content), len(content)
        elif self._shape == "columns":
            blocks, count = self._from_columns(content)
        elif self._shape == "column":
            blocks, count = [self._block(0, content, len(content))], len(content)
        else:
            rows = [content] if self._shape == "row" else content
            blocks, count = self._from_rows(rows), len(rows)
        if index is not None and (
            not self.takes_index or len(index) != count or set(map(type, index)) != {int}
        ):
            raise Odd("an unusual index")
        return FrameCells(blocks, index), count

    def _from_rows(self, rows: Sequence[Any]) -> list[Any]:
        count = len(rows)
        if count == 1 and self._is_straight and self._one is not None:  # most requests
            if len(rows[0]) != self._width or self._has_extra:
                raise Odd("a row of another length")
            return [self._one.take(rows[0]).reshape(-1, 1)]
        if set(map(len, rows)) != {self._width}:
            raise Odd("rows of several lengths")
        if self._has_extra:
            _check_scalar(rows)
        if not self._is_straight:
            rows = list(map(self._pick, rows))
        if self._one is not None:
            flat = rows[0] if count == 1 else list(chain.from_iterable(rows))
            return [self._one.take(flat).reshape(count, -1).T]
        columns = None if count == 1 else list(zip(*rows, strict=True))
        blocks, start = [], 0
        for place, end in enumerate(self._ends):
            if columns is None:
                flat = rows[0][start:end]
            else:
                flat = list(chain.from_iterable(columns[start:end]))
            blocks.append(self._block(place, flat, count))
            start = end
        return blocks

    def _from_matrix(self, matrix: Array) -> list[Any]:
        """Return the block of a (rows, columns) matrix, or of one column, of doubles."""
        if self._one is None or matrix.size != len(matrix) * self._width:
            raise Odd("a matrix for columns of other kinds, or other columns")
        columns = matrix.reshape(len(matrix), -1).T
        return [self._one.take_doubles(columns if self._is_straight else columns[self._order])]

    def _from_columns(self, content: dict[str, list[Any]]) -> tuple[list[Any], int]:
        columns = [content[key] for key in self._keys]
        count = len(columns[0])
        if set(map(type, columns)) != {list} or set(map(len, columns)) != {count} or not count:
            raise Odd("columns of several lengths")
        if len(content) != self._width or self._has_extra:
            raise Odd("columns that are not in the signature")
        blocks, start = [], 0
        for place, end in enumerate(self._ends):
            flat = list(chain.from_iterable(columns[start:end]))
            blocks.append(self._block(place, flat, count))
            start = end
        return blocks, count

    def _block(self, place: int, flat: Sequence[Any], count: int) -> Any:
        """Return the block ``place`` of cells that come column after column."""
        kinds = self._kinds[place]
        if not kinds[0].by_column:
            return kinds[0].take(flat).reshape(len(kinds), count)
        columns = [kind.take(flat[at * count : (at + 1) * count]) for at, kind in enumerate(kinds)]
        return columns if kinds[0].is_text else np.array(columns)


def _check_scalar(rows: Sequence[Any]) -> None:
    """Columns that MLflow drops must not break its parsing either."""
    for row in rows:
        cells = row.values() if type(row) is dict else row
        if not set(map(type, cells)) <= _SCALARS:
            raise Odd("a nested value")
