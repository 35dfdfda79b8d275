"""How rows, columns and index are given: orders, extras, gaps, shapes, sizes."""

from __future__ import annotations

import random
from typing import Any

from tests.conformance.case import Case, csv, frames, in_formats, inputs, instances, records, split

FOUR = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
ROW = [5.1, 3.5, 1.4, 0.2]


def cases() -> dict[str, list[Case]]:
    return {
        "sklearn4": [*_split(), *_records(), *_inputs(), *_instances(), *_sizes()],
        "witness": [*_schemaless(), *_schemaless_csv()],
        "echo": _schemaless(),
        "columns-unnamed": _unnamed(["1.5", 2, "a"]),
        "column-single": [*_single(1.5), *_single("x")],
        "column-single-string": [*_single("a"), *_single(5)],
        "column-unnamed-string": [*_single("a"), *_unnamed(["a"])],
        "columns-odd-names": _odd_names(),
    }


def _split() -> list[Case]:
    shuffled = [2, 0, 3, 1]
    return [
        split("split", [ROW], FOUR),
        split("split two rows", [ROW, ROW], FOUR),
        split("split with index", [ROW, ROW], FOUR, [7, 3]),
        split("split with text index", [ROW, ROW], FOUR, ["a", "b"]),
        split("split with duplicate index", [ROW, ROW], FOUR, [1, 1]),
        split("split with short index", [ROW, ROW], FOUR, [1]),
        split("split with nested index", [ROW], FOUR, [["a", 1]]),
        split("split with scalar index", [ROW], FOUR, 1),
        split("split reordered", [[ROW[i] for i in shuffled]], [FOUR[i] for i in shuffled]),
        split("split extra column", [[*ROW, 9]], [*FOUR, "z"]),
        split("split missing column", [ROW[:3]], FOUR[:3]),
        split("split missing and extra", [ROW], [*FOUR[:3], "z"]),
        split("split without columns", [ROW]),
        split("split duplicate column", [[*ROW, 1.0]], [*FOUR, FOUR[0]]),
        split("split integer columns", [ROW], [0, 1, 2, 3]),
        split("split null column name", [[*ROW, 1]], [*FOUR, None]),
        split("split nested columns", [ROW], [[c] for c in FOUR]),
        split("split columns as text", [ROW], "abcd"),
        split("split columns as object", [ROW], dict.fromkeys(FOUR, 1)),
        split("split too few columns", [ROW], FOUR[:2]),
        split("split no rows", [], FOUR),
        split("split one empty row", [[]], FOUR),
        split("split ragged", [ROW, ROW[:2]], FOUR),
        split("split flat data", ROW, FOUR),
        split("split scalar data", 1.0, FOUR),
        split("split text data", "abc", FOUR),
        split("split data of objects", [dict(zip(FOUR, ROW, strict=True))], FOUR),
        split("split data by column", {c: [v] for c, v in zip(FOUR, ROW, strict=True)}, FOUR),
        split("split integers", [[5, 3, 1, 0]], FOUR),
        split("split zeros and ones", [[0, 1, 1, 0]], FOUR),
        split("split text numbers", [["5.1", "3.5", "1.4", "0.2"]], FOUR),
        split("split booleans", [[True, False, True, False]], FOUR),
        split("split bad text", [["a", 3.5, 1.4, 0.2]], FOUR),
        split("split null", [[None, 3.5, 1.4, 0.2]], FOUR),
        split("split nan", [[float("nan"), 3.5, 1.4, 0.2]], FOUR),
        split("split infinity", [[float("inf"), 3.5, 1.4, 0.2]], FOUR),
        split("split list cell", [[[5.1], 3.5, 1.4, 0.2]], FOUR),
        split("split beside unknown keys", [ROW], FOUR, stream=True, client_request_id="7"),
        split("split beside params", [ROW], FOUR, params={"a": 1}),
        split("split beside null params", [ROW], FOUR, params=None),
        split("split beside inputs", [ROW], FOUR, inputs=[1]),
        split("split beside null inputs", [ROW], FOUR, inputs=None),
        Case("split is a list", b'{"dataframe_split": [1]}'),
        Case("split is null", b'{"dataframe_split": null}'),
        Case("split is text", b'{"dataframe_split": "x"}'),
        Case("split is empty", b'{"dataframe_split": {}}'),
        Case("split without data", b'{"dataframe_split": {"columns": ["a"]}}'),
        Case("split with other keys", b'{"dataframe_split": {"data": [[1]], "name": 1, "x": 2}}'),
        Case("split null data", b'{"dataframe_split": {"columns": ["a"], "data": null}}'),
        Case(
            "split null columns", b'{"dataframe_split": {"columns": null, "data": [[1, 2, 3, 4]]}}'
        ),
    ]


def _records() -> list[Case]:
    row = dict(zip(FOUR, ROW, strict=True))
    return [
        records("records", [row]),
        records("records reordered", [dict(reversed(row.items()))]),
        records("records in two orders", [row, dict(reversed(row.items()))]),
        records("records extra", [{**row, "z": 1}]),
        records("records extra in one", [row, {**row, "z": 1}]),
        records("records missing", [{k: row[k] for k in FOUR[:2]}]),
        records("records missing in one", [row, {k: row[k] for k in FOUR[:2]}]),
        records("records empty", []),
        records("records of empty object", [{}]),
        records("records of lists", [ROW]),
        records("records of numbers", ROW),
        records("records of text", ["a"]),
        records("records of null", [None]),
        records("records and lists", [row, ROW]),
        records("records is an object", row),
        records("records is null", None),
        records("records is a number", 1),
        records("records is text", "x"),
        records("records nested", [{**row, FOUR[0]: {"a": 1}}]),
    ]


def _inputs() -> list[Case]:
    columns = {c: [v] for c, v in zip(FOUR, ROW, strict=True)}
    row = dict(zip(FOUR, ROW, strict=True))
    return [
        inputs("inputs columns", columns),
        inputs("inputs two rows", {c: [v, v] for c, v in row.items()}),
        inputs("inputs uneven", {**columns, FOUR[0]: [1.0, 2.0]}),
        inputs("inputs scalars", row),
        inputs("inputs records", [row, row]),
        inputs("inputs records uneven", [row, {FOUR[0]: 1.0}]),
        inputs("inputs extra", {**columns, "z": [1]}),
        inputs("inputs missing", {c: columns[c] for c in FOUR[:3]}),
        inputs("inputs rows", [ROW]),
        inputs("inputs flat", ROW),
        inputs("inputs scalar", 1.0),
        inputs("inputs text", "a"),
        inputs("inputs null", None),
        inputs("inputs true", True),
        inputs("inputs empty list", []),
        inputs("inputs empty object", {}),
        inputs("inputs empty columns", {c: [] for c in FOUR}),
        inputs("inputs column vectors", {c: [[v]] for c, v in row.items()}),
        inputs("inputs list and object", [row, 1]),
        inputs("inputs null in column", {**columns, FOUR[0]: [None]}),
        inputs("inputs beside unknown keys", columns, stream=False),
        inputs("inputs beside signature_name", columns, signature_name="x"),
        inputs("inputs beside params", columns, params={}),
        inputs("inputs beside instances", columns, instances=[1]),
        inputs("inputs integers", {c: [1] for c in FOUR}),
        inputs("inputs larger integers", {c: [5] for c in FOUR}),
    ]


def _instances() -> list[Case]:
    row = dict(zip(FOUR, ROW, strict=True))
    return [
        instances("instances", [row]),
        instances("instances two", [row, row]),
        instances("instances uneven", [row, {FOUR[0]: 1.0}]),
        instances("instances extra", [{**row, "z": 1}]),
        instances("instances rows", [ROW, ROW]),
        instances("instances flat", ROW),
        instances("instances columns", {c: [v] for c, v in row.items()}),
        instances("instances columns uneven", {**{c: [1.0] for c in FOUR}, FOUR[0]: [1.0, 2.0]}),
        instances("instances object of scalars", row),
        instances("instances empty", []),
        instances("instances of empty object", [{}]),
        instances("instances null", None),
        instances("instances scalar", 3),
        instances("instances object then number", [row, 1]),
        instances("instances nested", [{**row, FOUR[0]: [1.0, 2.0]}]),
    ]


def _sizes() -> list[Case]:
    many = _numbers(1000, 4, seed=1)
    return [
        split("split 1000 rows", many, FOUR),
        records("records 1000 rows", [dict(zip(FOUR, row, strict=True)) for row in many]),
        inputs("inputs 1000 rows", {c: [row[i] for row in many] for i, c in enumerate(FOUR)}),
        csv("csv 1000 rows", _csv(FOUR, many)),
    ]


def _schemaless() -> list[Case]:
    return [
        *frames("ints", [{"a": 1, "b": 2}, {"a": 3, "b": 4}]),
        *frames("mixed", [{"a": 1, "b": "x"}, {"a": 2.5, "b": None}]),
        *in_formats("nested", {"a": {"b": [1, {"c": None}]}}),
        *in_formats("lists", {"a": [1, 2], "b": [3, 4]}),
        *in_formats("null", {"a": None}),
        *in_formats("text", {"a": "é\ud800"}),
        *in_formats("big", {"a": 2**63, "b": 2**64, "c": 2**100}),
        *in_formats("bool", {"a": True}),
        *in_formats("date", {"a": "2024-02-29"}),
        split("no columns", [[1, 2], [3, 4]]),
        split("int columns", [[1, 2]], [1, 0]),
        split("float columns", [[1, 2]], [0.5, None]),
        split("index", [[1], [2]], ["a"], ["x", "y"]),
        split("float index", [[1], [2]], ["a"], [0.5, 1.5]),
        split("empty", [], []),
        split("rows without columns", [[], []]),
        split("ragged", [[1, 2], [3]]),
        split("scalars", [1, 2, 3]),
        records("union of keys", [{"a": 1}, {"b": 2}]),
        records("records of lists", [[1, 2], [3, 4]]),
        records("records of scalars", [1, 2]),
        records("records empty", []),
        inputs("list", [1, 2, 3]),
        inputs("floats", [1.5, 2]),
        inputs("matrix", [[1, 2], [3, 4]]),
        inputs("cube", [[[1.0]], [[2.0]]]),
        inputs("ragged list", [[1, 2], [3]]),
        inputs("mixed list", [1, "a", 2.5]),
        inputs("mixed with null", [1, None]),
        inputs("nulls", [None, None]),
        inputs("strings", ["a", "bcd", "é"]),
        inputs("booleans", [True, False]),
        inputs("booleans and ints", [True, 2]),
        inputs("big ints", [2**63, 1]),
        inputs("huge ints", [2**64, 1]),
        inputs("scalar", 5),
        inputs("scalar text", "abc"),
        inputs("scalar null", None),
        inputs("scalar float", 1e400),
        inputs("object", {"a": 1, "b": [1, 2], "c": [[1], [2]], "d": "x", "e": None}),
        inputs("nested object", {"a": {"b": {"c": [1]}}}),
        inputs("objects", [{"a": 1}, {"a": "x", "b": None}]),
        inputs("objects and scalars", [{"a": 1}, 1]),
        inputs("list of lists of objects", [[{"a": 1}]]),
        inputs("empty list", []),
        inputs("empty object", {}),
        inputs("empty inner list", [[]]),
        instances("instances list", [1, 2, 3]),
        instances("instances matrix", [[1, 2], [3, 4]]),
        instances("instances scalars", [{"a": 1}, {"a": 2}]),
        instances("instances arrays", [{"a": [1, 2]}, {"a": [3, 4]}]),
        instances("instances ragged arrays", [{"a": [1, 2]}, {"a": [3]}]),
        instances("instances uneven", [{"a": 1}, {"a": 2, "b": 3}]),
        instances("instances object", {"a": [1, 2], "b": [3, 4]}),
        instances("instances object uneven", {"a": [1, 2], "b": [3]}),
        instances("instances object of scalars", {"a": 1}),
        instances("instances empty", []),
        inputs("params without schema", [1], params={"a": 1}),
    ]


def _schemaless_csv() -> list[Case]:
    return [
        csv("csv", "a,b\n1,x\n2,y\n"),
        csv("csv floats", "a\n0.1\n1e400\n-inf\nNaN\n"),
        csv("csv leading zeros", "a\n007\n"),
        csv("csv duplicate names", "a,a\n1,2\n"),
        csv("csv index column", ",a\n0,1\n"),
        csv("csv header only", "a,b\n"),
        csv("csv empty", ""),
        csv("csv blank", "\n\n"),
        csv("csv ragged", "a,b\n1,2,3\n4,5\n"),
        csv("csv unclosed quote", 'a,b\n"1,2\n'),
        csv("csv booleans", "a\nTrue\nfalse\n"),
        csv("csv dates", "a\n2024-02-29\n"),
        csv("csv big", f"a\n{2**64}\n"),
        csv("csv nul", "a\n\0\n"),
        csv("csv semicolons", "a;b\n1;2\n"),
        csv("csv bad utf-8", b"a\n\xff\n"),
        csv("csv utf-16", "a\n1\n".encode("utf-16")),
        csv("csv byte order mark", "\ufeffa\n1\n"),
        csv("csv json", '{"inputs": [1]}'),
        csv("csv 500 rows", _csv(["a", "b", "c"], _numbers(500, 3, seed=2))),
    ]


def _unnamed(row: list[Any]) -> list[Case]:
    names = [f"n{i}" for i in range(len(row))]
    return [
        split("unnamed without columns", [row]),
        split("unnamed with columns", [row], names),
        split("unnamed extra", [[*row, 9]]),
        split("unnamed fewer", [row[:-1]]),
        split("unnamed fewer with names", [row[:-1]], names[:-1]),
        split("unnamed no rows", []),
        records("unnamed records", [dict(zip(names, row, strict=True))]),
        records("unnamed rows", [row]),
        records("unnamed scalars", row),
        inputs("unnamed list", row),
        inputs("unnamed list of rows", [row]),
        inputs("unnamed object", dict(zip(names, row, strict=True))),
        inputs("unnamed scalar", row[0]),
        inputs("unnamed records as inputs", [dict(zip(names, row, strict=True))]),
        inputs("unnamed null", None),
        instances("unnamed instances", row),
        instances("unnamed instance rows", [row]),
        instances("unnamed instance records", [dict(zip(names, row, strict=True))]),
        csv("unnamed csv", ",".join(names) + "\n" + ",".join(map(str, row)) + "\n"),
        csv("unnamed csv without header", ",".join(map(str, row)) + "\n"),
    ]


def _single(value: Any) -> list[Case]:
    label = repr(value)
    return [
        split(f"split {label}", [[value]], ["x"]),
        split(f"split text {label}", [[value]], ["text"]),
        split(f"split unnamed {label}", [[value]]),
        records(f"records {label}", [{"x": value}]),
        inputs(f"list {label}", [value, value]),
        inputs(f"list of one {label}", [value]),
        inputs(f"column {label}", {"x": [value]}),
        inputs(f"text column {label}", {"text": [value]}),
        inputs(f"matrix {label}", [[value]]),
        inputs(f"scalar {label}", value),
        inputs(f"object {label}", {"x": value}),
        inputs(f"with null {label}", [value, None]),
        instances(f"instances {label}", [value]),
        instances(f"instance {label}", [{"x": value}]),
    ]


def _odd_names() -> list[Case]:
    good: dict[str, Any] = {
        **{"a b": 1, "é": 2, "1": 3, "predictions": 4},
        **{"inputs": 5, "a.b": 6, "日本": 7, "messages ": 8},
    }
    required = dict(list(good.items())[:4])
    return [
        *frames("all", [good, good]),
        *in_formats("required", required),
        *in_formats("without é", {k: v for k, v in good.items() if k != "é"}),
        *in_formats("another é", {**{k: v for k, v in good.items() if k != "é"}, "e\u0301": 2}),
        split("integer label", [[1, 2, 3, 4]], ["a b", "é", 1, "predictions"]),
        csv("csv", _csv(list(good), [list(good.values())])),
    ]


def _csv(columns: list[str], rows: list[list[Any]]) -> str:
    return "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n"


def _numbers(rows: int, columns: int, seed: int) -> list[list[float]]:
    source = random.Random(seed)
    return [[source.gauss(3, 2) for _ in range(columns)] for _ in range(rows)]
