from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton.notation import count, duration, one_of, positive, show, size, switch


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        (1048576, 1048576),
        ("1k", 1024),
        ("16MB", 16 * 1024**2),
        ("16 MiB", 16 * 1024**2),
        ("1.5g", 3 * 512 * 1024**2),
        (" 2 TB ", 2 * 1024**4),
    ],
)
def test_sizes(text: object, size_bytes: int) -> None:
    assert size(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120.0), (1.5, 1.5), ("250ms", 0.25), ("1.5s", 1.5), ("5m", 300.0), ("2h", 7200.0)],
)
def test_durations(text: object, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "value"),
    [(True, True), (False, False), ("yes", True), ("Off", False), ("1", True), (" no ", False)],
)
def test_switches(text: object, value: bool) -> None:
    assert switch(text) is value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (size, ""),
        (size, "1.2.3"),
        (size, "-1"),
        (size, "16 miles"),
        (duration, "soon"),
        (duration, "."),
        (duration, "-1"),
        (count, "-1"),
        (count, "1.5"),
        (count, "many"),
        (positive, "0"),
        (switch, "maybe"),
        (switch, ""),
        (one_of("auto", "off"), "on"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(parse: Callable[[object], object], text: str) -> None:
    with pytest.raises(ValueError, match=r"is no |negative|less than|neither|none of"):
        parse(text)


def test_choices_are_taken_in_any_case() -> None:
    assert one_of("Small", "Medium")("MEDIUM") == "Medium"


@given(st.integers(0, 2**50))
def test_sizes_are_shown_as_they_are_read(value: int) -> None:
    assert size(show(value)) == value


@given(st.integers(0, 10**7))
def test_durations_are_shown_as_they_are_read(milliseconds: int) -> None:
    value = milliseconds / 1000
    assert duration(show(value)) == value


@given(
    parse=st.sampled_from([size, duration, count, positive, switch, one_of("a", "b")]),
    text=st.text(max_size=12),
)
def test_any_text_is_read_or_refused(parse: Callable[[object], object], text: str) -> None:
    with contextlib.suppress(ValueError):
        parse(text)
