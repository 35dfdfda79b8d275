from __future__ import annotations

import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.puppet import FakeClock

from pelton.telemetry.metrics import SECONDS, Histogram, LastMinute, Metrics

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def _scrape(metrics: Metrics) -> Samples:
    text = metrics.render().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _sample(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_answers_are_counted_by_outcome() -> None:
    metrics = Metrics()
    now = time.monotonic()
    metrics.answered(now, 200, "ok", "fast", 0.004)
    metrics.answered(now, 200, "ok", "fast", 0.004)
    metrics.answered(now, 429, "queue_full", "none", 0.001)
    metrics.answered(now, 500, "worker_crashed", "none", 3.0)
    samples = _scrape(metrics)

    def requests(status: str, outcome: str, path: str) -> float:
        return _sample(samples, "pelton_requests_total", status=status, outcome=outcome, path=path)

    assert requests("200", "ok", "fast") == 2
    assert requests("429", "queue_full", "none") == 1
    assert _sample(samples, "request_count_total") == 4
    assert _sample(samples, "request_4xx_count_total") == 1
    assert _sample(samples, "request_5xx_count_total") == 1
    assert _sample(samples, "pelton_request_seconds_count") == 4
    assert _sample(samples, "pelton_request_seconds_sum") == pytest.approx(3.009)
    assert _sample(samples, "pelton_request_seconds_bucket", le="0.005") == 3
    assert _sample(samples, "pelton_request_seconds_bucket", le="+Inf") == 4


def test_databricks_names_are_in_milliseconds() -> None:
    metrics = Metrics()
    metrics.answered(time.monotonic(), 200, "ok", "fast", 0.02, (0.003, 0.015, 3))
    samples = _scrape(metrics)
    assert _sample(samples, "model_queue_time_ms_bucket", le="2") == 0
    assert _sample(samples, "model_queue_time_ms_bucket", le="5") == 1
    assert _sample(samples, "model_prediction_latency_ms_sum") == pytest.approx(15.0)
    assert _sample(samples, "pelton_batch_requests_bucket", le="2") == 0
    assert _sample(samples, "pelton_batch_requests_bucket", le="4") == 1


def test_lifecycle_events_are_counted() -> None:
    metrics = Metrics()
    for _ in range(3):
        metrics.event("worker", "failed")
    samples = _scrape(metrics)
    assert _sample(samples, "pelton_lifecycle_events_total", kind="worker", state="failed") == 3


def test_collectors_are_asked_at_each_scrape() -> None:
    metrics = Metrics()
    values = iter([1.0, 2.0])

    def collect() -> Iterable[Metric]:
        yield GaugeMetricFamily("pelton_queued", "waiting", value=next(values))

    metrics.add_collector(collect)
    assert _sample(_scrape(metrics), "pelton_queued") == 1.0
    assert _sample(_scrape(metrics), "pelton_queued") == 2.0


def test_last_minute_forgets(clock: FakeClock) -> None:
    minute = LastMinute(clock)
    minute.count(int(clock()), 200, 1)
    clock.advance(30.0)
    minute.count(int(clock()), 404, 2)
    minute.count(int(clock()), 503, 1)
    assert minute.totals() == (4, 2, 1)
    clock.advance(30.0)
    assert minute.totals() == (3, 2, 1)
    clock.advance(30.0)
    assert minute.totals() == (0, 0, 0)


def test_answers_count_in_the_second_they_were_given(clock: FakeClock) -> None:
    """Whenever they are added up: the scrape comes half a minute later."""
    metrics = Metrics(clock)
    metrics.answered(clock(), 200, "ok", "fast", 0.004)
    clock.advance(31.0)
    metrics.answered(clock(), 200, "ok", "fast", 0.004)
    assert _sample(_scrape(metrics), "request_count_total") == 2
    clock.advance(30.0)
    assert _sample(_scrape(metrics), "request_count_total") == 1


def test_no_answer_is_lost_or_counted_twice_between_scrapes(clock: FakeClock) -> None:
    metrics = Metrics(clock)
    for many in (1, 255, 256, 257, 1000):
        before = _sample(_scrape(metrics), "pelton_request_seconds_count") if many > 1 else 0.0
        for _ in range(many):
            metrics.answered(clock(), 200, "ok", "fast", 0.004, (0.003, 0.015, 3))
        samples = _scrape(metrics)
        for name in ("pelton_request_seconds", "pelton_queue_seconds", "pelton_batch_requests"):
            assert _sample(samples, f"{name}_count") == before + many
        assert (
            _sample(samples, "pelton_requests_total", status="200", outcome="ok", path="fast")
            == before + many
        )


@given(values=st.lists(st.floats(0.0, 1000.0)), at=st.integers(0, 10))
def test_buckets_count_what_is_at_most_their_bound(values: list[float], at: int) -> None:
    histogram = Histogram(SECONDS)
    histogram.observe(values[:at])
    histogram.observe(values[at:])
    pairs = histogram.buckets()
    assert [float(bound) for bound, _ in pairs] == [*SECONDS, float("inf")]
    for bound, many in pairs:
        assert many == sum(value <= float(bound) for value in values)
    assert histogram.sum == pytest.approx(sum(values))
