"""Both ends of a channel on a real socketpair."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pelton.channel.client import ChannelClient
from pelton.channel.frames import Frame, encode
from pelton.channel.messages import Kind
from pelton.channel.server import ChannelServer
from pelton.errors import FrameError

pytestmark = pytest.mark.usefixtures("no_leaks")
LIMIT_S = 30.0


class Ends:
    """The server's end, and what came out of it."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.frames: asyncio.Queue[Frame] = asyncio.Queue()
        self.lost: asyncio.Queue[Exception | None] = asyncio.Queue()

    async def __aenter__(self) -> Ends:
        self.client = await ChannelClient.open(self.ours, self._keep, self.lost.put_nowait)
        return self

    def _keep(self, incoming: list[Frame]) -> None:
        for frame in incoming:
            self.frames.put_nowait(frame)

    async def __aexit__(self, *_: object) -> None:
        self.client.close()
        self.theirs.close()
        await asyncio.sleep(0)  # the transport closes its socket in the loop's next round


def test_large_frames_go_both_ways() -> None:
    body = bytes(range(256)) * 20_000  # 5 MB: many times the socket's buffer

    async def scenario() -> None:
        async with Ends() as ends, asyncio.timeout(LIMIT_S):
            worker = ChannelServer(ends.theirs)

            def echo() -> None:
                for frame in worker:
                    worker.send([Frame(Kind.ANSWER, frame.id, b"meta", frame.body)])

            thread = threading.Thread(target=echo, daemon=True)
            thread.start()
            ends.client.send(Frame(Kind.REQUEST, id, b"", body) for id in (1, 2))
            answers = [await ends.frames.get() for _ in range(2)]
            assert [frame.id for frame in answers] == [1, 2]
            assert all(bytes(frame.body) == body for frame in answers)
            ends.client.close()
            await asyncio.to_thread(thread.join)

    asyncio.run(scenario())


def test_end_of_the_worker_is_reported_once() -> None:
    async def scenario() -> None:
        async with Ends() as ends, asyncio.timeout(LIMIT_S):
            ends.theirs.close()
            assert await ends.lost.get() is None
            ends.client.send([Frame(Kind.PING)])  # swallowed: the loss was reported
            ends.client.close()
            await asyncio.sleep(0)
            assert ends.lost.empty()

    asyncio.run(scenario())


def test_broken_framing_ends_the_channel_with_its_error() -> None:
    async def scenario() -> None:
        async with Ends() as ends, asyncio.timeout(LIMIT_S):
            ends.theirs.sendall(b"\xff" * 64)
            assert isinstance(await ends.lost.get(), FrameError)
            assert ends.theirs.recv(10) == b""
            assert ends.lost.empty()

    asyncio.run(scenario())


def test_worker_sees_the_end_of_the_server() -> None:
    ours, theirs = socket.socketpair()
    worker = ChannelServer(theirs)
    ours.close()
    assert list(worker) == []
    with pytest.raises(EOFError):
        worker.receive()
    with pytest.raises(OSError, match=r"."):
        worker.send([Frame(Kind.PONG)])
    worker.close()


def test_frames_of_many_threads_are_never_mixed() -> None:
    ours, theirs = socket.socketpair()
    writer, reader = ChannelServer(ours), ChannelServer(theirs)

    def write(id: int) -> None:
        for _ in range(20):
            writer.send([Frame(Kind.ANSWER, id, bytes([id]), bytes([id]) * 100_000)])

    threads = [threading.Thread(target=write, args=(id,), daemon=True) for id in range(4)]
    for thread in threads:
        thread.start()
    for frame in islice(reader, 80):
        assert frame.meta == bytes([frame.id])
        assert bytes(frame.body) == frame.meta * 100_000
    for thread in threads:
        thread.join()
    writer.close()
    reader.close()


@given(
    sizes=st.lists(st.sampled_from([0, 1, 5_000, 70_000, 300_000, 700_000]), max_size=4),
    cuts=st.lists(st.integers(0, 2_000_000), max_size=6),
)
@settings(max_examples=30, deadline=None)
def test_large_bodies_arrive_unchanged_however_they_are_cut(
    sizes: list[int], cuts: list[int]
) -> None:
    sent = [Frame(Kind.REQUEST, n, b"meta", _noise(size, n)) for n, size in enumerate(sizes)]
    stream = b"".join(bytes(buffer) for frame in sent for buffer in encode(frame))
    ours, theirs = socket.socketpair()
    worker = ChannelServer(theirs)

    def write() -> None:
        for start, end in pairwise([0, *sorted(cuts), len(stream)]):
            ours.sendall(stream[start:end])
        ours.close()

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    received = [(frame.id, frame.meta, bytes(frame.body)) for frame in worker]
    thread.join()
    worker.close()
    assert received == [(frame.id, b"meta", frame.body) for frame in sent]


def _noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)
