"""Real estimators and the ways pyfuncs are saved: answers to the last bit."""

from __future__ import annotations

import random
from typing import Any

from tests.conformance.case import (
    Case,
    csv,
    document,
    frames,
    in_formats,
    inputs,
    instances,
    parquet,
    records,
    split,
)
from tests.conformance.cases.frames import FOUR, ROW


def cases() -> dict[str, list[Case]]:
    four = _table(FOUR, seed=3)
    return {
        "sklearn-proba": four,
        "lightgbm": four,
        "torch": four,
        "sklearn-wide": _table([f"f{i}" for i in range(100)], seed=4),
        "sklearn-pipeline": _pipeline(),
        "torch-tensor": _tensor(4),
        "onnx": _tensor(3),
        "pyfunc-class": _pyfunc_class(),
        "loader-module": [
            *frames("rows", [{"x": 1.5}, {"x": -2.0}]),
            *in_formats("bad", {"x": "a"}),
            inputs("list", [1.0, 2.0]),
        ],
        "code-paths": [
            *frames("rows", [{"name": "Ada"}, {"name": "é"}]),
            *in_formats("number", {"name": 1}),
            *in_formats("null", {"name": None}),
        ],
        "configured": [
            inputs("list", [1]),
            inputs("params", [1], params={"a": 1}),
            document("unified", {"prompt": "Hello"}),
        ],
        "environment": [records("row", [{"x": 1.0}])],
        "noisy": [
            records("row", [{"line": "a"}]),
            records("rows", [{"line": "é"}, {"line": ""}]),
            records("null", [{"line": None}]),
        ],
        "slow": [
            records("row", [{"seconds": 0.0}]),
            records("in C", [{"seconds": 0.0, "how": "c"}]),
            records("unknown way", [{"seconds": 0.0, "how": "z"}]),
        ],
        "fixed-cost": [*frames("rows", [{"x": 1.0}, {"x": 2.0}]), records("no rows", [])],
        "versioned-a": [records("rows", [{"x": 1.0}, {"x": 2.0}])],
        "versioned-b": [records("rows", [{"x": 1.0}, {"x": 2.0}])],
    }


def _table(columns: list[str], seed: int) -> list[Case]:
    source = random.Random(seed)
    rows = [[source.gauss(3, 2) for _ in columns] for _ in range(300)]
    named = [dict(zip(columns, row, strict=True)) for row in rows]
    lines = "\n".join([",".join(columns), *(",".join(map(repr, row)) for row in rows[:50])])
    return [
        *[split(f"split {n}", rows[:n], columns) for n in (1, 2, 7, 64, 300)],
        *[records(f"records {n}", named[:n]) for n in (1, 7, 64)],
        *[
            inputs(f"inputs {n}", {c: [row[c] for row in named[:n]] for c in columns})
            for n in (1, 7, 64)
        ],
        *[instances(f"instances {n}", named[:n]) for n in (1, 7, 64)],
        csv("csv 50", lines + "\n"),
        parquet("parquet 64", {c: [row[c] for row in named[:64]] for c in columns}),
        split("no rows", [], columns),
        split("null", [[None, *rows[0][1:]]], columns),
        split("integers", [[int(cell) for cell in rows[0]]], columns),
        split("text", [["a", *rows[0][1:]]], columns),
        split("infinity", [[float("inf"), *rows[0][1:]]], columns),
        split("missing", [rows[0][1:]], columns[1:]),
        split("reversed", [rows[0][::-1]], columns[::-1]),
        split("with index", rows[:2], columns, ["a", "b"]),
    ]


def _pipeline() -> list[Case]:
    good: dict[str, Any] = {"color": "red", "weight": 0.5, "count": 3, "fragile": True}
    changes: dict[str, dict[str, Any]] = {
        "good": {},
        "unseen color": {"color": "mauve"},
        "null color": {"color": None},
        "number color": {"color": 1},
        "null weight": {"weight": None},
        "text weight": {"weight": "2.5"},
        "fraction count": {"count": 2.5},
        "null count": {"count": None},
        "text fragile": {"fragile": "no"},
        "null fragile": {"fragile": None},
    }
    return [
        *[
            case
            for name, change in changes.items()
            for case in in_formats(name, {**good, **change})
        ],
        *frames("many", [{**good, "count": i, "weight": i / 7} for i in range(40)]),
        csv("csv", "color,weight,count,fragile\nred,0.5,3,True\nblue,,1,False\n"),
    ]


def _tensor(width: int) -> list[Case]:
    source = random.Random(5)
    rows = [[source.gauss(0, 1) for _ in range(width)] for _ in range(64)]
    return [
        *[inputs(f"inputs {n}", rows[:n]) for n in (1, 2, 7, 64)],
        *[instances(f"instances {n}", rows[:n]) for n in (1, 7)],
        inputs("one row, flat", rows[0]),
        inputs("too wide", [[*rows[0], 1.0]]),
        inputs("empty", []),
        inputs("text", [["a"] * width]),
        inputs("null", [[None] * width]),
        inputs("integers", [[1] * width]),
        inputs("named", {"x": rows[:2]}),
        split("split", rows[:2]),
        split("split named", rows[:2], [f"c{i}" for i in range(width)]),
        records("records", [{f"c{i}": cell for i, cell in enumerate(rows[0])}]),
        csv("csv", ",".join(f"c{i}" for i in range(width)) + "\n" + ",".join(["1"] * width) + "\n"),
    ]


def _pyfunc_class() -> list[Case]:
    return [
        *frames("rows", [{"x": 1.5, "y": 2.0}, {"x": float("nan"), "y": -1.0}]),
        *in_formats("without y", {"x": 1.5}),
        *in_formats("without x", {"y": 1.5}),
        records("params", [{"x": 1.0}], params={"factor": 3}),
        csv("csv", "x,y\n1,2\n"),
        split("four", [ROW], FOUR),
    ]
