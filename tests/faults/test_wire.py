"""Bytes that no client library sends get a clear answer, and the next good request its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from tests.faults.conftest import ServeFaults
from tests.faults.faulty import Faulty
from tests.faults.wire import Answer, Wire, body, chunk, post, request

pytestmark = pytest.mark.xdist_group("wire")

KIB = 1024


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Faulty]:
    """Takes 64 KiB at most, and a body must have come within 2 s."""
    with Faulty("--concurrency", "1", "--max-payload", "64KiB", "--body-timeout", "2") as endpoint:
        yield endpoint


@pytest.fixture
def wire(endpoint: Faulty) -> Iterator[Wire]:
    """A connection, after whose test the server is as well as before."""
    with Wire(endpoint.port) as wire:
        yield wire
    endpoint.assert_well()


def assert_refused(answer: Answer, status: int, error_code: str) -> None:
    assert (answer.status, json.loads(answer.body)["error_code"]) == (status, error_code)


def test_oversized_by_its_own_word(wire: Wire) -> None:
    """Refused on the headers: the body is never waited for."""
    wire.send(post(f"Content-Length: {100 * KIB}"))

    answer = wire.answer()

    assert_refused(answer, 413, "INVALID_PARAMETER_VALUE")
    assert "--max-payload" in json.loads(answer.body)["message"]
    assert wire.is_closed()


def test_oversized_without_a_length(wire: Wire) -> None:
    wire.send(post("Transfer-Encoding: chunked"), *[chunk(b" " * KIB)] * 65)

    assert_refused(wire.answer(), 413, "INVALID_PARAMETER_VALUE")
    assert wire.is_closed()


def test_largest_body_that_is_taken(wire: Wire) -> None:
    payload = body("none", 1).ljust(64 * KIB)
    wire.send(post(f"Content-Length: {len(payload)}"), payload)

    assert wire.answer().status == 200


@pytest.mark.parametrize("begin", [b"", b"{"])
def test_body_that_does_not_come(begin: bytes, wire: Wire) -> None:
    wire.send(post("Content-Length: 100"), begin)

    answer = wire.answer()

    assert_refused(answer, 408, "INVALID_PARAMETER_VALUE")
    assert "--body-timeout" in json.loads(answer.body)["message"]
    assert wire.is_closed()


def test_truncated_body(wire: Wire, endpoint: Faulty) -> None:
    """The client leaves in the middle of its body: nothing is run."""
    wire.send(request("none", 2)[:-1])
    wire.finish()

    assert wire.is_closed()
    assert endpoint.times_begun("none", 2) == 0


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),  # a TLS hello
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00" * 1000,
        b"GET\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnot a length\r\n",
    ],
    ids=["tls", "http2", "zeros", "no-path", "length", "chunk"],
)
def test_garbage(garbage: bytes, wire: Wire) -> None:
    wire.send(garbage)

    answer = wire.answer()

    assert answer.status == HTTPStatus.BAD_REQUEST
    assert wire.is_closed()


@pytest.mark.parametrize("piece", [b"X-Header: %s\r\n" % (b"x" * 1000), b"x" * 1000])
def test_head_without_end(piece: bytes, wire: Wire) -> None:
    """The server does not collect it for ever."""
    wire.send(b"POST /invocations HTTP/1.1\r\nHost: test\r\n")

    def send_for_ever() -> None:
        for _ in range(64 * KIB):
            wire.send(piece)

    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        send_for_ever()


def test_head_that_does_not_come(wire: Wire) -> None:
    wire.send(b"POST /invocations HTTP/1.1\r\nHost:")

    assert wire.is_closed()


@pytest.mark.parametrize(
    ("line", "status", "detail"),
    [
        ("GET /nowhere", 404, "Not Found"),
        ("POST /nowhere", 404, "Not Found"),
        ("GET /invocations", 405, "Method Not Allowed"),
        ("DELETE /invocations", 405, "Method Not Allowed"),
        ("POST /ping", 405, "Method Not Allowed"),
    ],
)
def test_unknown_route_or_method(line: str, status: int, detail: str, wire: Wire) -> None:
    wire.send(f"{line} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n".encode())

    answer = wire.answer()

    assert (answer.status, json.loads(answer.body)) == (status, {"detail": detail})


def test_pipelined_requests_are_answered_in_order(wire: Wire, endpoint: Faulty) -> None:
    wire.send(
        request("none", 3),
        b"GET /nowhere HTTP/1.1\r\nHost: test\r\n\r\n",
        request("raise", 3),
        request("none", 4),
    )

    assert [wire.answer().status for _ in range(4)] == [200, 404, 400, 200]
    assert [endpoint.times_begun("none", i) for i in (3, 4)] == [1, 1]


def test_chunked_body(wire: Wire) -> None:
    payload = body("none", 5)
    pieces = [payload[i : i + 7] for i in range(0, len(payload), 7)]
    wire.send(post("Transfer-Encoding: chunked"), *map(chunk, pieces), chunk(b""))

    assert wire.answer().status == 200


def test_expect_100_continue(wire: Wire) -> None:
    payload = body("none", 6)
    wire.send(post(f"Content-Length: {len(payload)}", "Expect: 100-continue"))
    assert wire.answer().status == 100

    wire.send(payload)

    assert wire.answer().status == 200


def test_expect_100_continue_that_is_refused(wire: Wire) -> None:
    """The client learns that its body is too large before it has sent any of it."""
    wire.send(post(f"Content-Length: {100 * KIB}", "Expect: 100-continue"))

    assert wire.answer().status == 413


def test_http_1_0_closes_unless_asked(endpoint: Faulty, wire: Wire) -> None:
    wire.send(request("none", 7, "Connection: keep-alive", version="1.0"))
    assert wire.answer().status == 200

    with Wire(endpoint.port) as other:
        other.send(request("none", 7, version="1.0"))
        assert other.answer().status == 200
        assert other.is_closed()


def test_connection_is_kept_after_errors(wire: Wire) -> None:
    for bad, status in (
        (request("raise", 8), 400),
        (request("none", 8, "X-Request-Timeout-Seconds: never"), 400),
        (post("Content-Length: 8") + b"not json", 400),
        (b"GET /nowhere HTTP/1.1\r\nHost: test\r\n\r\n", 404),
    ):
        wire.send(bad)
        assert wire.answer().status == status
        wire.send(request("none", 8))
        assert wire.answer().status == 200


def test_connection_survives_a_crash(faulty_endpoint: ServeFaults) -> None:
    endpoint = faulty_endpoint("--concurrency", "1")
    with Wire(endpoint.port) as wire:
        wire.send(request("segfault", 0), request("none", 9))

        assert [wire.answer().status for _ in range(2)] == [500, 200]
