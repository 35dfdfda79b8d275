"""A request's way through the front end, on both ways: the short one and ASGI's.

The short one twice: heads that are known, which compiled code reads, and heads that are not.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import pytest
from tests.unit.frontend.front import Front, Way, front_end, read_answer, request, until

from pelton.batching.entry import About, Answer
from pelton.channel.bodies import SharedBodies, place_of
from pelton.errors import Draining, NotReady, WorkerCrashed, WorkerLost
from pelton.frontend.exchange import Exchange
from pelton.frontend.invocations import read_head

pytestmark = [pytest.mark.parametrize("way", ["known", "short", "asgi"]), pytest.mark.timeout(120)]


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


def test_raw_body_goes_in_and_the_answer_comes_out(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            asking = asyncio.ensure_future(
                front.ask(b"\x00\xff raw", headers={"content-type": "text/csv; charset=utf-8"})
            )
            (entry,) = await front.running()
            assert bytes(entry.body) == b"\x00\xff raw"
            assert entry.content_type == "text/csv; charset=utf-8"
            about = About(
                201,
                "text/plain; charset=utf-8",
                0.001,
                0.002,
                0.003,
                4,
                "fast",
                "worker-9",
            )
            front.answer(entry, Answer(about, b"body"))
            got = await asking
            assert (got.status, got.body) == (201, b"body")
            assert got.headers["content-type"] == "text/plain; charset=utf-8"
            assert got.headers["served-model-name"] == "iris-1"
            timing = got.headers["server-timing"]
            assert "decode;dur=1.000, predict;dur=2.000, encode;dur=3.000" in timing
            assert 'batch;desc="4"' in timing
            (line,) = front.log.lines
            assert (line.status, line.outcome, line.worker, line.path) == (
                201, "ok", "worker-9", "fast",
            )  # fmt: skip
            assert (line.bytes_in, line.bytes_out) == (6, 4)
            assert line.request_id == got.headers["x-request-id"]

    run(scenario())


def test_chunked_body_is_put_together(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            reader, writer = await front.connect()
            head = request(b"", headers={"content-length": "", "transfer-encoding": "chunked"})
            for piece in (head, b"3\r\nabc\r\n", b"2\r\nde\r\n", b"0\r\n\r\n"):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            (entry,) = await front.running()
            assert bytes(entry.body) == b"abcde"
            front.answer(entry)
            assert (await read_answer(reader)).status == 200

    run(scenario())


def test_connection_that_idles_is_closed_after_its_answer(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way, keep_alive_s=1.0) as front:
            reader, writer = await front.connect()
            for many in (1, 2):  # in use it stays open
                writer.write(request(b"{}"))
                (entry,) = await front.running(many)
                front.answer(entry)
                assert (await read_answer(reader)).status == 200
            assert await reader.read() == b"", "the server closes it"

    run(scenario())


def test_connection_that_waits_for_its_answer_does_not_idle(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way, keep_alive_s=1.0) as front:
            idle, once = await front.connect()
            once.write(request(b"{}"))
            (entry,) = await front.running()
            front.answer(entry)
            assert (await read_answer(idle)).status == 200
            reader, writer = await front.connect()
            writer.write(request(b"{}"))
            (entry,) = await front.running(2)
            assert await idle.read() == b"", "more than the limit has passed"
            front.answer(entry)
            assert (await read_answer(reader)).status == 200

    run(scenario())


def test_connection_serves_one_request_after_the_other(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            reader, writer = await front.connect()
            for number in range(1, 4):
                writer.write(request(str(number).encode()))
                (entry,) = await front.running(number)
                front.answer(entry, Answer(About(200, "text/plain"), bytes(entry.body)))
                assert (await read_answer(reader)).body == str(number).encode()

    run(scenario())


def test_pipelined_requests_are_answered_in_their_order(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            reader, writer = await front.connect()
            writer.write(
                request(b"1") + request(method="GET", path="/ping", body=b"") + request(b"2")
            )
            for number in (1, 2):
                (entry,) = await front.running(number)
                front.answer(entry, Answer(About(200, "text/plain"), bytes(entry.body)))
            answers = [await read_answer(reader) for _ in range(3)]
            assert [answer.body for answer in answers] == [b"1", b"\n", b"2"]

    run(scenario())


@pytest.mark.parametrize(
    ("sent", "kept"), [("abc-123", True), ("a=b", True), ('a"b', False), ("x" * 129, False)]
)
def test_request_id_is_the_callers_if_it_can_stand_in_a_log_line(
    way: Way, sent: str, kept: bool
) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            asking = asyncio.ensure_future(front.ask(headers={"x-request-id": sent}))
            front.answer(*await front.running())
            assert ((await asking).headers["x-request-id"] == sent) == kept

    run(scenario())


def test_name_that_is_not_ascii_is_encoded(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            front.served.served_entity_name = "größe\n-1"
            asking = asyncio.ensure_future(front.ask())
            front.answer(*await front.running())
            assert (await asking).headers["served-model-name"] == "gr%C3%B6%C3%9Fe%0A-1"

    run(scenario())


# Refusals


async def _refused(front: Front, status: int, error_code: str, **options: Any) -> Any:
    answer = await front.ask(**options)
    assert (answer.status, answer.json["error_code"]) == (status, error_code)
    assert answer.headers["content-type"] == "application/json"
    assert front.puppet.batches == []
    return answer


def test_too_large_by_its_headers_is_refused_before_the_body(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            reader, writer = await front.connect()
            writer.write(request(b"", headers={"content-length": "1001"}))
            answer = await read_answer(reader)
            assert answer.status == 413
            assert "--max-payload" in answer.json["message"]
            assert answer.headers["connection"] == "close"
            assert front.outcomes == [(413, "payload_too_large")]

    run(scenario())


def test_too_large_by_its_chunks_is_refused(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            reader, writer = await front.connect()
            writer.write(
                request(b"", headers={"content-length": "", "transfer-encoding": "chunked"})
            )
            writer.write(b"320\r\n" + b"x" * 800 + b"\r\n" + b"320\r\n" + b"x" * 800 + b"\r\n")
            assert (await read_answer(reader)).status == 413

    run(scenario())


def test_largest_body_is_served(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            asking = asyncio.ensure_future(front.ask(b"x" * 1000))
            front.answer(*await front.running())
            assert (await asking).status == 200

    run(scenario())


@pytest.mark.parametrize("sent", [b"", b"half a bo"])
def test_body_that_does_not_come_is_given_up(way: Way, sent: bytes) -> None:
    """Also if not one byte of it comes: headers alone must not hold a connection."""

    async def scenario() -> None:
        async with front_end(way, body_timeout_s=0.05) as front:
            reader, writer = await front.connect()
            writer.write(request(b"", headers={"content-length": "100"}) + sent)
            answer = await read_answer(reader)
            assert answer.status == 408
            assert "--body-timeout" in answer.json["message"]
            assert front.outcomes == [(408, "body_timeout")]

    run(scenario())


def test_bad_timeout_header_is_the_callers_fault(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            headers = {"x-request-timeout-seconds": "soon"}
            await _refused(front, 400, "INVALID_PARAMETER_VALUE", headers=headers)

    run(scenario())


def test_body_of_a_refused_request_is_not_kept(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way, queue_limit=0, with_slot=False) as front:
            reader, writer = await front.connect()
            for _ in range(2):  # parsed, then known
                writer.write(request(b"x" * 900))
                assert (await read_answer(reader)).status == 429
                kept = [thing for thing in gc.get_objects() if isinstance(thing, Exchange)]
                assert all(len(exchange.body) == 0 for exchange in kept)

    run(scenario())


def test_full_queue_is_429_with_the_time_to_retry(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way, queue_limit=0, with_slot=False) as front:
            answer = await _refused(front, 429, "REQUEST_LIMIT_EXCEEDED")
            assert int(answer.headers["retry-after"]) >= 1
            assert front.outcomes == [(429, "queue_full")]

    run(scenario())


def test_not_ready_and_draining_are_503(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            front.dispatcher.refuse_with(lambda: NotReady("loading", retry_after_s=7))
            answer = await _refused(front, 503, "TEMPORARILY_UNAVAILABLE")
            assert answer.headers["retry-after"] == "7"
            front.dispatcher.refuse_with(lambda: Draining("leaving"))
            answer = await _refused(front, 503, "TEMPORARILY_UNAVAILABLE")
            assert answer.headers["connection"] == "close"

    run(scenario())


# Endings


def test_deadline_in_the_queue_is_504_and_never_runs(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way, with_slot=False) as front:
            answer = await front.ask(headers={"x-request-timeout-seconds": "0.05"})
            assert (answer.status, answer.json["error_code"]) == (504, "DEADLINE_EXCEEDED")
            assert "waiting for a slot" in answer.json["message"]
            front.dispatcher.open_lane(front.puppet)
            assert front.puppet.batches == []

    run(scenario())


def test_deadline_while_running_is_504_and_interrupts(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way, timeout_s=0.05) as front:
            answer = await front.ask()
            assert answer.status == 504
            (entry,) = await front.running()
            assert front.puppet.cancelled == [[entry.id]]
            front.answer(entry)  # too late: the caller has had its answer
            assert front.outcomes == [(504, "deadline_exceeded")]

    run(scenario())


@pytest.mark.parametrize(
    ("error", "status"), [(WorkerCrashed("it crashed"), 500), (WorkerLost("it was killed"), 503)]
)
def test_worker_that_ends_is_one_clear_error(
    way: Way, error: WorkerCrashed | WorkerLost, status: int
) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            asking = asyncio.ensure_future(front.ask())
            (entry,) = await front.running()
            assert entry.lane is not None
            entry.lane.fail(error)
            answer = await asking
            assert (answer.status, answer.json["message"]) == (status, str(error))

    run(scenario())


def test_client_that_leaves_the_queue_is_never_run(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way, with_slot=False) as front:
            _, writer = await front.connect()
            writer.write(request())
            await until(lambda: front.dispatcher.statistics().queued == 1)
            writer.close()
            await until(lambda: front.dispatcher.statistics().queued == 0)
            front.dispatcher.open_lane(front.puppet)
            assert front.puppet.batches == []
            assert front.outcomes == [(499, "client_disconnected")]

    run(scenario())


def test_client_that_leaves_while_it_runs_is_recorded_once(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            _, writer = await front.connect()
            writer.write(request())
            (entry,) = await front.running()
            writer.close()
            await until(lambda: entry.is_done)
            front.answer(entry)
            assert front.outcomes == [(499, "client_disconnected")]

    run(scenario())


def test_garbage_is_400(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            reader, writer = await front.connect()
            writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            assert b" 400 " in await reader.readline()
            asking = asyncio.ensure_future(front.ask())
            front.answer(*await front.running())
            assert (await asking).status == 200

    run(scenario())


# Routes


@pytest.mark.parametrize(
    "path",
    [
        "/invocations",
        "/invocations?a=b",
        "/serving-endpoints/iris/invocations",
        "/serving-endpoints/iris/served-models/iris-1/invocations",
    ],
)
def test_every_name_of_the_model_leads_to_it(way: Way, path: str) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            asking = asyncio.ensure_future(front.ask(path=path))
            front.answer(*await front.running())
            assert (await asking).status == 200

    run(scenario())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/serving-endpoints/other/invocations", 404),
        ("POST", "/nothing", 404),
        ("GET", "/invocations", 405),
        ("HEAD", "/ping", 405),
        ("POST", "/ping", 405),
        ("GET", "/v2/health/live", 200),
        ("GET", "/v2/health/ready", 200),
        ("GET", "/metrics", 200),
        ("GET", "/.well-known/databricks-config", 200),
    ],
)
def test_other_routes(way: Way, method: str, path: str, status: int) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            answer = await front.ask(b"", method=method, path=path)
            assert answer.status == status
            if status == 405 and method != "HEAD":
                assert answer.json == {"detail": "Method Not Allowed"}

    run(scenario())


def test_readiness_and_liveness_are_apart(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way) as front:
            ping = await front.ask(b"", method="GET", path="/ping")
            assert (ping.status, ping.body) == (200, b"\n")
            version = await front.ask(b"", method="GET", path="/version")
            assert version.body == b"3.1.4"
            front.served.is_ready = False
            for path in ("/ping", "/health", "/version", "/v2/health/ready"):
                answer = await front.ask(b"", method="GET", path=path)
                assert answer.status == 503
                assert "The model is loading." in answer.body.decode()
            assert (await front.ask(b"", method="GET", path="/v2/health/live")).status == 200

    run(scenario())


def test_of_a_repeated_header_the_first_counts(way: Way) -> None:
    del way
    head = read_head(
        [
            (b"content-type", b"a/b"),
            (b"content-type", b"c/d"),
            (b"x-request-timeout-seconds", b"1"),
            (b"x-request-timeout-seconds", b"2"),
            (b"x-request-id", b"first"),
            (b"x-request-id", b"second"),
            (b"content-length", b"12"),
        ]
    )
    assert (head.content_type, head.timeout, head.request_id, head.content_length) == (
        "a/b", "1", "first", 12,
    )  # fmt: skip


@pytest.mark.parametrize("cuts", [(200_000,), (10, 131_000, 400_000), (300_000, 300_001, 699_999)])
def test_large_body_arrives_unchanged_however_it_is_cut(way: Way, cuts: tuple[int, ...]) -> None:
    body = random.Random(1).randbytes(700_000)

    async def scenario() -> None:
        async with front_end(way, max_payload_bytes=1_000_000) as front:
            reader, writer = await front.connect()
            for many in (1, 2):  # the connection goes on after it
                writer.write(request(b"", headers={"content-length": str(len(body))}))
                for start, end in pairwise([0, *cuts, len(body)]):
                    writer.write(body[start:end])
                    await writer.drain()
                    await asyncio.sleep(0.01)
                (entry,) = await front.running(many)
                assert bytes(entry.body) == body
                front.answer(entry)
                assert (await read_answer(reader)).status == 200

    asyncio.run(scenario())


def test_client_that_leaves_within_a_large_body_is_never_run(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way, max_payload_bytes=1_000_000) as front:
            _, writer = await front.connect()
            writer.write(request(b"x" * 300_000, headers={"content-length": "900000"}))
            await writer.drain()
            await until(lambda: way == "asgi" or front.desk.set_aside_bytes > 0)
            writer.close()
            await until(lambda: not front.desk.set_aside_bytes)
            answer = asyncio.ensure_future(front.ask(b"{}"))
            (entry,) = await front.running()
            front.answer(entry)
            assert (await answer).status == 200
            assert len(front.puppet.batches) == 1

    asyncio.run(scenario())


def test_large_body_without_memory_to_set_aside_is_served(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pelton.frontend.lane._MAX_SET_ASIDE_BYTES", 500_000)
    body = random.Random(2).randbytes(900_000)

    async def scenario() -> None:
        async with front_end(way, max_payload_bytes=1_000_000) as front:
            reader, writer = await front.connect()
            writer.write(request(b"", headers={"content-length": "900000"}) + body[:10])
            await until(lambda: front.desk.seen == 1)
            assert front.desk.set_aside_bytes == 0
            writer.write(body[10:])
            (entry,) = await front.running()
            assert bytes(entry.body) == body
            front.answer(entry)
            assert (await read_answer(reader)).status == 200

    asyncio.run(scenario())


def test_large_body_that_stops_coming_is_given_up(way: Way) -> None:
    async def scenario() -> None:
        async with front_end(way, max_payload_bytes=1_000_000, body_timeout_s=0.3) as front:
            reader, writer = await front.connect()
            writer.write(request(b"x" * 300_000, headers={"content-length": "900000"}))
            await until(lambda: way == "asgi" or front.desk.set_aside_bytes > 0)
            assert (await read_answer(reader)).status == 408
            writer.close()
            await until(lambda: not front.desk.set_aside_bytes)
            assert front.puppet.batches == []

    asyncio.run(scenario())


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="Linux has these files")
@pytest.mark.parametrize("end", ["answered", "client leaves", "stops coming"])
def test_large_body_has_a_place_until_it_is_done(way: Way, end: str) -> None:
    body = random.Random(3).randbytes(700_000)
    bodies = SharedBodies.create()
    assert bodies is not None
    timeout_s = 0.3 if end == "stops coming" else 60.0

    async def scenario() -> None:
        async with front_end(
            way, max_payload_bytes=1_000_000, body_timeout_s=timeout_s, bodies=bodies
        ) as front:
            reader, writer = await front.connect()
            writer.write(request(body[:400_000], headers={"content-length": str(len(body))}))
            await until(lambda: way == "asgi" or not bodies.is_empty)
            if end == "answered":
                writer.write(body[400_000:])
                (entry,) = await front.running()
                assert bytes(entry.body) == body
                assert (place_of(entry.body) is None) == (way == "asgi")
                front.answer(entry)
                assert (await read_answer(reader)).status == 200
            elif end == "stops coming":
                assert (await read_answer(reader)).status == 408
            if end != "answered":  # an answered one keeps nothing, though its connection is open
                writer.close()
            await until(lambda: bodies.is_empty)

    asyncio.run(scenario())
    bodies.close()
