import pytest

from pelton.bench import quantity
from pelton.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("50ms", 0.05), ("10s", 10), ("2m", 120), ("1.5", 1.5), ("250us", 250e-6), (".5 s", 0.5)],
)
def test_durations_are_read_with_their_units(text: str, seconds: float) -> None:
    assert quantity.duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "ms", "-1s", "0", "10 parsecs", "1s2", "nan"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match="500ms"):
        quantity.duration_s(text)


def test_lists_and_ramps() -> None:
    assert quantity.rates("100,200.5") == [100, 200.5]
    assert quantity.counts("1,8,32") == [1, 8, 32]
    assert quantity.ramp("100:1000") == (100, 1000)


@pytest.mark.parametrize("text", ["0", "-1", "x", "1,,2", "inf", "nan"])
def test_rates_must_be_above_zero(text: str) -> None:
    with pytest.raises(ConfigError):
        quantity.rates(text)


@pytest.mark.parametrize("text", ["1.5", "0", "a", ""])
def test_counts_must_be_whole(text: str) -> None:
    with pytest.raises(ConfigError):
        quantity.counts(text)


def test_a_ramp_needs_both_ends() -> None:
    with pytest.raises(ConfigError, match="FROM:TO"):
        quantity.ramp("100")


def test_a_mix_is_normalised() -> None:
    assert quantity.mix("1") == {1: 1.0}
    assert quantity.mix("1:80,32:20") == {1: 0.8, 32: 0.2}
    assert quantity.mix("1,1,2:2") == {1: 0.5, 2: 0.5}


@pytest.mark.parametrize("text", ["0:1", "1:0", "a:1", "1:"])
def test_a_mix_needs_rows_and_weights(text: str) -> None:
    with pytest.raises(ConfigError):
        quantity.mix(text)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.00085, "850 µs"), (0.0123, "12.3 ms"), (2.049, "2.05 s"), (1500, "1500 s")],
)
def test_durations_are_shown_with_three_digits(seconds: float, shown: str) -> None:
    assert quantity.show_duration(seconds) == shown
