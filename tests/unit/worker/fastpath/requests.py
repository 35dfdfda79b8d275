"""Strategies for requests: signatures x forms x cells, usual and odd."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from hypothesis import strategies as st
from mlflow.types.schema import Schema
from tests.unit.worker.fastpath.models import columns, tensor, unnamed

TABLES: dict[str, Schema | None] = {
    "doubles": columns(a="double", b="double", c="double"),
    "one": columns(a="double"),
    "text": columns(t="string"),
    "flags": columns(n="integer", f="boolean"),
    "all": columns(
        d="double", f="float", l="long", i="integer", b="boolean", s="string", t="datetime",
        x="binary", e="double", o="string?",
    ),
    "optional": columns(d="double", f="float?", l="long", i="integer?", b="boolean", s="string"),
    "times": columns(t="datetime", d="float"),
    "unnamed": unnamed("double", "double"),
    "unnamed_mixed": unnamed("double", "long", "string"),
    "unnamed_one": unnamed("long"),
    "none": None,
}  # fmt: skip

TENSORS: dict[str, Schema | None] = {
    "matrix": Schema([tensor("float32", (-1, 3))]),
    "doubles": Schema([tensor("float64", (-1, 2, 2))]),
    "half": Schema([tensor("float16", (-1,))]),
    "bytes": Schema([tensor("uint8", (-1, 2))]),
    "longs": Schema([tensor("int64", (-1, 2))]),
    "flags": Schema([tensor("bool", (-1, 2))]),
    "fixed": Schema([tensor("float32", (2, 2))]),
    "free": Schema([tensor("float32", (-1, -1))]),
    "named": Schema([tensor("float64", (-1, 3), "a"), tensor("int32", (-1,), "b")]),
    "image": Schema([tensor("float32", (-1, 2, 2), "image")]),
    "none": None,
}

_FLOATS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1000, 1000, width=32),
    st.integers(-100, 100),
)
_DATES = st.one_of(
    st.datetimes().map(lambda when: when.isoformat()),
    st.dates().map(str),
    st.datetimes().map(str),
    st.sampled_from(["2024-02-30", "2023-02-29T00:00:00", "2024-01-01T24:00:00", "1677-01-01"]),
)

USUAL: dict[str, st.SearchStrategy[Any]] = {
    "double": _FLOATS,
    "float": _FLOATS,
    "long": st.integers(-(2**63), 2**63 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "boolean": st.booleans(),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    "datetime": _DATES,
    "binary": st.binary(max_size=6).map(lambda raw: base64.b64encode(raw).decode()),
}

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([2**31, 2**53 + 1, -(2**53) - 1, 2**63, 2**64, -(2**63) - 1, 2**70, 10**320]),
    st.sampled_from([1.0, 2.5, -0.0, 1e300, 1e22, 2.0**63, math.nan, math.inf, 5e-324]),
    st.sampled_from(["", "7", "1.5", "nan", "x", "a\x00", "\ud800", "2024-01-01T00:00:00Z", "==="]),
    st.sampled_from([[], [1.0], {}, {"a": 1}]),
)

_SCALAR = st.one_of(*USUAL.values(), st.none())


@st.composite
def table_bodies(draw: st.DrawFn, schema: Schema | None, odd: bool = True) -> bytes:
    """Draw a request with a table for ``schema``; ``odd`` allows anything unusual in it."""
    if schema is None:
        types = draw(st.lists(st.sampled_from(["double", "long", "boolean", "string"]), min_size=1))
        names: list[Any] = [f"c{place}" for place in range(len(types))]
        required = [True] * len(types)
    else:
        types = [spec.type.name for spec in schema.inputs]
        names = [spec.name for spec in schema.inputs]
        required = [spec.required for spec in schema.inputs]
    is_named = names[0] is not None
    chosen = [
        place for place in range(len(types)) if required[place] or draw(st.booleans(), "optional")
    ]
    if is_named:
        chosen = draw(st.permutations(chosen))
    count = draw(st.integers(1, 3))
    cells = [[draw(USUAL[types[place]]) for _ in range(count)] for place in chosen]
    labels = [names[place] for place in chosen]
    if odd and draw(st.integers(0, 3)) == 0:
        labels.append(draw(st.sampled_from(["extra", labels[0]])) if is_named else None)
        cells.append(draw(st.lists(_SCALAR, min_size=count, max_size=count)))
    if odd and draw(st.booleans()):
        column = draw(st.integers(0, len(cells) - 1))
        for row in range(count) if draw(st.booleans()) else [draw(st.integers(0, count - 1))]:
            cells[column][row] = draw(ODD)
    return _written(draw, _table(draw, labels if is_named else None, cells, odd), odd)


def _table(draw: st.DrawFn, labels: list[str] | None, cells: list[Any], odd: bool) -> Any:
    rows = [list(row) for row in zip(*cells, strict=True)]
    split: dict[str, Any] = {"data": rows}
    if labels is not None:
        split["columns"] = labels
    if draw(st.booleans()):
        index = st.lists(st.integers(-3, 9), min_size=len(rows), max_size=len(rows))
        split["index"] = draw(st.one_of(st.none(), st.just(list(range(len(rows)))), index))
    forms: list[tuple[str, Any]] = [("dataframe_split", split)]
    key = draw(st.sampled_from(["inputs", "instances"]))
    if labels is None:
        forms.append((key, rows))
    else:
        records = [dict(zip(labels, row, strict=True)) for row in rows]
        if odd and len(records) > 1 and draw(st.integers(0, 5)) == 0:
            records[-1].popitem()
        forms += [("dataframe_records", records), (key, records), (key, records[0])]
        forms.append((key, dict(zip(labels, cells, strict=True))))
    if len(cells) == 1:
        forms.append((key, cells[0]))
    return dict([draw(st.sampled_from(forms))])


def _written(draw: st.DrawFn, document: dict[str, Any], odd: bool) -> bytes:
    if odd and draw(st.integers(0, 3)) == 0:
        more = [{"params": None}, {"params": {"p": 1}}, {"id": "x"}, {"id": 2**70}, {"inputs": [1]}]
        document = {**document, **draw(st.sampled_from(more))}
    return json.dumps(document, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


@st.composite
def tensor_bodies(draw: st.DrawFn, schema: Schema | None, odd: bool = True) -> bytes:
    """Draw a request with tensors for ``schema``; ``odd`` allows anything unusual in it."""
    if schema is None:
        lengths = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
        specs: list[Any] = [tensor("float64", tuple(lengths))]
        if draw(st.booleans()):
            specs = [tensor("float64", tuple(lengths), name) for name in "ab"]
    else:
        specs = list(schema.inputs)
    count = draw(st.integers(1, 3))
    arrays = []
    for spec in specs:
        shape = [length if length != -1 else draw(st.integers(1, 3)) for length in spec.shape]
        if spec.shape[0] == -1:
            shape[0] = count
        if odd and draw(st.integers(0, 5)) == 0:
            shape[draw(st.integers(0, len(shape) - 1))] = draw(st.integers(0, 4))
        arrays.append(_nested(draw, shape, _tensor_cells(spec.type, odd)))
    value: Any = arrays[0]
    if specs[0].name is not None:
        value = {spec.name: array for spec, array in zip(specs, arrays, strict=True)}
        if draw(st.booleans()) and len({len(array) for array in arrays}) == 1:
            value = [
                dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)
            ]
    return _written(draw, {draw(st.sampled_from(["inputs", "instances"])): value}, odd)


def _tensor_cells(dtype: Any, odd: bool) -> st.SearchStrategy[Any]:
    if dtype.kind == "f":
        usual: st.SearchStrategy[Any] = _FLOATS
    elif dtype.kind == "b":
        usual = st.booleans()
    else:
        bits = dtype.itemsize * 8
        low = 0 if dtype.kind == "u" else -(2 ** (bits - 1))
        usual = st.integers(low, low + 2**bits - 1)
    return st.integers(0, 30).flatmap(lambda dice: ODD if odd and dice == 0 else usual)


def _nested(draw: st.DrawFn, shape: list[int], cell: st.SearchStrategy[Any]) -> Any:
    if not shape:
        return draw(cell)
    return [_nested(draw, shape[1:], cell) for _ in range(shape[0])]
