"""Array, Object, Map and AnyType columns, where MLflow casts nothing."""

from __future__ import annotations

from typing import Any

from tests.conformance.case import Case, frames, in_formats, inputs, records

_PERSON: dict[str, Any] = {
    "name": "Ada",
    "age": 36,
    "score": 0.5,
    "address": {"city": "London"},
    "tags": ["a", "b"],
}


def cases() -> dict[str, list[Case]]:
    return {
        "columns-array": _expand(_ARRAYS, "doubles", [0.5, 1.5]),
        "columns-object": _expand(_OBJECTS, "person", {"name": "Ada"}),
        "columns-map": _expand(_MAPS, "weights", {"a": 0.5}),
        "columns-any": _expand(_ANY, "anything", 1),
    }


def _expand(rows: dict[str, dict[str, Any]], column: str, good: Any) -> list[Case]:
    singles = [case for name, row in rows.items() for case in in_formats(name, row)]
    several = [
        *frames("two rows", [{column: good}, {column: good}]),
        *in_formats("missing", {"z": 1}),
        *in_formats("null", {column: None}),
        *in_formats("extra", {column: good, "z": 1}),
        records("null in one row", [{column: good}, {column: None}]),
        records("missing in one row", [{column: good}, {"z": 1}]),
        records("no rows", []),
        inputs("single row object", {column: good}),
        inputs("list of rows", [{column: good}, {column: good}]),
        inputs("bare value", good),
    ]
    return [*singles, *several]


_ARRAYS: dict[str, dict[str, Any]] = {
    "doubles": {"doubles": [0.5, 1.5]},
    "no doubles": {"doubles": []},
    "integers for doubles": {"doubles": [1, 2]},
    "zeros and ones for doubles": {"doubles": [0, 1]},
    "integers and doubles": {"doubles": [1, 2.5]},
    "text for doubles": {"doubles": ["1.5"]},
    "null in doubles": {"doubles": [0.5, None]},
    "nan in doubles": {"doubles": [0.5, float("nan")]},
    "booleans for doubles": {"doubles": [True]},
    "scalar for array": {"doubles": 0.5},
    "object for array": {"doubles": {"a": 0.5}},
    "matrix for array": {"doubles": [[0.5]]},
    "strings": {"doubles": [0.5], "strings": ["a", "é"]},
    "numbers for strings": {"doubles": [0.5], "strings": [1]},
    "null in strings": {"doubles": [0.5], "strings": ["a", None]},
    "null strings": {"doubles": [0.5], "strings": None},
    "text for strings": {"doubles": [0.5], "strings": "abc"},
    "matrix": {"doubles": [0.5], "matrix": [[1, 2], [3, 4]]},
    "ragged matrix": {"doubles": [0.5], "matrix": [[1, 2], [3]]},
    "flat matrix": {"doubles": [0.5], "matrix": [1, 2]},
    "empty matrix": {"doubles": [0.5], "matrix": [[]]},
    "doubles in matrix": {"doubles": [0.5], "matrix": [[1.5]]},
    "flags": {"doubles": [0.5], "flags": [True, False]},
    "numbers for flags": {"doubles": [0.5], "flags": [1, 0]},
    "moments": {"doubles": [0.5], "moments": ["2024-02-29", "2024-02-29T12:30:00"]},
    "bad moments": {"doubles": [0.5], "moments": ["x"]},
    "label": {"doubles": [0.5], "label": "a"},
    "number label": {"doubles": [0.5], "label": 1},
    "all": {"doubles": [0.5], "strings": ["a"], "matrix": [[1]], "flags": [True], "label": "a"},
}

_OBJECTS: dict[str, dict[str, Any]] = {
    "whole": {"person": _PERSON},
    "only required": {"person": {"name": "Ada"}},
    "without name": {"person": {"age": 1}},
    "null name": {"person": {"name": None}},
    "number for name": {"person": {"name": 1}},
    "unknown property": {"person": {"name": "Ada", "z": 1}},
    "double for age": {"person": {"name": "Ada", "age": 1.5}},
    "whole double for age": {"person": {"name": "Ada", "age": 2.0}},
    "text for age": {"person": {"name": "Ada", "age": "2"}},
    "null age": {"person": {"name": "Ada", "age": None}},
    "integer for score": {"person": {"name": "Ada", "score": 2}},
    "one for score": {"person": {"name": "Ada", "score": 1}},
    "big age": {"person": {"name": "Ada", "age": 2**63}},
    "empty address": {"person": {"name": "Ada", "address": {}}},
    "text address": {"person": {"name": "Ada", "address": "London"}},
    "unknown in address": {"person": {"name": "Ada", "address": {"city": "x", "zip": "y"}}},
    "no tags": {"person": {"name": "Ada", "tags": []}},
    "text tags": {"person": {"name": "Ada", "tags": "a"}},
    "number tags": {"person": {"name": "Ada", "tags": [1]}},
    "empty person": {"person": {}},
    "list for person": {"person": [_PERSON]},
    "text for person": {"person": "Ada"},
    "people": {"person": {"name": "Ada"}, "people": [_PERSON, {"name": "Bob"}]},
    "no people": {"person": {"name": "Ada"}, "people": []},
    "bad people": {"person": {"name": "Ada"}, "people": [{"age": 1}]},
    "n": {"person": {"name": "Ada"}, "n": 3},
    "null n": {"person": {"name": "Ada"}, "n": None},
}

_MAPS: dict[str, dict[str, Any]] = {
    "weights": {"weights": {"a": 0.5, "b": 1.5}},
    "no weights": {"weights": {}},
    "integer weights": {"weights": {"a": 1}},
    "larger integer weights": {"weights": {"a": 2}},
    "text weights": {"weights": {"a": "x"}},
    "null weight": {"weights": {"a": None}},
    "list for map": {"weights": [0.5]},
    "text for map": {"weights": "a"},
    "groups": {"weights": {"a": 0.5}, "groups": {"g": ["a", "b"], "h": []}},
    "number groups": {"weights": {"a": 0.5}, "groups": {"g": [1]}},
    "null groups": {"weights": {"a": 0.5}, "groups": None},
    "tree": {"weights": {"a": 0.5}, "tree": {"a": {"b": 1}}},
    "flat tree": {"weights": {"a": 0.5}, "tree": {"a": 1}},
    "double tree": {"weights": {"a": 0.5}, "tree": {"a": {"b": 1.5}}},
}

_ANY: dict[str, dict[str, Any]] = {
    "integer": {"anything": 1},
    "double": {"anything": 1.5},
    "text": {"anything": "a"},
    "true": {"anything": True},
    "list": {"anything": [1, "a", None]},
    "empty list": {"anything": []},
    "object": {"anything": {"a": [1, {"b": None}]}},
    "empty object": {"anything": {}},
    "nan": {"anything": float("nan")},
    "big": {"anything": 2**70},
    "more": {"anything": 1, "more": [1]},
    "null more": {"anything": 1, "more": None},
    "x": {"anything": "a", "x": 1},
    "bad x": {"anything": "a", "x": "b"},
}
