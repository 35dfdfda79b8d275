import itertools
from collections import Counter

import pytest

from pelton.bench.request import Body, Mix, Request
from pelton.bench.target import Target

TARGET = Target("127.0.0.1", 1)


def requests(*rows: int) -> list[Request]:
    return [Request(TARGET, Body(str(i).encode(), n)) for i, n in enumerate(rows)]


def test_without_shares_each_request_comes_in_turn() -> None:
    mix = Mix(requests(1, 1, 1))
    assert list(itertools.islice(mix.picks, 6)) == mix.requests * 2


def test_shares_are_of_requests_whatever_the_number_of_bodies() -> None:
    mix = Mix(requests(1, 1, 1, 32), {1: 0.8, 32: 0.2})
    picked = Counter(r.body.rows for r in itertools.islice(mix.picks, 8192))
    assert picked[32] / 8192 == pytest.approx(0.2, abs=0.03)


def test_a_known_answer_is_an_expectation() -> None:
    request = Request(TARGET, Body(b"{}", answer=b"[1.0]"))
    assert request.expectation is not None
    assert request.expectation.met_by(b"[1.0]")
