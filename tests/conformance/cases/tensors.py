"""Tensor signatures: dtypes, shapes, names."""

from __future__ import annotations

from typing import Any

from tests.conformance.case import Case, csv, inputs, instances, parquet, records, split

NAN = float("nan")

_VALUES: dict[str, list[Any]] = {
    "tensor-unnamed": [
        *[[[1.0, 2.0, 3.0]], [[1, 2, 3], [4, 5, 6]], [["1.5", "2", "3"]], [[0.1, 1e39, -1e39]]],
        *[[[1.0, 2.0]], [1.0, 2.0, 3.0], [[[1.0, 2.0, 3.0]]], [], [[]], [[1.0, 2.0, 3.0], [1.0]]],
        *[[[None, 1.0, 2.0]], [[True, False, True]], [["a", "b", "c"]], [[NAN, 1.0, 2.0]]],
        *[1.0, "a", None, {"x": [[1.0, 2.0, 3.0]]}, [{"x": [1.0, 2.0, 3.0]}]],
    ],
    "tensor-integer": [
        *[[1, 2, 3], [3.7, -3.7], ["7"], [True], [None], [2**63], [2**64], [NAN], [[1]], [], 5],
        *[["1.5"], ["a"], [1, 2.0], {"x": [1]}, [2**63 - 1], [-(2**63)]],
    ],
    "tensor-bytes": [
        *[[[[0, 255], [1, 2]]], [[[256, 0], [0, 0]]], [[[-1, 0], [0, 0]]], [[[0.5, 1], [1, 1]]]],
        *[[[0, 1]], [[["1", "2"], ["3", "4"]]], [[[None, 1], [1, 1]]]],
    ],
    "tensor-boolean": [
        *[[[True, False]], [[1, 0]], [[2, 0.5]], [["", "a"]], [["False", "x"]], [[None, True]]],
        *[[True, False], [[True, False, True]], [[]]],
    ],
    "tensor-any-shape": [
        *[[[[1.0]]], [[[1.0, 2.0]], [[3.0, 4.0]]], [[1.0]], [[[]]], [[]], [], [[[1, 2], [3]]]],
        *[[[["1", None]]], [[[[1.0]]]]],
    ],
    "tensor-object": [
        *[["a", "b"], [1, 2], [1, "a", None], [[1], [2, 3]], [["a"]], [{"a": 1}, {"a": 2}], []],
        *["a", None, {"x": ["a"]}, [True], [[1, 2], [3, 4]]],
    ],
    "tensor-text": [["a", "bcd"], [1, 2.5], [None], ["é"], [True], [], [["a"]], "a"],
    "tensor-named": [
        *[{"x": [[1.0, 2.0]]}, {"x": [[1, 2], [3, 4]]}, {"x": [1.0, 2.0]}, {"y": [[1.0, 2.0]]}],
        *[{"x": [[1.0, 2.0]], "y": 1}, [[1.0, 2.0]], [1.0, 2.0], {"x": [["1", "2"]]}, {"x": []}],
        *[{"x": None}, {}, [], [{"x": [1.0, 2.0]}, {"x": [3.0, 4.0]}], [{"x": [1.0, 2.0]}, {}]],
    ],
    "tensors-named": [
        {"image": [[[1, 2], [3, 4]]], "ids": [1], "mask": [[True]]},
        {"image": [[[1, 2], [3, 4]]], "ids": [1, 2, 3], "mask": [[True]]},
        {"mask": [[True]], "ids": [1], "image": [[[1, 2], [3, 4]]], "other": [1]},
        {"image": [[[1, 2], [3, 4]]], "ids": [1]},
        {"image": [[1, 2], [3, 4]], "ids": [1], "mask": [[True]]},
        {"image": [[["1", None], [3, 4]]], "ids": [1.5], "mask": [[0]]},
        {"image": [[[1, 2], [3, 4]]], "ids": ["x"], "mask": [[True]]},
        [{"image": [[1, 2], [3, 4]], "ids": 1, "mask": [True]}] * 2,
        [{"image": [[1, 2], [3, 4]], "ids": 1, "mask": [True]}, {"image": [[1, 2], [3, 4]]}],
        [[1.0]],
        {},
    ],
}


def cases() -> dict[str, list[Case]]:
    return {
        model: [
            *[
                case
                for number, value in enumerate(values)
                for case in (
                    inputs(f"inputs {number}", value),
                    instances(f"instances {number}", value),
                )
            ],
            *_frames(),
        ]
        for model, values in _VALUES.items()
    }


def _frames() -> list[Case]:
    """What a frame becomes where a tensor is expected."""
    return [
        split("split three", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], ["a", "b", "c"]),
        split("split three unnamed", [[1, 2, 3]]),
        split("split integers", [[1, 2, 3]], ["a", "b", "c"]),
        split("split one", [[1], [2]], ["x"]),
        split("split text", [["a"], ["b"]], ["x"]),
        split("split lists", [[[1.0, 2.0]], [[3.0, 4.0]]], ["x"]),
        split("split lists of three", [[[1, 2, 3]]], ["x"]),
        split("split matrices", [[[[1, 2], [3, 4]]]], ["x"]),
        split("split null", [[None, 1.0, 2.0]], ["a", "b", "c"]),
        split("split no rows", [], ["x"]),
        records("records one", [{"x": 1.0}]),
        records("records lists", [{"x": [1.0, 2.0]}]),
        records("records named", [{"image": [[1, 2], [3, 4]], "ids": 1, "mask": [True]}] * 2),
        records("records of rows", [[1.0, 2.0, 3.0]]),
        records("records empty", []),
        csv("csv", "a,b,c\n1,2,3\n"),
        csv("csv x", "x\n1\n"),
        parquet("parquet", {"a": [1.0], "b": [2.0], "c": [3.0]}),
    ]
