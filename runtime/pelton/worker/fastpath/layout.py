"""The memory layout of a frame, copied from one that MLflow made, and frames built straight to it.

MLflow's frame after schema enforcement has one C-contiguous (columns, rows) block per NumPy dtype
and an array of its own per string column. Building those blocks costs a few microseconds; the
public constructors of pandas need a hundred times as long to arrive at the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

try:  # public since pandas 3.0
    from pandas.api.internals import create_dataframe_from_blocks
except ImportError:  # the same function, from what pandas 1.5 to 2.3 have inside
    from pandas.core.internals.blocks import (
        ensure_block_shape,
        get_block_type,
        maybe_coerce_values,
    )
    from pandas.core.internals.managers import BlockManager

    try:
        from pandas._libs.internals import BlockPlacement
    except ImportError:  # pragma: no cover
        from pandas.core.internals import BlockPlacement

    def create_dataframe_from_blocks(
        blocks: list[tuple[Any, npt.NDArray[Any]]], index: pd.Index, columns: pd.Index
    ) -> pd.DataFrame:
        """Return the frame of ``blocks``, pairs of values and placement."""
        made = []
        for values, placement in blocks:
            coerced = ensure_block_shape(maybe_coerce_values(values), 2)
            block_type = get_block_type(coerced.dtype)
            made.append(block_type(coerced, ndim=2, placement=BlockPlacement(placement)))
        manager = BlockManager(made, [columns, index])
        if hasattr(pd.DataFrame, "_from_mgr"):
            return pd.DataFrame._from_mgr(manager, manager.axes)
        return pd.DataFrame(manager)


class Block(NamedTuple):
    """One block of a frame.

    Attributes:
        places: where its columns are in the frame.
        dtype: of its values.
        array_type: the pandas array of a block that is no NumPy array; it has one column.
    """

    places: npt.NDArray[np.intp]
    dtype: Any
    array_type: Any


class FrameCells:
    """The cells of a frame that has not been built yet. Immutable.

    Attributes:
        blocks: for each block of the layout either a (columns, rows) array, or one list of Python
            objects per column.
        index: the labels of the rows; ``None`` for the default range.
    """

    __slots__ = ("blocks", "index")

    def __init__(self, blocks: list[Any], index: Sequence[int] | None = None) -> None:
        self.blocks = blocks
        self.index = index


class Layout:
    """The layout of one frame. Compared by identity: ``of`` gives the same for the same layout.

    Attributes:
        columns: the labels; an index of its own, never given away (a model may rename it).
        blocks: in the order of the frame.
    """

    def __init__(self, columns: pd.Index, blocks: tuple[Block, ...]) -> None:
        self.columns = columns
        self.blocks = blocks

    @classmethod
    def of(cls, frame: pd.DataFrame, known: dict[Any, Layout]) -> Layout:
        """Return the layout of ``frame``, the one in ``known`` if it is there already."""
        blocks = tuple(
            Block(
                block.mgr_locs.as_array.copy(),
                block.values.dtype,
                None
                if isinstance(block.values, np.ndarray) or block.values.dtype.kind == "M"
                else type(block.values),
            )
            for block in frame._mgr.blocks
        )
        labels = frame.columns
        key = (
            type(labels),
            str(labels.dtype),
            tuple(labels),
            tuple((*block.places.tolist(), str(block.dtype)) for block in blocks),
        )
        return known.setdefault(key, cls(labels.copy(), blocks))

    def build(self, table: FrameCells, rows: int) -> pd.DataFrame:
        """Return a new frame of ``table``; it shares no memory with it."""
        blocks = []
        for block, cells in zip(self.blocks, table.blocks, strict=True):
            if block.array_type is not None:
                values = block.array_type._from_sequence(cells[0], dtype=block.dtype)
            elif isinstance(cells, list):
                values = np.empty((len(cells), rows), dtype=object)
                for place, column in enumerate(cells):
                    values[place] = column
            else:
                values = np.array(cells, order="C")
            blocks.append((values, block.places))
        index = pd.RangeIndex(rows) if table.index is None else pd.Index(list(table.index))
        return create_dataframe_from_blocks(blocks, index, self.columns.view())

    def join(self, tables: Sequence[FrameCells]) -> FrameCells:
        """Return the rows of ``tables`` below each other, with a default index of the same kind."""
        blocks: list[Any] = []
        for parts in zip(*(table.blocks for table in tables), strict=True):
            if isinstance(parts[0], list):
                blocks.append(
                    [list(chain.from_iterable(columns)) for columns in zip(*parts, strict=True)]
                )
            else:
                blocks.append(np.concatenate(parts, axis=1))
        rows = sum(self._rows(table) for table in tables)
        return FrameCells(blocks, None if tables[0].index is None else range(rows))

    def take(self, table: FrameCells, start: int, stop: int) -> FrameCells:
        """Return rows ``start`` to ``stop`` of ``table``, with a default index of the same kind."""
        blocks = [
            [column[start:stop] for column in cells]
            if isinstance(cells, list)
            else cells[:, start:stop]
            for cells in table.blocks
        ]
        return FrameCells(blocks, None if table.index is None else range(stop - start))

    @staticmethod
    def _rows(table: FrameCells) -> int:
        cells = table.blocks[0]
        return len(cells[0]) if isinstance(cells, list) else int(cells.shape[1])
