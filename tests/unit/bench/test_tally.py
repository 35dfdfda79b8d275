import math

import pytest

from pelton.bench.tally import Tally

HEAD = (
    b"HTTP/1.1 200 OK\r\nserver-timing: predict;dur=5, batch;desc=2\r\nServed-Model-Name: m-1\r\n"
)


def test_intervals_add_up_to_the_whole() -> None:
    tally = Tally()
    for second, latency_s in enumerate([0.01, 0.02, 0.4], 1):
        for _ in range(10):
            tally.succeed(latency_s, b"", 2, in_window=True)
        tally.fail("429", 0.001, b'{"error_code": "QUEUE_FULL"}')
        interval = tally.close_interval(float(second), 3, 4)
        assert (interval.good, interval.bad) == (10, 1)
        assert interval.p50_s == pytest.approx(latency_s, rel=0.01)
    assert tally.good == tally.in_window == 30
    assert tally.rows == 60
    assert tally.bad == 3
    assert tally.latency.percentile(50) == pytest.approx(0.02, rel=0.01)
    assert tally.failed.total == 3
    assert tally.first_errors == {"429": '{"error_code": "QUEUE_FULL"}'}


def test_an_interval_without_answers_has_no_percentiles() -> None:
    interval = Tally().close_interval(0.25, 0, 0)
    assert interval.good == 0
    assert math.isnan(interval.p99_s)


def test_headers_are_read_from_a_sample() -> None:
    tally = Tally()
    for round_ in range(2):
        for _ in range(2000):
            tally.succeed(0.001, HEAD, 1, in_window=True)
        tally.close_interval(float(round_ + 1), 0, 0)
    read = tally.stages.stages["predict"].total
    assert 1000 < read < 1300  # fewer and fewer in the first interval, one in eight of the second
    assert tally.served_by["m-1"] == read
    assert tally.stages.batch_sizes == {2: read}


def test_every_header_of_few_answers_is_read() -> None:
    tally = Tally()
    for round_ in range(4):
        for _ in range(200):
            tally.succeed(0.001, HEAD, 1, in_window=True)
        tally.close_interval(float(round_ + 1), 0, 0)
    assert tally.stages.stages["predict"].total == 800


def test_answers_after_the_window_are_answers_but_no_throughput() -> None:
    tally = Tally()
    tally.succeed(0.001, b"", 1, in_window=True)
    tally.succeed(0.001, b"", 1, in_window=False)
    tally.close_interval(1.0, 0, 0)
    assert (tally.good, tally.in_window) == (2, 1)
