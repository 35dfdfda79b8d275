from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton.deadline import deadline_after
from pelton.errors import RequestError


def test_without_a_header_the_server_decides() -> None:
    assert deadline_after(120.0, None, 1000.0) == 1120.0


@pytest.mark.parametrize(
    ("header", "deadline"), [("5", 1005.0), ("0.25", 1000.25), (" 7 ", 1007.0)]
)
def test_caller_may_lower_the_deadline(header: str, deadline: float) -> None:
    assert deadline_after(120.0, header, 1000.0) == deadline


@pytest.mark.parametrize("header", ["121", "1e9", "inf"])
def test_caller_may_not_raise_it(header: str) -> None:
    assert deadline_after(120.0, header, 1000.0) == 1120.0


@pytest.mark.parametrize("header", ["", "abc", "0", "-1", "nan", "-inf", "1,5", "5s"])
def test_nonsense_is_the_callers_fault(header: str) -> None:
    with pytest.raises(RequestError, match="positive number of seconds"):
        deadline_after(120.0, header, 1000.0)


@given(header=st.text(max_size=12))
def test_any_header_is_a_deadline_or_a_request_error(header: str) -> None:
    try:
        deadline = deadline_after(120.0, header, 1000.0)
    except RequestError:
        return
    assert 1000.0 <= deadline <= 1120.0
