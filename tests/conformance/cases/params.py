"""Parameters beside the data: types, defaults, shapes, and where they may stand."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.case import JSON, Case, csv, document, inputs, instances, raw, records, split

_VALUES: dict[str, list[Any]] = {
    "p_integer": [2, -1, 2**31, 2**40, 1.0, 1.5, "1", True, None, [1]],
    "p_long": [2, 2**63, 2**70, 1.0, 1.5, "1", True, None],
    "p_float": [0.1, 1, 1e300, "1", True, None, float("nan")],
    "p_double": [0.1, 1, 2**70, "1", True, None, float("inf")],
    "p_string": ["a", "", "é", 5, True, None, ["a"]],
    "p_boolean": [False, 1, 0, "true", None],
    "p_datetime": [
        *["2021-05-06", "2021-05-06T07:08:09", "2021-05-06 07:08:09.123456"],
        *["2021-05-06T07:08:09Z", "2021-05-06T07:08:09+02:00", "x", 0, 1.5, None],
    ],
    "p_none": ["a", None, 1],
    "p_longs": [[], [3], [1, 2.0], [1.5], [None], 3, None, [[1]], ["1"], {"a": 1}],
    "p_doubles": [[1, 0.5], [], ["x"], 0.5],
    "p_strings": [["a", "b"], [1], "a"],
    "p_booleans": [[True, False], [1]],
    "p_object": [{"a": 2}, {"a": 2, "b": "x"}, {"b": "x"}, {}, {"a": "x"}, {"a": 1, "z": 1}, None],
    "p_unknown": [1],
}


def cases() -> dict[str, list[Case]]:
    return {
        "params-all": [*_each_value(), *_places()],
        "params-only": _without_inputs(),
    }


def _each_value() -> list[Case]:
    return [
        records(f"{name} {json.dumps(value)}", [{"x": 0.5}], params={name: value})
        for name, values in _VALUES.items()
        for value in values
    ]


def _places() -> list[Case]:
    params = {"p_long": 7, "p_string": "given"}
    row = b'"dataframe_records": [{"x": 0.5}]'
    return [
        records("defaults", [{"x": 0.5}]),
        split("beside split", [[0.5]], ["x"], params=params),
        inputs("beside inputs", {"x": [0.5]}, params=params),
        inputs("beside a list", [0.5], params=params),
        instances("beside instances", [{"x": 0.5}], params=params),
        records("empty", [{"x": 0.5}], params={}),
        records("null", [{"x": 0.5}], params=None),
        records("a list", [{"x": 0.5}], params=[1]),
        records("an empty list", [{"x": 0.5}], params=[]),
        records("text", [{"x": 0.5}], params="p_long"),
        records("a number", [{"x": 0.5}], params=7),
        records("several", [{"x": 0.5}], params={"p_string": "b", "p_integer": 3, "p_none": "c"}),
        records("several wrong", [{"x": 0.5}], params={"p_long": "b", "p_integer": "c"}),
        records("bad data too", [{"x": "bad"}], params={"p_long": "b"}),
        raw("before the data", b'{"params": {"p_long": 7}, ' + row + b"}"),
        raw("twice", b"{" + row + b', "params": {"p_long": 7}, "params": {"p_long": 8}}'),
        raw("key twice", b"{" + row + b', "params": {"p_long": 7, "p_long": 8}}'),
        raw("nan token", b"{" + row + b', "params": {"p_double": NaN}}'),
        csv("csv", "x\n0.5\n"),
        document("unified", {"messages": [], "p_long": 7}),
        document("only params", {"params": params}),
    ]


def _without_inputs() -> list[Case]:
    params = {"temperature": 0.9}
    return [
        records("records", [{"a": 1}], params=params),
        split("split", [[1, "a"]], params={"top": 3}),
        inputs("inputs", [1, 2], params=params),
        inputs("inputs without", {"a": [1]}),
        inputs("inputs wrong", [1], params={"top": "x"}),
        instances("instances", [{"a": 1}], params=params),
        csv("csv", "a,b\n1,2\n"),
        document("unified", {"prompt": "Hello", "temperature": 0.9, "other": 1}),
        document("unified wrong", {"prompt": "Hello", "temperature": "hot"}),
        document("unified integer", {"messages": [{"role": "user"}], "temperature": 1, "top": 2}),
        document("unified with params", {"input": "Hello", "params": {"top": 2}}),
        raw("no body", b"", JSON),
    ]
