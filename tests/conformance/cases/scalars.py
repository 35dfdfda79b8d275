"""Every coercion of a scalar column: types by values by formats."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.case import Case, csv, frames, in_formats, parquet

NAN, INFINITY = float("nan"), float("inf")

GOOD: dict[str, Any] = {
    "c_boolean": True,
    "c_integer": 1,
    "c_long": 2,
    "c_float": 0.5,
    "c_double": 1.5,
    "c_string": "text",
    "c_binary": "Ynl0ZXM=",
    "c_datetime": "2024-02-29T12:30:00",
}

_EVERYWHERE = [None, "", "x", [], [1], {}, {"a": 1}]
_NUMBERS = [0, -1, 1, True, False, 0.5, 1.5, -1.5, 1e3, "7", " 7 ", "7.5", "1e3", NAN, INFINITY]

VALUES: dict[str, list[Any]] = {
    "boolean": [*_EVERYWHERE, False, 0, 1, 2, -1, 0.0, 1.5, "False", "true", "0", NAN],
    "integer": [*_EVERYWHERE, *_NUMBERS, 2**31 - 1, 2**31, -(2**31) - 1, 2**40, 2**63, 2**64],
    "long": [*_EVERYWHERE, *_NUMBERS, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64, 1e19],
    "float": [*_EVERYWHERE, *_NUMBERS, 0.1, 16777217, 1e300, 1e-320, 2**70, -INFINITY, "nan"],
    "double": [
        *_EVERYWHERE,
        *_NUMBERS,
        *[0.1, -0.0, 5e-324, 1e308, 2**53 + 1, 2**70, -INFINITY, "nan", "-inf", "Infinity"],
    ],
    "string": [*_EVERYWHERE, 1, 1.5, True, NAN, 2**70, "é", "\ud800", "\0", " a ", "null", "1"],
    "binary": [*_EVERYWHERE, "YWJj", "YWJj\n", "YW Jj", "YQ", "YQ=", "!!!!", "é", 1, True, NAN],
    "datetime": [
        *_EVERYWHERE,
        *["2024-02-29", "2024-02-29 12:30", "2024-02-29T12:30:15.123456789", "20240229"],
        *["2024-02-29T12:30:00Z", "2024-02-29T12:30:00+02:00", "01/02/2021", "Feb 3 2021"],
        *["2024-02-30", "1600-01-01", "2263-01-01", "9999-12-31", "NaT", "2024"],
        *[0, 1, 1_700_000_000_000_000_000, 2**63, 1.5, True, NAN],
    ],
}

# Two rows show what a null or another type does to its neighbour.
PAIRS: dict[str, list[tuple[Any, Any]]] = {
    "boolean": [(True, None), (None, None), ("a", None), (True, "x"), (1, 2.5), (True, 0)],
    "integer": [(1, None), (1, 2.5), (1, "2"), (None, None), (True, 3), (1, NAN), (2**31, 1)],
    "long": [(1, None), (2**63, 1), (-1, 2**63), (1.0, 2), (True, None), (2**53 + 1, 0.5)],
    "float": [(0.1, None), (1, 0.5), ("1", 2), (None, None), (True, 0.5), (1, True)],
    "double": [(0.1, None), (1, 0.5), ("1", 2), (None, None), (True, 0.5), (2**70, 1), (1, NAN)],
    "string": [("a", None), (None, None), ("a", 1), (1, 2), (1, None), (True, "b"), ("a", NAN)],
    "binary": [("YQ==", None), (None, None), ("YQ==", "Yg=="), ("YQ==", 1)],
    "datetime": [
        ("2024-02-29", None),
        (None, None),
        ("2024-02-29", "2024-02-29T12:00:00"),
        ("2024-02-29", "01/02/2021"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00"),
        (0, None),
        (1, 2),
    ],
}


def cases() -> dict[str, list[Case]]:
    return {
        "columns-required": [*_values(), *_pairs(), *_rows(), *_csv(), *_parquet()],
        "columns-optional": [*_nulls(), *_absent(), *_pairs(), *_rows(), *_csv(), *_parquet()],
    }


def _label(value: Any) -> str:
    return json.dumps(value)


def _values() -> list[Case]:
    return [
        case
        for type_, values in VALUES.items()
        for value in values
        for case in in_formats(f"{type_} {_label(value)}", {**GOOD, f"c_{type_}": value})
    ]


def _pairs() -> list[Case]:
    return [
        case
        for type_, pairs in PAIRS.items()
        for pair in pairs
        for case in frames(
            f"{type_} rows {_label(list(pair))}", [{**GOOD, f"c_{type_}": v} for v in pair]
        )
    ]


def _nulls() -> list[Case]:
    return [
        case
        for type_ in VALUES
        for value in (None, "", "x", 1, 1.5, NAN)
        for case in in_formats(f"{type_} {_label(value)}", {**GOOD, f"c_{type_}": value})
    ]


def _absent() -> list[Case]:
    every = [
        case
        for column in GOOD
        for case in in_formats(f"without {column}", {k: v for k, v in GOOD.items() if k != column})
    ]
    alone = [
        case
        for column, value in GOOD.items()
        for case in in_formats(f"only {column}", {column: value})
    ]
    return [*every, *alone, *in_formats("only an unknown column", {"z": 1})]


def _rows() -> list[Case]:
    backwards = dict(reversed(GOOD.items()))
    return [
        *in_formats("good", GOOD),
        *frames("many rows", [{**GOOD, "c_long": i, "c_string": f"s{i}"} for i in range(50)]),
        *in_formats("reordered", backwards),
        *in_formats("extra column", {"z": [1], **GOOD}),
        *in_formats("no columns", {}),
    ]


def _csv() -> list[Case]:
    header = ",".join(GOOD)
    good = "True,1,2,0.5,1.5,text,Ynl0ZXM=,2024-02-29T12:30:00"
    return [
        csv("csv good", f"{header}\n{good}\n"),
        csv("csv without line end", f"{header}\n{good}"),
        csv("csv carriage returns", f"{header}\r\n{good}\r\n"),
        csv("csv quoted", f'{header}\nTrue,1,2,0.5,1.5,"a, ""b""\nc",YQ==,2024-02-29\n'),
        csv("csv leading zeros", f"{header}\n1,1,2,0.5,1.5,007,YQ==,2024-02-29\n"),
        csv("csv empty integer", f"{header}\nTrue,,2,0.5,1.5,a,YQ==,2024-02-29\n"),
        csv("csv empty double", f"{header}\nTrue,1,2,0.5,,a,YQ==,2024-02-29\n"),
        csv("csv empty string", f"{header}\nTrue,1,2,0.5,1.5,,YQ==,2024-02-29\n"),
        csv("csv NA string", f"{header}\nTrue,1,2,0.5,1.5,NA,YQ==,2024-02-29\n"),
        csv("csv bad boolean", f"{header}\nmaybe,1,2,0.5,1.5,a,YQ==,2024-02-29\n"),
        csv("csv bad integer", f"{header}\nTrue,x,2,0.5,1.5,a,YQ==,2024-02-29\n"),
        csv("csv fraction for integer", f"{header}\nTrue,1.5,2,0.5,1.5,a,YQ==,2024-02-29\n"),
        csv("csv integer overflow", f"{header}\nTrue,{2**31},2,0.5,1.5,a,YQ==,2024-02-29\n"),
        csv("csv bad datetime", f"{header}\nTrue,1,2,0.5,1.5,a,YQ==,x\n"),
        csv("csv header only", f"{header}\n"),
        csv("csv ragged", f"{header}\n{good},more\n{good}\n"),
        csv("csv short row", f"{header}\nTrue,1\n"),
        csv("csv other columns", "a,b\n1,2\n"),
        csv("csv reordered", "c_string,c_long\na,1\n"),
        csv("csv extra column", f"z,{header}\n9,{good}\n"),
        csv("csv byte order mark", f"\ufeff{header}\n{good}\n"),
        csv("csv accents", f"{header}\nTrue,1,2,0.5,1.5,é,YQ==,2024-02-29\n"),
        csv("csv bad utf-8", header.encode() + b"\nTrue,1,2,0.5,1.5,\xff,YQ==,2024-02-29\n"),
    ]


def _parquet() -> list[Case]:
    import datetime

    import pyarrow as pa

    moment = datetime.datetime(2024, 2, 29, 12, 30)
    good: dict[str, Any] = {
        "c_boolean": [True, False],
        "c_integer": pa.array([1, 2], pa.int32()),
        "c_long": [1, 2],
        "c_float": pa.array([0.5, 1.5], pa.float32()),
        "c_double": [0.5, 1.5],
        "c_string": ["a", "b"],
        "c_binary": [b"a", b"\xff"],
        "c_datetime": pa.array([moment, moment], pa.timestamp("ns")),
    }
    variants: dict[str, dict[str, Any]] = {
        "good": {},
        "boolean nulls": {"c_boolean": [True, None]},
        "boolean integers": {"c_boolean": [1, 0]},
        "integer as int64": {"c_integer": [1, 2]},
        "integer as int16": {"c_integer": pa.array([1, 2], pa.int16())},
        "integer nulls": {"c_integer": pa.array([1, None], pa.int32())},
        "integer doubles": {"c_integer": [1.0, 2.0]},
        "long as int32": {"c_long": pa.array([1, 2], pa.int32())},
        "long as uint64": {"c_long": pa.array([1, 2], pa.uint64())},
        "long nulls": {"c_long": [1, None]},
        "long strings": {"c_long": ["1", "2"]},
        "float as double": {"c_float": [0.5, 1.5]},
        "float nulls": {"c_float": pa.array([0.5, None], pa.float32())},
        "double as float": {"c_double": pa.array([0.5, 1.5], pa.float32())},
        "double as long": {"c_double": [5, 6]},
        "double as 0 and 1": {"c_double": [0, 1]},
        "double nulls": {"c_double": [0.5, None]},
        "string nulls": {"c_string": ["a", None]},
        "string numbers": {"c_string": [1, 2]},
        "string bytes": {"c_string": [b"a", b"b"]},
        "binary nulls": {"c_binary": [b"a", None]},
        "binary strings": {"c_binary": ["YQ==", "Yg=="]},
        "datetime microseconds": {"c_datetime": pa.array([moment] * 2, pa.timestamp("us"))},
        "datetime with zone": {"c_datetime": pa.array([moment] * 2, pa.timestamp("ns", "UTC"))},
        "datetime nulls": {"c_datetime": pa.array([moment, None], pa.timestamp("ns"))},
        "datetime strings": {"c_datetime": ["2024-02-29", "2024-02-29"]},
        "datetime dates": {"c_datetime": [moment.date()] * 2},
        "extra column": {"z": [1, 2]},
    }
    no_rows = {
        name: values[:0] if isinstance(values, pa.Array) else pa.array(values)[:0]
        for name, values in good.items()
    }
    return [
        *[parquet(f"parquet {name}", {**good, **change}) for name, change in variants.items()],
        parquet("parquet no rows", no_rows),
        parquet("parquet other columns", {"a": [1]}),
    ]
