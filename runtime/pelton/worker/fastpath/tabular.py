"""Column signatures, and frames for models without one.

What a table looks like (its form, its columns) is compiled once into a ``Plan`` and checked there
and then against MLflow itself, on samples that hold every kind of value the plan will take. So the
rules of the installed mlflow and pandas are observed, not repeated here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pandas as pd

from pelton.worker.fastpath.cells import KIND_OF_JSON, NULL, Kind, Odd
from pelton.worker.fastpath.decoded import Decoded, Frames
from pelton.worker.fastpath.layout import FrameCells, Layout
from pelton.worker.fastpath.likeness import same_input
from pelton.worker.fastpath.plan import Plan
from pelton.worker.fastpath.skeleton import Skeleton, Skeletons
from pelton.worker.fastpath.table import INPUTS, INSTANCES, RECORDS, SPLIT, JsonTable, TableSamples
from pelton.worker.fastpath.witness import Witness
from pelton_kernels import json_lists

#: Most sets of columns of one endpoint that are compiled; what comes after goes to the oracle.
_MAX_PLANS = 256

#: Below this a single request's list is parsed sooner than the kernel is called.
MANY_BYTES = 2048

#: Cells of float columns that show whether integers, and nulls, are taken for floats.
_WHOLE = (2, -3, 2**53)
_MISSING = (None, None, 1.5)


@dataclass(frozen=True)
class Columns:
    """The columns of a signature.

    Attributes:
        kinds: by label, in order; ``None`` for a type that only MLflow decodes. The labels of an
            unnamed signature are positions.
        required: the labels that must be there.
        are_named: the columns have names.
    """

    kinds: Mapping[Any, Kind | None]
    required: frozenset[Any]
    are_named: bool


class Tables:
    """Decodes tables for one model. Thread-safe: plans are only ever added.

    Args:
        columns: the signature; ``None`` if the model has none.
        witness: what MLflow does.
    """

    def __init__(self, columns: Columns | None, witness: Witness) -> None:
        self._columns = columns
        self._witness = witness
        self._has_text = columns is None or any(
            kind is not None and kind.is_text for kind in columns.kinds.values()
        )
        self._last_labels: tuple[str, ...] = ()
        self._skeletons = Skeletons()
        self._plans: dict[Any, Plan | None] = {}
        self._layouts: dict[Any, Layout] = {}
        self._forms: dict[Layout, Frames] = {}

    @property
    def takes_floats(self) -> bool:
        """Whether every column is of floats, so that a table may be an array of them."""
        return self._columns is not None and all(
            kind is not None and kind.is_float for kind in self._columns.kinds.values()
        )

    def decode(
        self, key: str, value: Any, body: Any, *, learns: bool
    ) -> tuple[Frames, FrameCells, int]:
        """Return form, cells and rows of the table ``value``, which stands under ``key``.

        Args:
            key: where it stands.
            value: of any type.
            body: the request.
            learns: what stands around its rows is worth remembering; nothing is beside it.

        Raises:
            Odd: MLflow must be asked. Any other exception means the same.
        """
        if self._has_text and key in (INPUTS, INSTANCES) and b"\\u0000" in bytes(body):
            raise Odd("numpy strips NUL characters")
        table = JsonTable.read(key, value, self._last_labels)
        plan = self._plan(table)
        if plan is None:
            raise Odd("a table that MLflow refuses, or that is decoded otherwise")
        cells, rows = plan.cells(table)
        self._last_labels = table.labels or ()
        if key == SPLIT and learns and self._columns is not None:
            around = {SPLIT: {**value, "data": None}}
            self._skeletons.learn(body, b'"data"', around, (plan, value.get("index")))
        return plan.form, cells, rows

    def decode_known(self, body: Any) -> tuple[Frames, FrameCells, int] | None:
        """Do the same for a request that differs from an earlier one in its rows alone.

        ``None`` if it is none, or has to be parsed as a whole.

        Raises:
            Odd: MLflow must be asked. Any other exception means the same.
        """
        known = self._skeletons.around(body)
        if known is None:
            return None
        plan, index = known.about
        if plan.takes_doubles and len(body) >= MANY_BYTES:
            found = _rows_in([body], known)
            if found is not None:
                return plan.form, *plan.cells_of(found[0], index)
        rows = known.list_in(body)
        if type(rows) is not list or set(map(type, rows)) != {list}:
            return None
        return plan.form, *plan.cells_of(rows, index)

    def decode_together(self, bodies: Sequence[Any]) -> tuple[Decoded, list[int]] | None:
        """Return the tables in ``bodies`` below each other, and how many rows each has.

        ``None`` if they do not differ in their rows alone, or those depend on each other.

        Raises:
            Odd: they have to be decoded one by one. Any other exception means the same.
        """
        known = self._skeletons.around(bodies[0])
        if known is None:
            return None
        plan, index = known.about
        if index is not None or not plan.is_joinable:
            return None
        if plan.takes_doubles:
            found = _rows_in(bodies, known)
            if found is not None:
                cells, count = plan.cells_of(found[0])
                return decoded(plan.form, cells, count, None), found[1]
        tables = self._skeletons.lists_in(bodies, known)
        if tables is None or set(map(type, tables)) != {list}:
            return None
        counts = list(map(len, tables))
        rows = list(chain.from_iterable(tables))
        if not all(counts) or set(map(type, rows)) != {list}:
            return None
        cells, count = plan.cells_of(rows)
        return decoded(plan.form, cells, count, None), counts

    def samples(self) -> list[bytes]:
        """Return a request for each form of table that MLflow takes; none without a signature."""
        if self._columns is None:
            return []
        kinds = {name: kind for name, kind in self._columns.kinds.items() if kind is not None}
        if not self._columns.required.issubset(kinds):
            return []
        fewest = {name: kind for name, kind in kinds.items() if name in self._columns.required}
        return [
            TableSamples(table, list(some.values())).probe()
            for some in ([kinds] if fewest in ({}, kinds) else [kinds, fewest])
            for table in _forms(tuple(some) if self._columns.are_named else None, len(some))
        ]

    def _plan(self, table: JsonTable) -> Plan | None:
        known: Any = table[:3]
        if self._columns is None:  # the first row stands for the signature
            known += (tuple(map(type, table.first())),)
        try:
            return self._plans[known]
        except KeyError:
            pass
        if len(self._plans) >= _MAX_PLANS:
            return None
        kinds = self._kinds_of(table)
        plan = None if kinds is None else self._compile(table, kinds)
        self._plans[known] = plan
        return plan

    def _kinds_of(self, table: JsonTable) -> Sequence[Kind | None] | None:
        """Return the kind of each column, ``None`` for one that MLflow drops."""
        labels = table.labels
        if labels is not None and len(set(labels)) != len(labels):
            return None
        if self._columns is None:
            inferred = [KIND_OF_JSON.get(type(cell)) for cell in table.first()]
            return None if None in inferred else inferred
        known = self._columns.kinds
        if table.shape == "column":
            names: Sequence[Any] = list(known)
            if len(names) != 1:
                return None
        elif self._columns.are_named != (labels is not None):
            return None
        else:
            names = range(len(table.first())) if labels is None else labels
        if not self._columns.required.issubset(names):
            return None
        if any(name in known and known[name] is None for name in names):
            return None
        kinds = [known.get(name) for name in names]
        if table.key in (INPUTS, INSTANCES) and (
            None in kinds or any(kind is not None and kind.name == "binary" for kind in kinds)
        ):
            return None
        return kinds if any(kinds) else None

    def _compile(self, table: JsonTable, kinds: Sequence[Kind | None]) -> Plan | None:
        """Return a plan that agrees with MLflow on all samples; ``None`` if there is none."""
        samples = TableSamples(table, kinds)
        frame = self._look(samples.body(0, samples.counts[-1]))
        if frame is None:
            return None
        layout = Layout.of(frame, self._layouts)
        form = self._forms.setdefault(layout, Frames(layout))
        found = _order(layout, table.labels, kinds)
        if found is None:
            return None
        order, by_block = found

        def plan(*types: type) -> Plan:
            wider = [
                [kind.admitting(*types) if kind.is_float else kind for kind in block]
                for block in by_block
            ]
            return Plan(table, len(kinds), order, wider, form)

        made = plan()
        for turn in range(samples.turns):
            count = samples.counts[-1 if turn % 2 == 0 else 0]
            if not self._agrees(made, samples.body(turn, count)):
                return None
        if self._columns is not None:  # else it is for pandas to infer what mixed columns are
            types: list[type] = []
            for cell, floats in ((int, _WHOLE), (NULL, _MISSING)):
                bodies = [samples.body(0, count, floats=floats) for count in samples.counts]
                if all(self._agrees(plan(*types, cell), body) for body in bodies):
                    types.append(cell)
            made = plan(*types)
        if table.key == SPLIT:
            made.takes_index = True
            made.takes_index = self._agrees(made, samples.body(0, 3, index=[7, -3, 7]))
        return made

    def _agrees(self, plan: Plan, body: bytes) -> bool:
        """Return whether ``plan`` makes of ``body`` what MLflow makes of it."""
        expected = self._look(body)
        ((key, value),) = json.loads(body).items()
        try:
            cells, rows = plan.cells(JsonTable.read(key, value))
        except Exception:  # the sample does not fit the plan, whatever the reason
            return False
        return expected is not None and same_input(plan.form.build(cells, rows), expected)

    def _look(self, body: bytes) -> pd.DataFrame | None:
        """Return the frame MLflow makes of ``body``."""
        handed = self._witness.look(body)
        if handed is None or type(handed.data) is not pd.DataFrame:
            return None
        return handed.data


def _rows_in(bodies: Sequence[bytes], known: Skeleton) -> tuple[Any, list[int]] | None:
    """Return the rows of numbers in ``bodies`` as a matrix, and how many each has."""
    found = json_lists.read_several(bodies, known.prefix, known.suffix)
    return None if found is None or found[0].ndim != 2 else found


def decoded(form: Frames, cells: FrameCells, rows: int, params: Any) -> Decoded:
    """Return the request of a table; those with the same columns and params may go together."""
    is_regular = cells.index is None or list(cells.index) == list(range(rows))
    group = (form, cells.index is None, repr(params)) if is_regular else None
    return Decoded(form, cells, rows, params, group)


def _forms(labels: tuple[str, ...] | None, width: int) -> Iterator[JsonTable]:
    """Yield every form of table with these columns; MLflow may refuse some."""
    yield JsonTable(SPLIT, "rows", labels, None)
    if labels is None:
        yield JsonTable(INPUTS, "rows", None, None)
        yield JsonTable(INSTANCES, "rows", None, None)
    else:
        yield JsonTable(RECORDS, "records", labels, None)
        for key in (INPUTS, INSTANCES):
            for shape in ("columns", "records", "row"):
                yield JsonTable(key, shape, labels, None)
    if width == 1:
        yield JsonTable(INPUTS, "column", None, None)
        yield JsonTable(INSTANCES, "column", None, None)


def _order(
    layout: Layout, labels: tuple[str, ...] | None, kinds: Sequence[Kind | None]
) -> tuple[tuple[int, ...], list[list[Kind]]] | None:
    """Return where the columns of the layout are in the table, and their kinds by block."""
    names = list(layout.columns)
    where = None if labels is None else {name: place for place, name in enumerate(labels)}
    order: list[int] = []
    by_block: list[list[Kind]] = []
    for block in layout.blocks:
        found: list[Kind] = []
        for at in block.places.tolist():
            place = at if where is None else where.get(names[at], -1)
            kind = kinds[place] if 0 <= place < len(kinds) else None
            if kind is None:
                return None
            order.append(place)
            found.append(kind)
        if not found[0].is_text and len({kind.name for kind in found}) != 1:
            return None
        if len({kind.is_text for kind in found}) != 1:
            return None
        by_block.append(found)
    return tuple(order), by_block
