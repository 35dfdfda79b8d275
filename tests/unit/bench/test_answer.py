import json

import pytest

from pelton.bench.answer import Expectation


def met(got: str, expected: str) -> bool:
    return Expectation(expected.encode()).met_by(got.encode())


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ('{"predictions": [1.0, "a", null, true]}', '{"predictions":[1.0,"a",null,true]}'),
        ("[1.0000001]", "[1.0]"),
        ("[1]", "[1.0]"),
        ("[NaN]", "[NaN]"),
        ("[1e-9]", "[0.0]"),
        ("plain", "plain"),
    ],
)
def test_the_same_answer_in_other_words(got: str, expected: str) -> None:
    assert met(got, expected)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ("[1.01]", "[1.0]"),
        ("[2]", "[1]"),
        ("[1]", "[true]"),
        ("[true]", "[1.0]"),
        ('["1"]', "[1]"),
        ("[1, 2]", "[1]"),
        ('{"a": 1}', '{"a": 1, "b": 2}'),
        ("[0]", "[NaN]"),
        ("[NaN]", "[0.0]"),
        ('"x"', "[1.0]"),
        ("[1.0", "[1.0]"),
        ("plain", "other"),
        ("[1.0]", "other"),
    ],
)
def test_another_answer_is_wrong(got: str, expected: str) -> None:
    assert not met(got, expected)


def test_a_spelling_once_compared_is_remembered_but_not_without_end() -> None:
    expectation = Expectation(b"[1.0]")
    for digit in range(1000):
        assert expectation.met_by(json.dumps([1.0 + digit * 1e-12]).encode())
    assert expectation.met_by(b"[1.0]")
    assert not expectation.met_by(b"[2.0]")
