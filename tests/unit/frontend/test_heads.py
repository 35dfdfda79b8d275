"""A head that is known is read as the parser reads it: one suite of requests, with and without."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
import uvloop
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.frontend.front import Front, front_end, read_answer, request

from pelton.batching.entry import About, Answer
from pelton.compiled import core
from pelton.frontend.heads import Heads
from pelton.frontend.invocations import Head

REQUESTS = (
    request(b"{}"),
    request(b"[]"),
    request(b"{1}"),
    request(b'{"a": "\r\n\r\n"}'),
    request(b"{}", headers={"content-type": "application/json"}),
    request(b"{}", headers={"Content-Type": "text/csv", "X-Request-Id": "mine"}),
    request(b"{}", headers={"x-request-timeout-seconds": "5"}),
    request(b"{}", headers={"x-request-timeout-seconds": "soon"}),
    request(b"", headers={"content-length": "0"}),
    request(b"", headers={"content-length": ""}),
    request(b"{}", path="/elsewhere"),
    request(b"{}", path="/serving-endpoints/iris/invocations"),
    request(b"", path="/ping", method="GET"),
    request(b"x" * 2000),
    request(b"{}", headers={"expect": "100-continue"}),
    request(b"{}", headers={"connection": "close"}),
    request(b"{}", headers={"connection": "keep-alive"}),
    request(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0"),
    request(
        b"2\r\n{}\r\n0\r\n\r\n", headers={"transfer-encoding": "chunked", "content-length": ""}
    ),
    request(b"2\r\n{}\r\n0\r\n\r\n", headers={"transfer-encoding": "chunked"}),
    request(b"{}").replace(b"\r\n", b"\n"),
    b"POST /invocations HTTP/1.1\nhost: a\ncontent-length: 6\n\n{}\r\n\r\n",
    request(b"{}") + request(b"[]"),
    request(b"{}", headers={"x-fill": "f" * 3000}),
    b"nonsense\r\n\r\n",
)


class NoHeads(Heads):
    """Knows none."""

    def find(self, data: bytes) -> None:
        return None

    def learn(self, data: bytes, head: Head) -> None:
        pass


async def _answer_all(front: Front) -> None:
    """Answer each batch with what of it the model sees."""
    done = 0
    while True:
        for batch in front.puppet.batches[done:]:
            done += 1
            for entry in batch:
                left_s = round(entry.deadline - time.monotonic())
                seen = f"{bytes(entry.body)!r} {entry.content_type} {left_s}".encode()
                front.answer(entry, Answer(About(200, "text/plain"), seen))
        await asyncio.sleep(0)


async def _conversation(
    sent: Sequence[tuple[bytes, int]], heads: Heads
) -> list[list[tuple[int, dict[str, str], bytes]]]:
    """Return the answers to requests, each of them cut in two at a place; all that come."""
    answers = []
    async with front_end("short", heads=heads) as front:
        model = asyncio.ensure_future(_answer_all(front))
        reader, writer = await front.connect()
        for content, cut in sent:
            got = []
            try:
                for piece in (content[:cut], content[cut:]):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                for _ in range(content.count(b" HTTP/1.") or 1):
                    answer = await read_answer(reader)
                    for name in ("date", "server-timing"):
                        answer.headers.pop(name, None)
                    if answer.headers.get("x-request-id") != "mine":
                        answer.headers.pop("x-request-id", None)
                    got.append((answer.status, answer.headers, answer.body))
                    if answer.headers.get("connection") == "close":
                        reader, writer = await front.connect()
            except (asyncio.IncompleteReadError, ConnectionError):
                reader, writer = await front.connect()
            answers.append(got)
        model.cancel()
    return answers


@settings(max_examples=25, deadline=None)
@example(sent=[(content, 0) for content in REQUESTS])
@given(
    sent=st.lists(
        st.tuples(st.sampled_from(REQUESTS), st.one_of(st.just(0), st.integers(0, 120))),
        min_size=2,
        max_size=10,
    )
)
def test_answers_are_the_parsers(sent: list[tuple[bytes, int]]) -> None:
    parsed = uvloop.run(_conversation(sent * 2, NoHeads()))

    assert uvloop.run(_conversation(sent * 2, Heads())) == parsed


def test_a_head_is_parsed_once() -> None:
    found: list[Any] = []

    class Watched(Heads):
        def find(self, data: bytes) -> tuple[Head, bytes] | None:
            found.append(super().find(data))
            return found[-1]

    first, second = request(b"{}"), request(b"[]")
    uvloop.run(_conversation([(first, 0), (second, 0), (request(b"{1}"), 0)], Watched()))

    # Of a connection whose head is known nothing comes here, if there is compiled code.
    bodies = [one and one[1] for one in found]
    assert bodies == ([None, b"[]", None] if core is None else [None, None])


@pytest.mark.parametrize(
    "content",
    [
        request(b"2\r\n{}\r\n0\r\n\r\n", headers={"transfer-encoding": "chunked"}),
        request(b"{}", headers={"expect": "100-continue"}),
        request(b"{}", headers={"connection": "close"}),
        request(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0"),
        request(b"", path="/ping", method="GET"),
        request(b"{}", headers={"x-fill": "f" * 3000}),
        b"POST /invocations HTTP/1.1\nhost: a\ncontent-length: 6\n\n{}\r\n\r\n",
    ],
)
def test_what_is_more_than_head_and_body_is_not_learnt(content: bytes) -> None:
    heads = Heads()

    uvloop.run(_conversation([(content, 0)], heads))

    assert heads.find(content) is None


def test_heads_that_are_new_each_time_are_forgotten() -> None:
    heads, head = Heads(), Head()
    head.content_length = 2
    contents = [request(b"{}", headers={"x-trace": str(number)}) for number in range(1030)]

    for content in contents:
        heads.learn(content, head)

    assert heads.find(contents[-1]) == (head, b"{}")
    assert heads.find(contents[0]) is None
