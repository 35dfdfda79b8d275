"""Lists of numbers are read as ``json.loads`` and NumPy read them, or not at all."""

from __future__ import annotations

import ctypes
import json
import mmap
import shutil
import struct
from decimal import Context, Decimal, localcontext
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pelton_kernels import json_lists

settings.register_profile("kernels", derandomize=True, deadline=None, database=None)
settings.load_profile("kernels")

if not json_lists.is_compiled():
    assert shutil.which("cc") is None, "there is a C compiler, so this should have been compiled"
    pytest.skip("no C compiler", allow_module_level=True)


def assert_read_alike(text: bytes, start: int = 0) -> None:
    found = json_lists.read(text, start)
    if found is None:
        return
    expected, end = json_lists.reference(text, start)
    assert found[1] == end
    assert_same(found[0], expected)


def assert_same(found: Any, expected: Any) -> None:
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()


def read_number(text: str) -> float | None:
    """Return a number that is a list's only one; among others it has to be read alike."""
    found = json_lists.read(f"[{text}]".encode(), 0)
    for separator in (",", ", "):
        row = separator.join(["0.5", text, text, *["-7.25"] * 12])
        among = json_lists.read(f"[{row}]".encode(), 0)
        assert (found is None) == (among is None)
        if found is not None and among is not None:
            assert among[0][1:3].tobytes() == found[0].tobytes() * 2
            assert among[0][[0, *range(3, 15)]].tolist() == [0.5, *[-7.25] * 12]
    return None if found is None else float(found[0][0])


def bits(number: float) -> bytes:
    return struct.pack("d", number)


@given(number=st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False))
@example(1.7976931348623157e308)
@example(2.2250738585072014e-308)
@example(5e-324 * 2**52)
@example(-0.0)
def test_every_normal_double_that_python_writes_is_read(number: float) -> None:
    found = read_number(repr(number))
    assert found is not None
    assert bits(found) == bits(number)


@given(number=st.integers(-(2**53), 2**53))
def test_every_exact_integer_is_read(number: int) -> None:
    found = read_number(str(number))
    assert found is not None
    assert bits(found) == bits(float(number))


@given(
    digits=st.from_regex(
        r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
    )
)
@example("9007199254740993.0")  # half way, to even
@example("9007199254740995.0")
@example("1152921504606846977e0")
@example("0e999")
@example("0.00000000000000000000000000001234567890123456789")
@example("1e23")
@example("8.5e-320")
@example("2.2250738585072011e-308")
@example("1.7976931348623159e308")
@example("4.9406564584124654e-324")
def test_any_number_is_read_as_python_reads_it(digits: str) -> None:
    found = read_number(digits)
    if found is not None:
        assert bits(found) == bits(float(json.loads(digits)))


@given(mantissa=st.integers(2**52, 2**53 - 1), power=st.integers(-60, 60), nudge=st.integers(-2, 2))
def test_near_ties(mantissa: int, power: int, nudge: int) -> None:
    """As close to the middle of two doubles as 19 digits allow; in the middle, where they do."""
    with localcontext(Context(prec=200)):
        middle = Decimal(2 * mantissa + 1) * Decimal(2) ** (power - 1)
        head, exponent = f"{middle:.18e}".split("e")
    digits = int(head.replace(".", "")) + nudge
    found = read_number(f"{digits}e{int(exponent) - 18}")
    assert found is not None
    assert bits(found) == bits(float(f"{digits}e{int(exponent) - 18}"))


_NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**54), 2**54),
    st.integers(-9, 9),
)
_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=2),
    st.sampled_from([[], [1], [[1]], {}, {"a": 1}, 2**53, 2**63, 2**70, 1e300, float("nan")]),
)
_SHAPES = st.sampled_from([(12,), (3, 4), (12, 1), (1, 12), (2, 3, 2), (1, 1, 12)])
_FORMS = st.sampled_from([{}, {"separators": (",", ":")}, {"indent": 1}, {"indent": "\t\r\n "}])


@given(
    numbers=st.lists(_NUMBERS, min_size=12, max_size=12),
    shape=_SHAPES,
    odd=st.none() | st.tuples(st.integers(0, 11), _ODD),
    form=_FORMS,
    around=st.tuples(st.text(max_size=3), st.text(max_size=12)),
)
def test_any_lists(
    numbers: list[Any], shape: tuple[int, ...], odd: Any, form: Any, around: tuple[str, str]
) -> None:
    value = np.array(numbers, dtype=object)
    if odd is not None:
        value[odd[0]] = None
    nested = value.reshape(shape).tolist()
    if odd is not None:
        holder = nested
        while type(holder[-1]) is list:
            holder = holder[-1]
        holder[-1] = odd[1]
    before, after = (text.encode() for text in around)
    text = before + json.dumps(nested, **form).encode() + after
    for buffer in (text, bytearray(text), memoryview(text)):
        found = json_lists.read(buffer, len(before))
        if found is not None:
            expected, end = json_lists.reference(text, len(before))
            assert found[1] == end
            assert_same(found[0], expected)


@pytest.mark.parametrize(
    "text",
    [
        b"[1]",
        b"[[1, 2.5], [-3, 4e2]]",
        b" [ 1 ,\t2\r\n] ",
        b"[-0, -0.0, 0]",
        b"[1e300, 1E5, 1e+5, 1e-05]",
        b"[9007199254740992]",
        b"[" * 8 + b"1" + b"]" * 8,
        b"[1][2]",
        b"[1],",
    ],
)
def test_what_is_read(text: bytes) -> None:
    start = text.find(b"[")
    assert json_lists.read(text, start) is not None
    assert_read_alike(text, start)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[",
        b"1",
        b"[]",
        b"[[]]",
        b"[1",
        b"[1,",
        b"[1,]",
        b"[,1]",
        b"[1 2]",
        b"[[1, 2], [3]]",
        b"[[1, 2], 3]",
        b"[1, [2]]",
        b"[[1, 2], [[1], [2]]]",
        b"[[[1], [2]], [1, 2]]",
        b"[[[1, 2]], [[3]]]",
        b"[true]",
        b"[null]",
        b'["1"]',
        b"[{}]",
        b"[NaN]",
        b"[-Infinity]",
        b"[+1]",
        b"[-]",
        b"[--1]",
        b"[.5]",
        b"[1.]",
        b"[01]",
        b"[-01.5]",
        b"[1e]",
        b"[1e+]",
        b"[1.5.5]",
        b"[0x10]",
        b"[1_000]",
        b"[\xef\xbc\x91]",
        b"[1\x00]",
        b"[1e400]",
        b"[1e99999]",
        b"[5e-324]",
        b"[9007199254740993]",
        b"[-18446744073709551617]",
        b"[0.12345678901234567890]",
        b"[" * 9 + b"1" + b"]" * 9,
        b"[" * 100_000,
    ],
    ids=lambda text: repr(text[:30]),
)
def test_what_is_not_read(text: bytes) -> None:
    assert json_lists.read(text, 0) is None


@given(text=st.binary(max_size=40) | st.from_regex(rb"\[[-+0-9.eE, \[\]]{0,30}\]", fullmatch=True))
def test_anything_else_is_not_read(text: bytes) -> None:
    assert_read_alike(text)


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("digits", range(1, 19))
@given(after=st.binary(max_size=9))
@example(after=b"")
@example(after=b"99999999")  # digits that are no part of the number
@example(after=b"\xff\xba/:\x00\xb9\x80\x7f")
def test_a_fraction_of_any_length_whatever_follows(sign: str, digits: int, after: bytes) -> None:
    number = f"{sign}7.{'192837465091827364'[:digits]}"
    found = json_lists.read(f"[{number}]".encode() + after, 0)
    assert found is not None
    assert found[0].tolist() == [float(number)]
    assert found[1] == len(number) + 2


@given(
    text=st.lists(_NUMBERS, min_size=1, max_size=4).map(lambda cells: json.dumps(cells).encode()),
    data=st.data(),
)
def test_nothing_beyond_the_text_is_read(text: bytes, data: st.DataObject) -> None:
    """A shorter view of the same memory ends where it says."""
    length = data.draw(st.integers(0, len(text) - 1))
    assert json_lists.read(memoryview(bytearray(text))[:length], 0) is None


_FRACTIONS = st.from_regex(r"-?[0-9]\.[0-9]{1,19}", fullmatch=True)
_SEPARATORS = st.sampled_from([",", ", ", " ,", ",  ", ",\n"])


@given(
    row=st.lists(st.tuples(_FRACTIONS, _SEPARATORS), min_size=2, max_size=9),
    usual=st.none() | st.sampled_from([",", ", "]),
    odd=st.none() | st.tuples(st.integers(0), st.binary(min_size=1, max_size=1), st.booleans()),
)
def test_rows_of_fractions_however_they_are_separated(row: Any, usual: Any, odd: Any) -> None:
    """And with any byte in place of another, or between two: as JSON is read, or not at all."""
    text = "".join(number + (usual or separator) for number, separator in row)
    text = bytearray(f"[{text}-0.1234567890123456]".encode() + b" " * 40)
    if odd is None:
        found = json_lists.read(text, 0)
        digits = [number.replace(".", "").lstrip("-0") for number, _ in row]
        assert (found is not None) == (max(map(len, digits)) <= 19)
    else:
        place, byte, between = odd
        place %= len(text) - 40
        text[place : place + (not between)] = byte
    try:
        json_lists.reference(bytes(text), 0)
    except ValueError:
        assert json_lists.read(text, 0) is None
    else:
        assert_read_alike(bytes(text))


@pytest.mark.parametrize("separator", [",", ", "])
@pytest.mark.parametrize(
    "odd",
    [
        *(
            "1.",
            "-1.",
            ".5",
            "-.5",
            "..5",
            ":.5",
            "/.5",
            "-",
            "-.",
            "--1.5",
            "1.5.5",
            "1.-5",
            "1. 5",
        ),
        *("01.5", "1,.5", "1:5", "0.1:", "0./1", "0.123456789012345:", "0.1234567890123456:"),
        *("0.12345678901234567/", "0.12345678901234567\xb9", "0.123456\xb9"),
    ],
)
def test_what_is_no_number_is_not_read_among_others(odd: str, separator: str) -> None:
    row = separator.join(["0.5", odd, *["-7.25"] * 12])
    assert json_lists.read(f"[{row}]".encode("latin-1"), 0) is None


def test_no_memory_behind_a_text_is_touched() -> None:
    """Texts of any length that end where a page ends, with one behind it that nobody may read."""
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * page)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(ctypes.c_void_p(address + page), page, 0) == 0  # PROT_NONE
    row = json.dumps([0.5, -7.123456789012345, 0.1234567890123456] * 9).encode()
    try:
        for length in range(1, len(row) + 1):
            text = row[:length]
            memory[page - length : page] = text
            found = json_lists.read(memoryview(memory)[page - length : page], 0)
            assert (found is None) == (length < len(row))
    finally:
        assert (
            libc.mprotect(ctypes.c_void_p(address + page), page, mmap.PROT_READ | mmap.PROT_WRITE)
            == 0
        )


_ROWS = st.lists(
    st.lists(_NUMBERS, min_size=2, max_size=2) | st.lists(_NUMBERS, min_size=1, max_size=3),
    min_size=1,
    max_size=3,
)
_TABLES = st.one_of(
    _ROWS.map(json.dumps),
    st.lists(st.floats(-9, 9), min_size=1, max_size=3).map(json.dumps),
    st.lists(st.floats(-9, 9), min_size=4, max_size=4).map(lambda row: json.dumps([[row], [row]])),
    st.sampled_from(["[]", "[1, 2]", "[[1, 2]], [[3, 4]]", "[[1, null]]", "null", "[[1, 2]", ""]),
)
_AROUND = st.sampled_from([(b"", b""), (b'{"a": ', b"}"), (b'{"a": ', b"}\n"), (b"[", b"]")])


@given(
    tables=st.lists(_TABLES, min_size=1, max_size=4),
    around=_AROUND,
    odd=st.none() | st.tuples(st.integers(0, 3), st.binary(max_size=12)),
    copied_bytes=st.sampled_from([-1, json_lists._COPIED_BYTES]),
)
def test_lists_of_several_texts(
    tables: list[str], around: tuple[bytes, bytes], odd: Any, copied_bytes: int
) -> None:
    """Large ones where they are, small ones copied behind each other."""
    prefix, suffix = around
    texts = [prefix + table.encode() + suffix for table in tables]
    if odd is not None:
        texts[odd[0] % len(texts)] = odd[1]
    with mock.patch.object(json_lists, "_COPIED_BYTES", copied_bytes):
        found = json_lists.read_several(texts, prefix, suffix)
    if found is None:
        return
    expected, counts = json_lists.reference_several(texts, prefix, suffix)
    assert found[1] == counts
    assert_same(found[0], expected)


@given(rows=st.lists(st.lists(st.floats(-9, 9), min_size=3, max_size=3), min_size=2, max_size=9))
def test_usual_rows_are_read(rows: list[list[float]]) -> None:
    texts = [f'{{"a": [{json.dumps(row)}]}}'.encode() for row in rows]
    assume(not any(0 < abs(cell) < 1e-300 for row in rows for cell in row))
    found = json_lists.read_several(texts, b'{"a": ', b"}")
    assert found is not None
    assert_same(found[0], np.array(rows))
    assert found[1] == [1] * len(rows)


@pytest.mark.parametrize(
    "texts",
    [
        [b"{[[1, 2]]}", b"{[[1, 2, 3]]}"],
        [b"{[[1, 2]]}", b"{[[1, 2]]"],
        [b"{[[1, 2]]}", b"[[1, 2]]}"],
        [b"{[[1, 2]]}", b"{[[1, 2]]}\x00"],
        [b"{[[1, 2]]\x00}", b"{[[1, 2]]}"],
        [b"{[[1, 2]]}", b"{[[1, 2]]]}"],
        [b"{[[1, 2]]}", b"{[[[1, 2]]]}"],
        [b"{[1, 2]}", b"{[[1, 2]]}"],
        [b"{[[[1], [2]]]}", b"{[[1, 2]]}"],
        [b"{[[[1], [2]]]}", b"{[[[1], [2], [3]]]}"],
        [b"{[[1, 2]]}", b"{}"],
        [b"{[[1, 2]]}", b"{"],
        [b"{[[1, 2]]}", b""],
        [b"{[[1, 2]]}{", b"[[1, 2]]}"],
        [b"{[[1, 2]]", b"}{[[1, 2]]}"],
        [b"", b"{[[1, 2]]}{[[1, 2]]}"],
    ],
)
def test_what_is_not_all_alike_is_not_read(texts: list[bytes]) -> None:
    assert json_lists.read_several(texts, b"{", b"}") is None
    assert json_lists.read_several(texts[::-1], b"{", b"}") is None


@pytest.mark.parametrize("shape", [(5,), (2, 3), (1, 2, 2, 2)])
def test_lists_of_any_depth_follow_each_other(shape: tuple[int, ...]) -> None:
    arrays = [np.random.default_rng(seed).normal(size=shape) for seed in range(3)]
    texts = [b"{" + json.dumps(array.tolist()).encode() + b"}" for array in arrays]
    found = json_lists.read_several(texts, b"{", b"}")
    assert found is not None
    assert_same(found[0], np.concatenate(arrays))
    assert found[1] == [shape[0]] * 3


def test_several_are_read_of_bytes_only() -> None:
    with pytest.raises(TypeError):
        json_lists.read_several([bytearray(b"[[1]]")], b"", b"")  # type: ignore[list-item]


def test_a_result_outlives_the_next_reading() -> None:
    first = json_lists.read(b"[1, 2]", 0)
    second = json_lists.read(b"[3, 4]", 0)

    assert first is not None
    assert second is not None
    assert first[0].tolist() == [1.0, 2.0]
    assert second[0].tolist() == [3.0, 4.0]


def test_a_result_keeps_no_more_memory_than_its_numbers() -> None:
    text = json.dumps([[0.1234567890123] * 10] * 1000).encode()
    alone = json_lists.read(text, 0)
    several = json_lists.read_several([b"{" + text + b"}"] * 20, b"{", b"}")

    assert alone is not None
    assert several is not None
    for numbers in (alone[0], several[0]):
        while numbers.base is not None:
            assert isinstance(numbers.base, np.ndarray)
            numbers = numbers.base
        assert numbers.nbytes in (80_000, 20 * 80_000)


def test_without_the_library_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lists, "_library", None)

    assert json_lists.read(b"[1]", 0) is None
    assert json_lists.read_several([b"[[1]]"], b"", b"") is None


def test_a_library_of_another_version_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(path: str) -> object:
        return json_lists.ctypes.CDLL(None)  # it has none of the functions

    assert json_lists._load(load) is None


@pytest.mark.parametrize("content", [None, b"", b"\x7fELF of another machine"])
def test_a_library_that_cannot_be_loaded_is_none(
    content: bytes | None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "library.so"
    if content is not None:
        library.write_bytes(content)
    monkeypatch.setattr(json_lists, "_LIBRARY", library)

    assert json_lists._load(json_lists.ctypes.CDLL) is None
