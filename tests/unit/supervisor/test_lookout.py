"""When what a URI means has changed for good."""

from __future__ import annotations

import pytest

from pelton.supervisor.lookout import Lookout, delay_s


def test_change_counts_when_it_has_settled() -> None:
    lookout = Lookout(3, baseline="a")

    assert [lookout.see(i) for i in "abbabbb"] == [False] * 6 + [True]


def test_without_a_baseline_the_first_settled_sighting_is_it() -> None:
    lookout = Lookout(2)

    assert [lookout.see(i) for i in "abbbcc"] == [False, False, False, False, False, True]


def test_handled_change_is_none_any_more() -> None:
    lookout = Lookout(1, baseline="a")
    assert lookout.see("b")

    lookout.handled("b")

    assert not lookout.see("b")
    assert lookout.see("a")


@pytest.mark.parametrize(
    ("interval_s", "failures", "expected"),
    [(10, 0, 10), (10, 1, 20), (10, 3, 80), (10, 9, 300), (10, 10_000, 300), (600, 5, 600)],
)
def test_back_off(interval_s: float, failures: int, expected: float) -> None:
    assert delay_s(interval_s, failures) == expected
