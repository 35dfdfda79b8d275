"""JSON as Python reads it: tokens, numbers, duplicate keys, encodings, syntax errors."""

from __future__ import annotations

import codecs

from tests.conformance.case import Case, raw


def cases() -> dict[str, list[Case]]:
    return {
        "witness": [*_values(), *_syntax(), *_documents(), *_encodings()],
        "sklearn4": [*_syntax(), *_documents(), *_encodings()],
        "columns-required": _documents(),
        "tensor-unnamed": _documents(),
        "hint-ints": [*_syntax(), *_documents(), *_encodings()],
        "unified-llm": [*_syntax(), *_documents()],
    }


def _values() -> list[Case]:
    """Single values that JSON parsers disagree on, inside a frame."""
    literals = [
        *["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "-0", "-0.0", "0.1e1"],
        *["1E5", "1e+5", "1.0", "123456789012345678901234567890", "1" + "0" * 400, "4.9e-324"],
        *["9007199254740993", "0.1000000000000000055511151231257827", "9223372036854775808"],
        *['"\\u00e9"', '"\\ud83d\\ude00"', '"\\ud800"', '"\\udc00\\ud800"', '"\\/"', '"\\u0000"'],
        *['"\\b\\f\\n\\r\\t"', '"\\u2028"', '"\x7f"', "[[[[[[1]]]]]]", "{}", "[]", "null", "true"],
    ]
    return [
        raw(f"literal {literal[:24]}", f'{{"dataframe_records": [{{"a": {literal}}}]}}')
        for literal in literals
    ]


def _syntax() -> list[Case]:
    texts = {
        "empty": "",
        "blank": " \n\t",
        "word": "hello",
        "unclosed object": '{"inputs": [1]',
        "unclosed array": '{"inputs": [1',
        "unclosed text": '{"inputs": "a',
        "trailing comma": '{"inputs": [1,]}',
        "trailing comma in object": '{"inputs": [1],}',
        "two documents": '{"inputs": [1]} {"inputs": [2]}',
        "trailing garbage": '{"inputs": [1]}x',
        "single quotes": "{'inputs': [1]}",
        "bare key": "{inputs: [1]}",
        "comment": '{"inputs": [1]} // one',
        "missing colon": '{"inputs" [1]}',
        "number key": "{1: [1]}",
        "leading zero": '{"inputs": [01]}',
        "plus": '{"inputs": [+1]}',
        "leading point": '{"inputs": [.5]}',
        "trailing point": '{"inputs": [5.]}',
        "hexadecimal": '{"inputs": [0x1]}',
        "nan in lower case": '{"inputs": [nan]}',
        "minus nan": '{"inputs": [-NaN]}',
        "None": '{"inputs": None}',
        "control character": '{"inputs": ["a\nb"]}',
        "nul": '{"inputs": ["a\0b"]}',
        "bad escape": '{"inputs": ["\\x41"]}',
        "bad unicode escape": '{"inputs": ["\\u12"]}',
        "form": "inputs=1&a=b",
        "too many digits": '{"inputs": [' + "9" * 5000 + "]}",
        "deep": '{"inputs": ' + "[" * 100_000 + "]" * 100_000 + "}",
    }
    return [raw(f"syntax {name}", text) for name, text in texts.items()]


def _documents() -> list[Case]:
    texts = {
        "list": "[1, 2]",
        "empty list": "[]",
        "number": "5",
        "text": '"inputs"',
        "null": "null",
        "true": "true",
        "nan": "NaN",
        "empty object": "{}",
        "unknown key": '{"data": [1]}',
        "only params": '{"params": {}}',
        "two formats": '{"inputs": [1], "instances": [1]}',
        "four formats": (
            '{"inputs": 1, "instances": 1, "dataframe_split": 1, "dataframe_records": 1, "a": 1}'
        ),
        "wrong case": '{"Inputs": [1]}',
        "space in key": '{"inputs ": [1]}',
        "old format": '{"columns": ["a"], "data": [[1]]}',
        "key twice": '{"inputs": [1], "inputs": [2]}',
        "row key twice": '{"dataframe_records": [{"a": 1, "a": 2}]}',
        "split key twice": '{"dataframe_split": {"data": [[1]], "data": [[2]]}}',
        "escaped key": '{"\\u0069nputs": [1]}',
        "empty key": '{"": 1, "inputs": [1]}',
        "whitespace": ' \r\n\t{ "inputs" : [ 1 ] } \r\n',
    }
    return [raw(f"document {name}", text) for name, text in texts.items()]


def _encodings() -> list[Case]:
    text = '{"inputs": ["é\U0001f600"]}'
    encoded = {
        "utf-8": text.encode(),
        "utf-8 with mark": codecs.BOM_UTF8 + text.encode(),
        "utf-16": text.encode("utf-16"),
        "utf-16-le": text.encode("utf-16-le"),
        "utf-16-be": text.encode("utf-16-be"),
        "utf-16-be with mark": codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        "utf-32": text.encode("utf-32"),
        "utf-32-le": text.encode("utf-32-le"),
        "utf-32-be": text.encode("utf-32-be"),
        "latin-1": '{"inputs": ["é"]}'.encode("latin-1"),
        "broken utf-8": b'{"inputs": ["\xc3"]}',
        "overlong utf-8": b'{"inputs": ["\xc0\x80"]}',
        "surrogate in utf-8": b'{"inputs": ["\xed\xa0\x80"]}',
        "odd utf-16": text.encode("utf-16") + b"\x00",
        "mark only": codecs.BOM_UTF8,
        "two marks": codecs.BOM_UTF8 * 2 + text.encode(),
        "gzip magic": b"\x1f\x8b\x08\x00garbage",
        "binary": bytes(range(256)),
    }
    return [raw(f"encoding {name}", body) for name, body in encoded.items()]
