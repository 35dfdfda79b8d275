"""Run in a process of its own by ``test_loop``: a worker's loop with one slot and a real channel.

Prints which thread decoded and which answered each request: JSON, by request id. And what came of
the batch that was asked for again.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Sequence

from pelton.channel.frames import Frame
from pelton.channel.messages import AnswerMeta, Kind, encode_requests
from pelton.channel.server import ChannelServer
from pelton.worker.answerer import Decodings, Reply, WorkerRequest
from pelton.worker.loop import Loop

LARGE = 2 * 1024 * 1024


class Model:
    """The first request is not answered before ``released``; notes who does what."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.released = threading.Event()
        self.decoded = threading.Semaphore(0)
        self.ahead: dict[int, str] = {}
        self.given: dict[int, bool] = {}
        self.answered: list[int] = []

    def decode_ahead(self, batch: Sequence[WorkerRequest]) -> Decodings:
        for request in batch:
            self.ahead[request.id] = threading.current_thread().name
            self.decoded.release()
        return dict.fromkeys(request.id for request in batch)

    def answer(self, batch: Sequence[WorkerRequest], reply: Reply, ahead: Decodings | None) -> None:
        for request in batch:
            self.given[request.id] = ahead is not None and request.id in ahead
            if request.id == 1:
                self.begun.set()
                self.released.wait()
            self.answered.append(request.id)
            reply([(request.id, AnswerMeta(200), b"")])


def main() -> None:
    ours, theirs = socket.socketpair()
    server, model = ChannelServer(ours), Model()
    pongs: list[int] = []
    returned: list[int] = []

    def ask(*ids: int, size: int = 1) -> None:
        body = b"x" * size
        requests = [WorkerRequest(id, body, "application/json", 0.0) for id in ids]
        server.write(encode_requests(requests))

    def serve() -> None:
        ask(1)
        model.begun.wait()
        ask(2)
        ask(3, 4)
        for _ in range(3):
            model.decoded.acquire()
        ask(5, size=LARGE)
        ask(6, 7)
        ask(8)
        server.send([Frame(Kind.RECALL, id) for id in (6, 1, 77)])  # one begun, one nobody knows
        ask(6)  # again, in other company
        server.send([Frame(Kind.PING, 9)])
        for frame in server:  # all of it is read while the first request is predicted
            if frame.kind == Kind.RETURNED:
                returned.append(frame.id)
            if frame.kind == Kind.PONG:
                pongs.append(frame.id)
                break
        model.released.set()
        server.send([Frame(Kind.DRAIN, 0)])

    threading.Thread(target=serve, daemon=True).start()
    Loop(ChannelServer(theirs), model, 1).run()  # type: ignore[arg-type]
    seen = {"ahead": model.ahead, "given": model.given, "pongs": pongs, "returned": returned}
    sys.stdout.write(json.dumps({**seen, "answered": model.answered}))
    sys.stdout.flush()
    os._exit(0)  # before the server's end of the channel is closed, which ends a worker


if __name__ == "__main__":
    main()
