"""The HTTP client, fed byte by byte: what arrives in one piece must not matter."""

import asyncio
import random

import pytest

from pelton.bench.connection import PIECE_BYTES, Connection
from pelton.bench.request import Body, Request
from pelton.bench.target import Target

TARGET = Target("127.0.0.1", 1)


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_closed = False
        self.high: int | None = None

    def write(self, data: object) -> None:
        assert isinstance(data, bytes | memoryview)
        self.written.append(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high

    def abort(self) -> None:
        self.is_closed = True

    def close(self) -> None:
        self.is_closed = True


class Client:
    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.losses: list[Request | None] = []

    def answered(self, connection: Connection, status: int, head: bytes, body: bytes) -> None:
        connection.request = None
        self.answers.append((status, body))

    def lost(self, connection: Connection, request: Request | None) -> None:
        self.losses.append(request)


def opened() -> tuple[Connection, Client, Transport]:
    client, transport = Client(), Transport()
    connection = Connection(client)
    connection.connection_made(transport)
    return connection, client, transport


def asked() -> tuple[Connection, Client, Transport]:
    connection, client, transport = opened()
    connection.send(Request(TARGET, Body(b"{}")), 0.0)
    return connection, client, transport


USUAL = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 429 Too Many\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNKED += b"2\r\nhe\r\n3;x=1\r\nllo\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 503 No\r\ncontent-length:0\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" + USUAL


LARGE = Request(TARGET, Body(random.Random(0).randbytes(3 * PIECE_BYTES)))


async def turns(many: int = 10) -> None:
    for _ in range(many):
        await asyncio.sleep(0)


def test_a_large_request_leaves_in_pieces_and_others_have_their_turn() -> None:
    async def scenario() -> None:
        connection, client, transport = opened()
        connection.send(LARGE, 0.0)
        assert len(transport.written) == 1
        await turns(1)
        assert len(transport.written) == 2
        connection.pause_writing()
        await turns()
        assert len(transport.written) == 2
        connection.resume_writing()
        await turns()
        assert b"".join(transport.written) == LARGE.wire
        assert max(map(len, transport.written)) == PIECE_BYTES
        assert transport.high == 0
        connection.data_received(USUAL)
        assert client.answers == [(200, b"hello")]
        assert connection.is_open

    asyncio.run(scenario())


def test_what_is_left_of_a_large_request_that_was_answered_is_not_sent() -> None:
    async def scenario() -> None:
        connection, client, transport = opened()
        connection.send(LARGE, 0.0)
        connection.data_received(EMPTY)
        assert client.answers == [(503, b"")]
        assert transport.is_closed
        assert not connection.is_open
        await turns()
        assert len(transport.written) == 1

    asyncio.run(scenario())


def test_a_connection_lost_within_a_large_request_sends_no_more() -> None:
    async def scenario() -> None:
        connection, client, transport = opened()
        connection.send(LARGE, 0.0)
        connection.connection_lost(ConnectionResetError())
        connection.resume_writing()
        await turns()
        assert client.losses == [LARGE]
        assert len(transport.written) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (USUAL, (200, b"hello")),
        (CHUNKED, (429, b"hello")),
        (EMPTY, (503, b"")),
        (INTERIM, (200, b"hello")),
        (b"HTTP/1.1 204 None\r\n\r\n", (204, b"")),
    ],
)
def test_an_answer_is_whole_wherever_it_is_cut(raw: bytes, answer: tuple[int, bytes]) -> None:
    for cut in range(1, len(raw)):
        connection, client, _ = asked()
        connection.data_received(raw[:cut])
        connection.data_received(raw[cut:])
        assert client.answers == [answer]
        assert connection.is_open
    connection, client, _ = asked()
    for i in range(len(raw)):
        connection.data_received(raw[i : i + 1])
    assert client.answers == [answer]


SHAPED = (
    b"HTTP/1.1 200 Fine\r\nContent-Length: 12\r\nX: transfer-encoding: z\r\n\r\nhello\r\n\r\nyou"
)
FOLDED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n z\r\n\r\nhello"
NAMED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nY: y\r\n\r\nhello"
TWICE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"
ALIVE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello"
HELLO = (200, b"hello")


@pytest.mark.parametrize("before", [USUAL, FOLDED, TWICE, ALIVE])
@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (USUAL, HELLO),
        (SHAPED, (200, b"hello\r\n\r\nyou")),
        (FOLDED, HELLO),
        (NAMED, HELLO),
        (TWICE, HELLO),
        (ALIVE, HELLO),
        (CHUNKED, (429, b"hello")),
        (EMPTY, (503, b"")),
        (INTERIM, HELLO),
    ],
)
def test_an_answer_is_whole_wherever_it_is_cut_after_one_of_any_shape(
    before: bytes, raw: bytes, answer: tuple[int, bytes]
) -> None:
    for cut in range(len(raw)):
        connection, client, _ = asked()
        connection.data_received(before)
        connection.send(Request(TARGET, Body(b"{}")), 0.0)
        for piece in (raw[:cut], raw[cut:]):
            if piece:
                connection.data_received(piece)
        assert client.answers == [HELLO, answer]
        assert connection.is_open


@pytest.mark.parametrize("surplus", [b"x", USUAL])
def test_more_than_the_length_after_an_answer_like_the_one_before_cuts_the_connection(
    surplus: bytes,
) -> None:
    connection, client, transport = asked()
    connection.data_received(USUAL)
    request = Request(TARGET, Body(b"{}"))
    connection.send(request, 0.0)
    connection.data_received(USUAL + surplus)
    assert client.answers == [HELLO]
    assert client.losses == [request]
    assert transport.is_closed


def test_a_connection_kept_alive_may_be_closed_by_a_later_answer() -> None:
    connection, client, transport = asked()
    connection.data_received(ALIVE)
    connection.send(Request(TARGET, Body(b"{}")), 0.0)
    connection.data_received(ALIVE.replace(b"keep-alive", b"close"))
    assert client.answers == [HELLO, HELLO]
    assert not connection.is_open
    assert transport.is_closed


def test_a_connection_is_used_again() -> None:
    connection, client, transport = asked()
    for raw in (USUAL, CHUNKED, EMPTY):
        connection.data_received(raw)
        connection.send(Request(TARGET, Body(b"{}")), 0.0)
    assert [status for status, _ in client.answers] == [200, 429, 503]
    assert len(transport.written) == 4


def test_an_answer_without_length_ends_with_the_connection() -> None:
    connection, client, _ = asked()
    connection.data_received(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhel")
    connection.data_received(b"lo")
    assert client.answers == []
    connection.connection_lost(None)
    assert client.answers == [(200, b"hello")]
    assert not connection.is_open
    assert client.losses == []


def test_a_half_answer_is_a_loss() -> None:
    for raw in (USUAL, CHUNKED):
        connection, client, _ = asked()
        connection.data_received(raw[:-3])
        request = connection.request
        connection.connection_lost(None)
        assert client.answers == []
        assert client.losses == [request]


def test_the_server_may_ask_to_close() -> None:
    connection, client, transport = asked()
    connection.data_received(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    assert client.answers == [(200, b"ok")]
    assert not connection.is_open
    assert transport.is_closed
    connection.connection_lost(None)
    assert client.losses == []


@pytest.mark.parametrize("raw", [USUAL + b"surplus", b"SMTP ready\r\n\r\n", b"x" * 70_000])
def test_what_is_no_answer_cuts_the_connection(raw: bytes) -> None:
    connection, client, transport = asked()
    request = connection.request
    connection.data_received(raw)
    assert client.answers == []
    assert client.losses == [request]
    assert transport.is_closed


def test_bytes_that_nobody_asked_for_cut_the_connection() -> None:
    connection, client, transport = opened()
    connection.data_received(USUAL)
    assert client.losses == [None]
    assert transport.is_closed


def test_an_aborted_connection_reports_nothing_more() -> None:
    connection, client, _ = asked()
    request = connection.request
    assert connection.abort() is request
    connection.connection_lost(ConnectionResetError())
    assert client.losses == []
