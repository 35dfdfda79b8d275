"""What is parsed at all is parsed as ``json.loads`` parses it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton.worker.fastpath import document
from pelton.worker.fastpath.likeness import same_input

_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=5),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)

TEXTS = [
    b"-0", b"-0.0", b"0e0", b"1e400", b"-1e400", b"2e-324", b"5e-324", b"1.7976931348623159e308",
    b"18446744073709551616", b"18446744073709551615", b"9223372036854775808", b"1" + b"0" * 400,
    b"-9223372036854775809", b"1" * 5000, b"0.1", b"1E5", b"01", b"1.", b".5", b"+1", b"NaN",
    b"Infinity", b"-Infinity", b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"\xff"',
    b'"a\tb"', b'"\\/"', b'"\\x"', b"'a'", b"\xef\xbb\xbf1", b"1\x00", b"\xc2\xa01", b" [1] ", b"",
    b"[1,]", b"[1] x", b'{"a":1,"b":2,"a":3}', b'[{"a":{"x":1,"x":[2]},"a":{"x":{}}}]',
    b'{"a":[],"a":1}', b"{1:2}", b"true", b"True", b"null", b"[" * 5000 + b"]" * 5000,
    '{"é":"ü"}'.encode("utf-16"), '{"é":"ü"}'.encode("utf-32"), '{"é":"ü"}'.encode("latin-1"),
    b"123456789012345678901234567890.0", b"0.30000000000000004", b"1e22", b"1e23", b"8.41e21",
    b"9007199254740993.0", b"2.2250738585072011e-308", b"0.500000000000000166533453693773481063",
]  # fmt: skip


def assert_read_alike(body: bytes) -> None:
    try:
        read = document.parse(body)
    except (ValueError, RecursionError):
        return
    if document.is_certain(read):
        expected = json.loads(body)
        assert same_input(read, expected), body


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:40]))
def test_odd_texts(text: bytes) -> None:
    assert_read_alike(text)
    assert_read_alike(b'{"a": [' + text + b"]}")


@given(value=_VALUES, ascii_only=st.booleans())
def test_any_document(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert_read_alike(text.encode("utf-8", "surrogatepass"))


@given(digits=st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
def test_any_number(digits: str) -> None:
    assert_read_alike(digits.encode())


@given(body=st.binary(max_size=12))
def test_any_bytes(body: bytes) -> None:
    assert_read_alike(body)


@pytest.mark.parametrize(
    "value", [2.0**63, [-(2.0**63)], {"a": [math.inf]}, {"a": {"b": math.nan}}]
)
def test_a_float_that_may_have_been_an_integer_is_uncertain(value: Any) -> None:
    assert not document.is_certain(value)


def test_an_integer_beyond_64_bits_is_read_alike_or_uncertain() -> None:
    for number in (2**64, -(2**63) - 1, 10**30):
        read = document.parse(b"[%d]" % number)
        assert float(read[0]) == float(number)
        assert type(read[0]) is int or not document.is_certain(read)


def test_deep_nesting_is_uncertain() -> None:
    assert document.is_certain(json.loads("[" * 60 + "]" * 60))
    assert not document.is_certain(json.loads("[" * 70 + "]" * 70))


def test_without_orjson_the_same_is_read_by_the_standard_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(document, "orjson", None)

    assert document.parse(b'{"a": [1, 2.5, "x", null]}') == {"a": [1, 2.5, "x", None]}
    for refused in (b"NaN", b"[Infinity]", b"{", b'"\xff"'):
        with pytest.raises(ValueError):  # noqa: PT011  any reader's own error will do
            document.parse(refused)
