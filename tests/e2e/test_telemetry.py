"""Logs, headers and metrics of a server that works."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from tests.conftest import Serve
from tests.e2e.endpoint import Endpoint, until
from tests.zoo import build

pytestmark = pytest.mark.xdist_group("telemetry")

LINE = {"dataframe_records": [{"line": "word"}]}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(build("noisy"), "--concurrency", "1", "--name", "words") as endpoint:
        yield endpoint


def test_each_request_has_a_line(endpoint: Endpoint) -> None:
    answer = endpoint.ask(LINE, headers={"X-Request-Id": "trace-me/1"})

    assert answer.headers["x-request-id"] == "trace-me/1"
    line = endpoint.until_log(r"request\.done request_id=trace-me/1 .*$")[0]
    for part in ("status=200", "outcome=ok", r"worker=worker-\d+", r"total_ms=[\d.]+"):
        assert re.search(part, line), line
    for stage in ("queue", "decode", "predict", "encode"):
        assert re.search(rf"{stage}_ms=[\d.e-]+", line), line


def test_request_without_an_id_gets_one(endpoint: Endpoint) -> None:
    ids = {endpoint.ask(LINE).headers["x-request-id"] for _ in range(3)}

    assert len(ids) == 3
    for id in ids:
        endpoint.until_log(rf"request\.done request_id={id} ")


def test_id_that_could_forge_a_log_line_is_replaced(endpoint: Endpoint) -> None:
    answer = endpoint.ask(LINE, headers={"X-Request-Id": "a b status=500"})

    assert " " not in answer.headers["x-request-id"]


def test_times_of_the_stages(endpoint: Endpoint) -> None:
    timing = endpoint.ask(LINE).headers["server-timing"]

    times = dict(re.findall(r"(\w+);dur=([\d.]+)", timing))
    assert set(times) == {"queue", "decode", "predict", "encode", "total"}
    assert float(times["predict"]) <= float(times["total"])


def test_answer_names_the_served_entity(endpoint: Endpoint) -> None:
    assert endpoint.ask(LINE).headers["served-model-name"] == "words"


def test_what_a_model_prints_is_in_the_log(endpoint: Endpoint) -> None:
    endpoint.ask({"dataframe_records": [{"line": "unmistakable"}]})

    for stream, text in (
        ("stdout", ".*printed: unmistakable"),  # what had no line end before may stand before it
        ("stderr", "to stderr: unmistakable"),
        ("stderr", ".*logged: unmistakable"),
        ("stderr", ".*warned: unmistakable"),
    ):
        endpoint.until_log(rf'worker\.output worker=worker-\d+ stream={stream} text="{text}')
    endpoint.until_log(r"worker\.output worker=worker-\d+-fork stream=stdout text=loading$")


def test_metrics_have_databricks_names_and_move(endpoint: Endpoint) -> None:
    page = endpoint.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    names = set(re.findall(r"^# TYPE (\S+)", page.text, re.MULTILINE))
    assert names >= {
        *("cpu_usage_percentage", "mem_usage_percentage", "provisioned_concurrent_requests_total"),
        *("request_count_total", "request_4xx_count_total", "request_5xx_count_total"),
        *("request_latency_ms", "model_prediction_latency_ms", "model_queue_time_ms"),
    }
    before = {
        name: endpoint.metric(name)
        for name in (
            "pelton_requests_total",
            "request_latency_ms_count",
            "pelton_predict_seconds_count",
        )
    }
    refused = endpoint.metric("pelton_requests_total", outcome="model_error", status="400")

    for _ in range(5):
        endpoint.ask(LINE)
    endpoint.ask({"nothing": 1})

    assert {name: endpoint.metric(name) - many for name, many in before.items()} == dict.fromkeys(
        before, 6
    )
    assert (
        endpoint.metric("pelton_requests_total", outcome="model_error", status="400") == refused + 1
    )
    assert endpoint.metric("request_count_total") >= 6
    assert endpoint.metric("request_4xx_count_total") >= 1
    assert endpoint.metric("provisioned_concurrent_requests_total") == 1
    until(lambda: endpoint.metric("mem_usage_percentage") > 0, "memory has been measured")


def test_version_is_the_model_s_mlflow(endpoint: Endpoint) -> None:
    from importlib.metadata import version

    assert endpoint.get("/version").text == version("mlflow")


def test_json_lines(live_endpoint: Serve) -> None:
    endpoint = live_endpoint(build("noisy"), "--log-json", "--concurrency", "1")
    endpoint.ask(LINE, headers={"X-Request-Id": "json-1"})
    endpoint.until_log("json-1")
    assert endpoint.end() == 0

    lines = [json.loads(line) for line in endpoint.log().splitlines()]

    assert all({"time", "level", "event"} <= set(line) for line in lines)
    by_event = {line["event"]: line for line in lines}
    assert by_event["server.stopped"]["status"] == 0
    done = by_event["request.done"]
    assert (done["request_id"], done["status"]) == ("json-1", 200)
    printed = [line["text"] for line in lines if line["event"] == "worker.output"]
    assert any(text.endswith("printed: word") for text in printed)
