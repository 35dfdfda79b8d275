"""Bodies that differ in their rows alone: what stands around the rows is parsed once.

JSON is context-free: if ``prefix + null + suffix`` is a document with ``null`` in some place, then
``prefix + value + suffix`` is the same document with ``value`` there, whatever JSON value it is. So
a body that begins and ends as an earlier one did need only have its rows parsed.

And ``[a, "mark", b]`` is an array of three with the mark in the middle only if ``a`` and ``b`` are
one JSON value each, given that who wrote them does not know the mark: in what ``a`` left open the
mark would be inside, and what it closed too early would not be the end. So the rows of several
bodies are parsed as one document.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

from pelton.worker.fastpath.decoded import Frames
from pelton.worker.fastpath.document import parse
from pelton.worker.fastpath.layout import FrameCells
from pelton.worker.fastpath.plan import Plan
from pelton.worker.fastpath.table import SPLIT
from pelton_kernels import json_lists

_MAX_KNOWN = 8
_MAX_TRIES = 64  # a client with something new around its rows each time is not worth more
_HOLE = b"null"

#: Below this a single request's rows are parsed sooner than the kernel is called.
_MANY_BYTES = 2048


class Skeleton(NamedTuple):
    """What is around the rows of a request.

    Attributes:
        prefix, suffix: its bytes.
        plan: what makes cells of the rows.
        index: their labels; ``None`` if it has none.
    """

    prefix: bytes
    suffix: bytes
    plan: Plan
    index: Any


class Skeletons:
    """Those of one model's ``dataframe_split`` requests. Thread-safe."""

    def __init__(self) -> None:
        self._known: tuple[Skeleton, ...] = ()
        self._tries_left = _MAX_TRIES
        self._mark = f"m{secrets.token_hex(16)}"  # no number if its quotation marks are taken off
        self._between = f',"{self._mark}",'.encode()

    def cells(self, body: Any) -> tuple[Frames, FrameCells, int] | None:
        """Return form, cells and rows of the table in ``body``; ``None`` if it has to be parsed.

        Raises:
            Odd: MLflow must be asked. Any other exception means the same.
        """
        known = self._around(body)
        if known is None:
            return None
        prefix, suffix, plan, index = known
        if plan.takes_doubles and len(body) >= _MANY_BYTES:
            found = json_lists.read_rows([body], prefix, suffix)
            if found is not None:
                return plan.form, *plan.cells_of(found[0], index)
        rows = parse(body[len(prefix) : len(body) - len(suffix)])
        if type(rows) is not list or set(map(type, rows)) != {list}:
            return None
        return plan.form, *plan.cells_of(rows, index)

    def cells_together(self, bodies: Sequence[Any]) -> tuple[Frames, FrameCells, list[int]] | None:
        """Return form, cells and each one's rows of the tables in ``bodies``, below each other.

        ``None`` if they are not all known and alike, or their cells not independent of each other.

        Raises:
            Odd: they have to be decoded one by one. Any other exception means the same.
        """
        known = self._around(bodies[0])
        if known is None or known.index is not None or not known.plan.is_joinable:
            return None
        prefix, suffix, plan, _ = known
        if plan.takes_doubles:
            found = json_lists.read_rows(bodies, prefix, suffix)
            if found is not None:
                return plan.form, plan.cells_of(found[0])[0], found[1]
        begin, tail = len(prefix), len(suffix)
        pieces = []
        for body in bodies:
            if type(body) is not bytes or not (body.startswith(prefix) and body.endswith(suffix)):
                return None
            pieces.append(body[begin : len(body) - tail])
        document = parse(b"[" + self._between.join(pieces) + b"]")
        tables, marks = document[::2], document[1::2]
        if len(tables) != len(bodies) or marks != [self._mark] * (len(bodies) - 1):
            return None
        if set(map(type, tables)) != {list}:
            return None
        counts = list(map(len, tables))
        rows = list(chain.from_iterable(tables))
        if not all(counts) or set(map(type, rows)) != {list}:
            return None
        cells, _ = plan.cells_of(rows)
        return plan.form, cells, counts

    def _around(self, body: Any) -> Skeleton | None:
        if type(body) is bytes:
            for known in self._known:
                if body.startswith(known.prefix) and body.endswith(known.suffix):
                    return known
        return None

    def learn(self, body: Any, value: dict[str, Any], plan: Plan) -> None:
        """Remember what is around the rows in ``body``, which was decoded by ``plan``.

        Args:
            body: the request.
            value: what it has under ``dataframe_split``, and nothing beside.
            plan: that of the table, for good.
        """
        if type(body) is not bytes or self._tries_left <= 0:
            return
        self._tries_left -= 1
        start = body.find(b"[", body.rfind(b'"data"'))
        end = body.rfind(b"]") + 1
        prefix, suffix = body[:start], body[end:]
        if not 0 < start < end or not _is_around(prefix, suffix, value):
            return
        found = Skeleton(prefix, suffix, plan, value.get("index"))
        self._known = (found, *self._known[: _MAX_KNOWN - 1])


def _is_around(prefix: bytes, suffix: bytes, value: dict[str, Any]) -> bool:
    try:
        return bool(parse(prefix + _HOLE + suffix) == {SPLIT: {**value, "data": None}})
    except ValueError:  # what looked like the rows is something else
        return False
