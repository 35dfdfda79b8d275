"""A decoded request: what the model will be given, in the cheapest form that can still be joined.

The frame or array itself is built when it is asked for, once per predict and not once per request,
and anew each time, because a model may write into what it is given. One may be built ahead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from itertools import accumulate, chain, repeat
from typing import Any, Final, NamedTuple, Protocol, cast

import numpy as np

from pelton.worker.fastpath.layout import Layout


class Form(Protocol):
    """How cells become a model's input, and how requests of this form are joined by rows."""

    def build(self, cells: Any, rows: int) -> Any:
        """Return the model's input; it shares no memory with ``cells``."""

    def join(self, parts: Sequence[Any]) -> Any:
        """Return the cells of one request with the rows of all ``parts``."""

    def take(self, cells: Any, start: int, stop: int) -> Any:
        """Return the cells of rows ``start`` to ``stop``."""


class Decoded:
    """One request, or several joined. Immutable but for ``build_ahead``, and used by one thread.

    Args:
        form: of the input.
        cells: of the input, in the form's terms; never written to.
        rows: see attributes.
        params: see attributes.
        group: ``None`` if the request cannot be joined with any other.
        unwrapped: see attributes.
        enforce: see attributes.

    Attributes:
        rows: its number of rows; 1 where the input has none.
        params: the request's params, as sent.
        unwrapped: it is a unified LLM request, whose answer has no ``predictions`` around it.
        group: requests may be predicted together only if theirs are equal.
        has_rows: it can be joined with others, and taken apart.
        enforce: MLflow's schema enforcement is still to be done, by ``PyFuncModel.predict``.
    """

    __slots__ = (
        "_built",
        "cells",
        "enforce",
        "form",
        "group",
        "has_rows",
        "params",
        "rows",
        "unwrapped",
    )

    def __init__(
        self,
        form: Form,
        cells: Any,
        rows: int,
        params: Any,
        group: Hashable = None,
        unwrapped: bool = False,
        enforce: bool = False,
    ) -> None:
        self.form = form
        self.cells = cells
        self.rows = rows
        self.params = params
        self.has_rows = group is not None
        self.group = object() if group is None else group
        self.unwrapped = unwrapped
        self.enforce = enforce
        self._built: Any = None

    @property
    def data(self) -> Any:
        """What MLflow would hand to the flavour's predict; a new object each time."""
        if self._built is None:
            return self.form.build(self.cells, self.rows)
        built, self._built = self._built, None
        return built

    def build_ahead(self) -> None:
        """Build the next ``data`` now; it costs memory until it is taken."""
        self._built = self.form.build(self.cells, self.rows)

    def take(self, start: int, stop: int) -> Decoded:
        """Return the request of rows ``start`` to ``stop`` alone."""
        cells = self.form.take(self.cells, start, stop)
        return Decoded(self.form, cells, stop - start, self.params, self.group)


class _Rows(NamedTuple):
    whole: Decoded
    start: int
    rows: int


class Share(_Rows):
    """One of several requests that were decoded together; to be used as ``Decoded`` is.

    Attributes:
        whole: all of them.
        start, rows: which of its rows are this one's.
    """

    __slots__ = ()
    has_rows = True
    unwrapped = False
    enforce = False

    @property
    def alone(self) -> Decoded:
        """The request without the others."""
        return self.whole.take(self.start, self.start + self.rows)

    @property
    def form(self) -> Form:
        """That of all."""
        return self.whole.form

    @property
    def params(self) -> Any:
        """Those of all."""
        return self.whole.params

    @property
    def group(self) -> Hashable:
        """That of all."""
        return self.whole.group

    @property
    def cells(self) -> Any:
        """Its own cells."""
        return self.form.take(self.whole.cells, self.start, self.start + self.rows)

    @property
    def data(self) -> Any:
        """See ``Decoded``."""
        return self.alone.data

    def take(self, start: int, stop: int) -> Decoded:
        """See ``Decoded``."""
        return self.alone.take(start, stop)


def shares_of(whole: Decoded, counts: Sequence[int]) -> list[Share]:
    """Return the requests of ``whole``, which have so many rows each."""
    starts = accumulate(counts, initial=0)
    return list(map(_share, zip(repeat(whole), starts, counts, strict=False)))


# As `Share(...)`, which would go through a function in Python.
_share: Final = cast(
    "Callable[[tuple[Decoded, int, int]], Share]", functools.partial(tuple.__new__, Share)
)


def whole_of(requests: Sequence[Decoded | Share]) -> Decoded | None:
    """Return what ``requests`` are together, if they were decoded together and are all of it."""
    first = requests[0]
    if type(first) is not Share:
        return None
    whole, end = first.whole, 0
    for request in requests:
        if type(request) is not Share or request.whole is not whole or request.start != end:
            return None
        end += request.rows
    return whole if end == whole.rows else None


class Frames:
    """Requests whose input is a frame of ``layout``."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.build = layout.build
        self.join = layout.join
        self.take = layout.take


class Tensors:
    """Requests whose input is one array, or a dict of arrays, with the rows along axis 0.

    Attributes:
        names: of the arrays, in the order of the dict; ``None`` for a single array.
    """

    def __init__(self, names: tuple[str, ...] | None) -> None:
        self.names = names

    def build(self, cells: list[Any], rows: int) -> Any:
        """See ``Form``."""
        del rows
        if self.names is None:
            return np.array(cells[0], order="C")
        return {
            name: np.array(cell, order="C") for name, cell in zip(self.names, cells, strict=True)
        }

    def join(self, parts: Sequence[list[Any]]) -> list[Any]:
        """See ``Form``."""
        return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]

    def take(self, cells: list[Any], start: int, stop: int) -> list[Any]:
        """See ``Form``."""
        return [cell[start:stop] for cell in cells]


class Lists:
    """Requests whose input is a list, one element a row, as a type-hinted predict takes it."""

    def build(self, cells: list[Any], rows: int) -> list[Any]:
        """See ``Form``."""
        del rows
        return _copy(cells)  # type: ignore[no-any-return]

    def join(self, parts: Sequence[list[Any]]) -> list[Any]:
        """See ``Form``."""
        return list(chain.from_iterable(parts))

    def take(self, cells: list[Any], start: int, stop: int) -> list[Any]:
        """See ``Form``."""
        return cells[start:stop]


class Alone:
    """Requests that cannot be joined: their input is any JSON value."""

    def build(self, cells: Any, rows: int) -> Any:
        """See ``Form``."""
        del rows
        return _copy(cells)

    def join(self, parts: Sequence[Any]) -> Any:
        """Raise ``TypeError``."""
        raise TypeError("These requests have no rows to join.")

    def take(self, cells: Any, start: int, stop: int) -> Any:
        """Raise ``TypeError``."""
        raise TypeError("This request has no rows.")


def _copy(value: Any) -> Any:
    """Return a copy of a JSON value: MLflow writes into what it enforces, and so may a model."""
    if type(value) is dict:
        return {key: _copy(member) for key, member in value.items()}
    if type(value) is list:
        return [_copy(member) for member in value]
    return value
