"""Models whose predict has type hints, and models that get their input example's type."""

from __future__ import annotations

from typing import Any

from tests.conformance.case import Case, csv, document, inputs, instances, parquet, records, split

NAN = float("nan")

_ORDER: dict[str, Any] = {"number": 1, "lines": [{"product": "pen", "price": 0.5}]}

_VALUES: dict[str, list[Any]] = {
    "hint-ints": [
        *[[1, 2], [], [1.0], [1.5], ["1"], ["a"], [True], [None], [2**70], 1, "a", None, {"a": 1}],
        *[[[1]], [NAN]],
    ],
    "hint-floats": [[0.5, 1], ["0.5"], [True], [None], [NAN], [2**70], [], 0.5, [1e400]],
    "hint-bools": [[True, False], [1, 0], ["true"], ["yes"], [None], [2], [0.5]],
    "hint-strings": [["a", "é", ""], [1], [None], [True], "abc", [["a"]], ["\ud800"]],
    "hint-bytes": [
        *[["YWJj"], ["YWJj\n", ""], ["***"], ["YQ"], ["é"], [1], [None], "YWJj", [["YWJj"]]],
    ],
    "hint-datetimes": [
        *[["2024-02-29"], ["2024-02-29T12:30:00"], ["2024-02-29T12:30:00.123456+02:00"]],
        *[["2024-02-29T12:30:00Z"], ["20240229"], ["01/02/2021"], ["x"], [0], [1.5], [None], []],
    ],
    "hint-dicts": [
        *[[{"a": [0.5], "b": []}], [{"a": [1]}], [{"a": ["1"]}], [{"a": 1}], [{}], [[]], ["a"]],
        *[[{"a": [None]}], {"a": [0.5]}, [{"a": [0.5]}, {"b": [1.5]}]],
    ],
    "hint-nested": [[["a"], ["b", "c"]], [[]], ["a"], [[1]], [["a"], "b"], [[None]]],
    "hint-any": [[1, "a", None, {"b": [1]}], [], 1, "a", None, {"a": 1}, [NAN], [2**70]],
    "hint-optional": [[{"a": 1, "b": "x", "c": None}], [{"a": 1.5}], [{"a": [1]}], [{}], [1]],
    "hint-pydantic": [
        [_ORDER],
        [_ORDER, _ORDER],
        [],
        [{**_ORDER, "at": "2024-02-29T12:30:00", "paid": True, "extra": {"a": 1}}],
        [{**_ORDER, "at": "x"}],
        [{**_ORDER, "at": None, "extra": None}],
        [{**_ORDER, "unknown": 1}],
        [{**_ORDER, "number": "1"}],
        [{**_ORDER, "number": 1.5}],
        [{**_ORDER, "number": None}],
        [{**_ORDER, "paid": 1}],
        [{**_ORDER, "lines": []}],
        [{**_ORDER, "lines": [{"product": "pen", "price": 1}]}],
        [{**_ORDER, "lines": [{"product": "pen", "price": "1.5"}]}],
        [{**_ORDER, "lines": [{"product": "pen"}]}],
        [{**_ORDER, "lines": [{"product": "pen", "price": 1.5, "tags": ["a", None]}]}],
        [{"number": 1}],
        [{}],
        ["a"],
        _ORDER,
        None,
    ],
    "hint-function": [[1, 2], ["a"], [1.5], [], 1],
    "hint-dataframe": [
        *[{"x": [1.5], "s": ["a"]}, {"x": [1.5]}, {"s": ["a"]}, [1.5], [{"x": 1, "s": None}]],
    ],
    "example-list": [["a", "b"], [1, 2], [None], [], "a", [["a"]], {"0": ["a"]}, ["é", 1.5]],
    "example-records": [
        *[[{"a": 1, "b": "x"}], [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], [{"a": 1}], [{"b": "x"}]],
        *[{"a": [1, 2], "b": ["x", "y"]}, {"a": 1, "b": "x"}, [], [{"a": 1.5, "b": 2}]],
    ],
    "example-dataframe": [[{"a": 1, "b": "x"}], {"a": [1], "b": ["x"]}, {"a": [1]}, [], 1],
    "pyfunc-function": [["a", "b"], [1], "a", [], [None]],
}


def cases() -> dict[str, list[Case]]:
    return {
        model: [
            *[inputs(f"inputs {number}", value) for number, value in enumerate(values)],
            *[instances(f"instances {number}", value) for number, value in enumerate(values[:2])],
            *_other_formats(values[0]),
        ]
        for model, values in _VALUES.items()
    }


def _other_formats(good: Any) -> list[Case]:
    rows = good if isinstance(good, list) else [good]
    return [
        split("split", [[row] for row in rows], ["a"]),
        split("split unnamed", [[row] for row in rows]),
        records("records", rows),
        records("records of a column", [{"a": row} for row in rows]),
        inputs("inputs beside split", good, dataframe_split={"data": [[1]]}),
        inputs("inputs beside params", good, params={"a": 1}),
        inputs("inputs beside unknown", good, other=1),
        csv("csv", "a,b\n1,x\n2,y\n"),
        csv("csv text", "x,s\n1.5,a\n"),
        parquet("parquet", {"a": [1, 2], "b": ["x", "y"]}),
        document("none", {"other": 1}),
        document("empty", {}),
        document("unified prompt", {"prompt": "Hello"}),
        document("unified input", {"input": good}),
        document("unified messages", {"messages": rows}),
    ]
