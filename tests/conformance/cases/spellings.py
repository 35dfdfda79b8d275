"""One request written in many ways, and numbers that parsers round differently.

A decoder that knows the schema may take short cuts; these are the places where it has to notice
that a document is not quite the one it expects, also late in a long one.
"""

from __future__ import annotations

from typing import Any

from tests.conformance.case import Case, csv, raw, split
from tests.conformance.cases.frames import FOUR, ROW

_COLUMNS = '"columns": ["sepal_length", "sepal_width", "petal_length", "petal_width"]'
_DATA = '"data": [[5.1, 3.5, 1.4, 0.2]]'
_FRAME = f"{{{_COLUMNS}, {_DATA}}}"
_SPLIT = f'"dataframe_split": {_FRAME}'

_SPELLINGS = {
    "plain": f"{{{_SPLIT}}}",
    "compact": f"{{{_SPLIT}}}".replace(", ", ",").replace(": ", ":"),
    "data first": f'{{"dataframe_split": {{{_DATA}, {_COLUMNS}}}}}',
    "spaced": f'\n{{\t"dataframe_split"\r\n:{{ {_COLUMNS} ,\n{_DATA} }} }}\n\n',
    "escaped key": f'{{"dataframe_spli\\u0074": {_FRAME}}}',
    "escaped inner key": f"{{{_SPLIT}}}".replace("columns", "col\\u0075mns"),
    "escaped column": f"{{{_SPLIT}}}".replace("sepal_length", "sepal\\u005flength"),
    "null index": f'{{"dataframe_split": {{"index": null, {_COLUMNS}, {_DATA}}}}}',
    "range index": f'{{"dataframe_split": {{"index": [0], {_COLUMNS}, {_DATA}}}}}',
    "columns twice": f'{{"dataframe_split": {{"columns": ["z"], {_COLUMNS}, {_DATA}}}}}',
    "columns twice, bad last": f'{{"dataframe_split": {{{_COLUMNS}, {_DATA}, "columns": ["z"]}}}}',
    "data twice": f'{{"dataframe_split": {{"data": [], {_COLUMNS}, {_DATA}}}}}',
    "split twice": f'{{"dataframe_split": 1, {_SPLIT}}}',
    "split twice, bad last": f'{{{_SPLIT}, "dataframe_split": 1}}',
    "params first": f'{{"params": {{}}, {_SPLIT}}}',
    "messages too": f'{{{_SPLIT}, "messages": []}}',
    "messages inside": f'{{"dataframe_split": {{{_COLUMNS}, {_DATA}, "messages": []}}}}',
    "garbage after": f"{{{_SPLIT}}}]",
    "spaces after": f"{{{_SPLIT}}}   \n",
    "nul after": f"{{{_SPLIT}}}\0",
    # A key that is ignored is still parsed.
    "ignored nan": f'{{"z": NaN, {_SPLIT}}}',
    "ignored word": f'{{"z": nan, {_SPLIT}}}',
    "ignored bad utf-8": f'{{"z": "\ud800", {_SPLIT}}}',
    "ignored surrogate": f'{{"z": "\\ud800", {_SPLIT}}}',
    "ignored control character": f'{{"z": "\x01", {_SPLIT}}}',
    "ignored bad escape": f'{{"z": "\\x", {_SPLIT}}}',
    "ignored long number": f'{{"z": {"9" * 4301}, {_SPLIT}}}',
    "ignored exponent": f'{{"z": 1e99999, {_SPLIT}}}',
    "ignored depth": f'{{"z": {"[" * 900}{"]" * 900}, {_SPLIT}}}',
    "ignored leading zero": f'{{"z": 01, {_SPLIT}}}',
}

_NUMBERS = [
    *["0", "-0", "0.0", "-0.0", "1E2", "1e+2", "1e-2", "1e0005", "0e0", "0.1", "0.10", "1.0"],
    *["2.2250738585072011e-308", "2.2250738585072014e-308", "4.9406564584124654e-324", "2e-324"],
    *["1.7976931348623157e308", "1.7976931348623159e308", "1e309", "-1e309", "1e-400"],
    *["9007199254740992", "9007199254740993", "9007199254740993.0", "9007199254740995"],
    *["1e22", "1e23", "8.41e21", "9.5e-5", "123456789012345678", "0.1234567890123456789012345678"],
    *[
        "0.500000000000000166533453693773481063544750213623046875",
        "1.00000000000000011102230246251",
    ],
    *["1.00000000000000011102230246251565404236316680908203125", "18446744073709551616"],
    *["9223372036854775807", "9223372036854775808", "-9223372036854775809", "1" + "0" * 308],
    *["1" + "0" * 309, "0." + "0" * 400 + "1", "3.4028235677973366e38", "16777217.0", "true"],
    *["NaN", "-Infinity", '"1"', "null", "[1]"],
]


def cases() -> dict[str, list[Case]]:
    return {
        "sklearn4": [*_spellings(), *_late()],
        "lightgbm": _late(),
        "column-single": [case for number in _NUMBERS for case in _number(number)],
        "columns-required": [*_float32(), *_integers()],
        "tensor-any-shape": [
            raw(f"number {_label(number)}", f'{{"inputs": [[[0.5, {number}]]]}}')
            for number in _NUMBERS
        ],
        "witness": [
            raw(f"number {_label(number)}", f'{{"inputs": [0.5, {number}]}}') for number in _NUMBERS
        ],
    }


def _label(number: str) -> str:
    return number if len(number) <= 60 else f"{number[:6]}…{number[-6:]} ({len(number)} digits)"


def _spellings() -> list[Case]:
    return [raw(f"spelling {name}", text) for name, text in _SPELLINGS.items()]


def _number(number: str) -> list[Case]:
    return [
        raw(f"number split {_label(number)}", _split(number)),
        raw(f"number records {_label(number)}", f'{{"dataframe_records": [{{"x": {number}}}]}}'),
        raw(f"number inputs {_label(number)}", f'{{"inputs": [{number}]}}'),
        raw(f"number beside {_label(number)}", _split("0.5", number)),
        csv(f"number csv {_label(number)}", f"x\n{number}\n"),
    ]


def _split(*numbers: str) -> str:
    rows = ", ".join(f"[{number}]" for number in numbers)
    return f'{{"dataframe_split": {{"columns": ["x"], "data": [{rows}]}}}}'


def _float32() -> list[Case]:
    """A float column rounds twice: the text to a double, the double to a float."""
    return [raw(f"float number {_label(n)}", _row("c_float", n)) for n in _NUMBERS]


def _integers() -> list[Case]:
    return [
        raw(f"{column} number {_label(n)}", _row(column, n))
        for column in ("c_long", "c_integer")
        for n in _NUMBERS
    ]


def _row(column: str, literal: str) -> str:
    good = {
        "c_boolean": "true",
        "c_integer": "1",
        "c_long": "2",
        "c_float": "0.5",
        "c_double": "1.5",
        "c_string": '"text"',
        "c_binary": '"YQ=="',
        "c_datetime": '"2024-02-29"',
        column: literal,
    }
    cells = ", ".join(f'"{name}": {text}' for name, text in good.items())
    return f'{{"dataframe_records": [{{{cells}}}]}}'


def _late() -> list[Case]:
    """Two hundred good rows, and then one that is not."""
    odd: dict[str, Any] = {
        "integers": [5, 3, 1, 0],
        "one integer": [5, 3.5, 1.4, 0.2],
        "null": [5.1, None, 1.4, 0.2],
        "nan": [5.1, float("nan"), 1.4, 0.2],
        "text": [5.1, "3.5", 1.4, 0.2],
        "word": [5.1, "wide", 1.4, 0.2],
        "true": [True, 3.5, 1.4, 0.2],
        "list": [[5.1], 3.5, 1.4, 0.2],
        "object": [{"a": 1}, 3.5, 1.4, 0.2],
        "short": [5.1, 3.5],
        "long": [5.1, 3.5, 1.4, 0.2, 0.1],
        "empty": [],
        "big": [2**53 + 1, 3.5, 1.4, 0.2],
        "bigger": [2**64, 3.5, 1.4, 0.2],
        "infinity": [float("inf"), 3.5, 1.4, 0.2],
        "not a row": 7,
    }
    return [split(f"late {name}", [ROW] * 200 + [row], FOUR) for name, row in odd.items()]
