"""Tensor signatures, and arrays for models without one: nested JSON lists to NumPy arrays.

As with tables, what MLflow makes of a form is observed on samples before the form is decoded here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pelton.worker.fastpath.cells import KIND_OF_JSON, KINDS, Kind, Odd
from pelton.worker.fastpath.decoded import Decoded, Tensors
from pelton.worker.fastpath.likeness import same_input
from pelton.worker.fastpath.skeleton import Skeletons
from pelton.worker.fastpath.witness import Witness
from pelton_kernels import json_lists

Array = npt.NDArray[Any]

INPUTS, INSTANCES = "inputs", "instances"
_MAX_DIMENSIONS = 8


class TensorSpec(NamedTuple):
    """One tensor of a signature.

    Attributes:
        name: ``None`` in an unnamed signature.
        dtype: of the array.
        shape: -1 where any length is fine.
    """

    name: str | None
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class Arrays:
    """Decodes tensors for one model.

    Args:
        specs: the signature's.
        witness: what MLflow does.
    """

    def __init__(self, specs: Sequence[TensorSpec], witness: Witness) -> None:
        self._specs = list(specs)
        self._witness = witness
        names = tuple(spec.name for spec in specs if spec.name is not None)
        self._form = Tensors(names or None)
        self._names = names
        self._kinds = [_kind(spec.dtype) for spec in specs]
        self._checked: dict[tuple[str, str], bool] = {}
        self._skeletons = Skeletons()

    @property
    def takes_floats(self) -> bool:
        """Whether the input is one array of floats."""
        return len(self._kinds) == 1 and self._kinds[0] is not None and self._kinds[0].is_float

    def decode(
        self, key: str, value: Any, body: Any, *, learns: bool
    ) -> tuple[Tensors, list[Array], int]:
        """Return form, cells and rows of the tensors ``value``, which stands under ``key``.

        Args:
            key: where they stand.
            value: of any type.
            body: the request.
            learns: what stands around a list of floats is worth remembering; nothing is beside it.

        Raises:
            Odd: MLflow must be asked. Any other exception means the same.
        """
        shape = _shape(value, bool(self._names))
        known = (key, shape)
        if known not in self._checked:
            self._checked[known] = self._check(key, shape)
        if not self._checked[known]:
            raise Odd("a form that MLflow refuses")
        found = self._read(shape, value)
        if learns and shape == "bare" and self.takes_floats:
            self._skeletons.learn(body, f'"{key}"'.encode(), {key: None}, None)
        return found

    def decode_together(self, bodies: Sequence[Any]) -> tuple[Decoded, list[int]] | None:
        """Return the tensors in ``bodies`` one after the other, and how many rows each has.

        ``None`` if they do not differ in one list of floats alone, or its length is not free.

        Raises:
            Odd: they have to be decoded one by one. Any other exception means the same.
        """
        known = self._skeletons.around(bodies[0])
        if known is None or self._specs[0].shape[0] != -1:
            return None
        found = json_lists.read_several(bodies, known.prefix, known.suffix)
        if found is None:
            return None
        array = _array(self._kinds[0], self._specs[0], found[0])
        return decoded(self._form, [array], len(array), None), found[1]

    def _read(self, shape: str, value: Any) -> tuple[Tensors, list[Array], int]:
        if shape == "named":
            if len(value) != len(self._specs):
                raise Odd("tensors that are not in the signature")
            values = [value[name] for name in self._names]
        elif shape == "records":
            if {len(record) for record in value} != {len(self._specs)}:
                raise Odd("tensors that are not in the signature")
            values = [[record[name] for record in value] for name in self._names]
        else:
            values = [value]
            if len(self._specs) != 1:
                raise Odd("a bare list for several tensors")
        cells = [
            _array(kind, spec, nested)
            for kind, spec, nested in zip(self._kinds, self._specs, values, strict=True)
        ]
        return self._form, cells, len(cells[0])

    def _check(self, key: str, shape: str) -> bool:
        """Return whether this form is decoded as MLflow decodes it."""
        if None in self._kinds:
            return False
        for turn in (0, 1):
            for count in (1, 2):
                body = self._sample(key, shape, turn, count)
                handed = self._witness.look(body)
                if handed is None:
                    if all(spec.shape[0] in (-1, count) for spec in self._specs):
                        return False
                    continue
                try:
                    form, cells, rows = self._read(shape, json.loads(body)[key])
                except Exception:  # the sample does not fit, whatever the reason
                    return False
                if not same_input(form.build(cells, rows), handed.data):
                    return False
        return True

    def samples(self) -> list[bytes]:
        """Return a request for each form of tensor that MLflow takes."""
        if None in self._kinds:
            return []
        shapes = ("named", "records") if self._names else ("bare",)
        return [
            self._sample(key, shape, None, 3) for shape in shapes for key in (INPUTS, INSTANCES)
        ]

    def _sample(self, key: str, shape: str, turn: int | None, count: int) -> bytes:
        """Return a request of ``count`` rows, of tame values if ``turn`` is ``None``."""
        tensors: list[Any] = []
        for spec, kind in zip(self._specs, self._kinds, strict=True):
            assert kind is not None
            lengths = [count if spec.shape[0] == -1 else spec.shape[0]]
            lengths += [2 if length == -1 else length for length in spec.shape[1:]]
            cells = kind.probes if turn is None else kind.samples[turn % len(kind.samples)]
            # One more than the samples have, so that no two rows are alike.
            size = int(np.prod(lengths))
            flat = np.resize(np.array([*cells, cells[0]], dtype=object), size + len(lengths))
            tensors.append(flat[len(tensors) :][:size].reshape(lengths).tolist())
        value: Any = tensors[0]
        if shape == "named":
            value = dict(zip(self._names, tensors, strict=True))
        elif shape == "records":
            value = [
                dict(zip(self._names, row, strict=True)) for row in zip(*tensors, strict=False)
            ]
        return json.dumps({key: value}).encode()


def decoded(form: Tensors, arrays: list[Any], rows: int, params: Any) -> Decoded:
    """Return the request of tensors; those of one shape and with the same params may go together.

    They may not if their rows are not along axis 0 of each.
    """
    is_aligned = {len(array) for array in arrays} == {rows}
    shapes = tuple((array.dtype.str, array.shape[1:]) for array in arrays)
    group = (form.names, shapes, repr(params)) if is_aligned else None
    return Decoded(form, arrays, rows, params, group)


def untyped(value: Any) -> tuple[Tensors, list[Array], int]:
    """Return form, cells and rows of the arrays MLflow makes of ``inputs`` without a signature.

    Raises:
        Odd: MLflow must be asked. Any other exception means the same.
    """
    if type(value) is dict:
        names: tuple[str, ...] | None = tuple(value)
        values = list(value.values())
    else:
        names, values = None, [value]
    cells = []
    for nested in values:
        lengths, flat = _flatten(nested, None)
        kind = KIND_OF_JSON[type(flat[0])]
        if kind.is_text:
            raise Odd("numpy strings")
        cells.append(kind.take(flat).reshape(lengths))
    return Tensors(names), cells, len(cells[0])


def _kind(dtype: np.dtype[Any]) -> Kind | None:
    """Return what a tensor of ``dtype`` takes; ``None`` if only MLflow decodes it."""
    if dtype.kind == "f" and dtype.itemsize <= 8:
        base = KINDS["double" if dtype.itemsize == 8 else "float"]
        samples = ((1.5, -2.25e-7, 3e4), (0.1, 7, -0.0))

        def floats(cells: Sequence[Any]) -> Array:
            return np.array(cells, dtype=dtype)

        admits = base.admits | {int}
        return Kind(str(dtype), admits, floats, samples, base.probes, dtype=dtype)
    if dtype.kind in "iu":
        low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)

        def integers(cells: Sequence[Any]) -> Array:
            if max(cells) > high or min(cells) < low:
                raise Odd("an integer out of range")
            return np.array(cells, dtype=dtype)

        ranges = ((0, low, high), (1, 0, 1))
        return Kind(str(dtype), frozenset({int}), integers, ranges, (0, 1, 2))
    if dtype.kind == "b":
        return KINDS["boolean"]
    return None


def _shape(value: Any, is_named: bool) -> str:
    if type(value) is dict:
        return "named"
    if type(value) is np.ndarray:
        return "bare"
    if type(value) is not list or not value:
        raise Odd("no list")
    return "records" if is_named and type(value[0]) is dict else "bare"


def _array(kind: Kind | None, spec: TensorSpec, nested: Any) -> Array:
    """Return ``nested`` as an array of ``spec``."""
    assert kind is not None
    if type(nested) is np.ndarray:
        lengths: Sequence[int] = nested.shape
    else:
        lengths, flat = _flatten(nested, len(spec.shape))
    if len(lengths) != len(spec.shape) or any(
        want not in (-1, length) for want, length in zip(spec.shape, lengths, strict=True)
    ):
        raise Odd("another shape than the signature's")
    if type(nested) is np.ndarray:
        return kind.take_doubles(nested)
    return kind.take(flat).reshape(lengths)  # type: ignore[no-any-return]


def _flatten(nested: Any, depth: int | None) -> tuple[list[int], Sequence[Any]]:
    """Return the lengths and the leaves of nested lists.

    Args:
        nested: lists of lists, all alike.
        depth: how deep the leaves are; ``None``: as deep as the first one.

    Raises:
        Odd: it is ragged, or not that deep.
    """
    if type(nested) is not list:
        raise Odd("no list")
    lengths = [len(nested)]
    level: Sequence[Any] = nested
    while depth is None or len(lengths) < depth:
        if depth is None and type(level[0]) is not list:
            break
        if set(map(type, level)) != {list} or len(lengths) == _MAX_DIMENSIONS:
            raise Odd("another depth")
        found = set(map(len, level))
        if len(found) != 1:
            raise Odd("ragged")
        lengths.append(found.pop())
        level = level[0] if len(level) == 1 else list(chain.from_iterable(level))
    if not level:
        raise Odd("empty")
    return lengths, level
