"""Run in a process of its own by ``test_slot``: a slot with real threads and a real signal.

Prints what the slot answered: a JSON list of [request id, path].
"""

from __future__ import annotations

import json
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence

from pelton.channel.messages import PATHS, AnswerMeta, read_answer
from pelton.channel.server import ChannelServer
from pelton.worker.answerer import WorkerRequest
from pelton.worker.slot import Batch, Slot

BODY = b"sleep"


class Model:
    """Answers each request; body says how long that takes."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)

    def answer(
        self,
        batch: Sequence[WorkerRequest],
        reply: Callable[[Sequence[tuple[int, AnswerMeta, bytes]]], None],
        ahead: None,
    ) -> None:
        assert ahead is None
        for request in batch:
            self.begun.release()
            if request.body == b"sleep":
                time.sleep(600)
            elif request.body == b"spin":
                until = time.monotonic() + 600
                while time.monotonic() < until:
                    pass
            elif request.body == b"stubborn":  # swallows what it can
                until = time.monotonic() + 600
                while time.monotonic() < until:
                    try:
                        time.sleep(600)
                    except Exception:
                        continue
            reply([(request.id, AnswerMeta(200), b"done")])


class Bench:
    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.server = ChannelServer(ours)
        self.model = Model()
        self.slot = Slot(ChannelServer(theirs), self.model)  # type: ignore[arg-type]
        self.batches: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()

    def put(self, *requests: tuple[int, bytes]) -> None:
        self.batches.put(Batch([WorkerRequest(id, body, None, 0.0) for id, body in requests]))

    def end(self) -> None:
        self.batches.put(None)


def stuck(bench: Bench, body: bytes) -> None:
    """One request is stuck and cancelled; the next one is answered."""
    bench.put((1, body))
    bench.model.begun.acquire()
    bench.slot.cancel(1)
    bench.put((2, b""))
    bench.end()


def half_done(bench: Bench, body: bytes) -> None:
    """The first of a batch is answered already: only the rest is cancelled."""
    bench.put((1, b""), (2, body), (3, b""))
    bench.model.begun.acquire()
    bench.model.begun.acquire()
    bench.slot.cancel(1)
    bench.put((4, b""))
    bench.end()


def too_early(bench: Bench, body: bytes) -> None:
    """Cancelled before it begins: it never runs."""
    bench.slot.cancel(1)
    bench.put((1, body))
    bench.put((2, b""))
    bench.end()


def dropped(bench: Bench, body: bytes) -> None:
    """One request of a batch was dropped before it began: only the others run."""
    batch = Batch([WorkerRequest(id, text, None, 0.0) for id, text in ((1, body), (2, b""))])
    batch.dropped.add(1)
    bench.batches.put(batch)
    whole = Batch([WorkerRequest(3, body, None, 0.0)])
    whole.drop_all()
    bench.batches.put(whole)
    bench.put((4, b""))
    bench.end()


def too_late(bench: Bench, body: bytes) -> None:
    """A cancellation of what is done must not hit its successor."""
    bench.put((1, b""))
    bench.model.begun.acquire()
    while bench.slot._armed is not None:
        time.sleep(0.001)
    bench.slot.cancel(1)
    bench.put((2, b""))
    bench.put((3, b""))
    bench.end()


SCENARIOS = {
    "stuck": stuck,
    "half_done": half_done,
    "too_early": too_early,
    "dropped": dropped,
    "too_late": too_late,
}


def main() -> None:
    scenario, body, thread = sys.argv[1:]
    bench = Bench()
    others = [
        threading.Thread(target=SCENARIOS[scenario], args=(bench, body.encode()), daemon=True)
    ]
    if thread == "main":
        bench.slot.adopt_main_thread()
    for other in others:
        other.start()
    if thread == "main":
        bench.slot.run(bench.batches.get)
    else:
        runner = threading.Thread(target=bench.slot.run, args=(bench.batches.get,), daemon=True)
        runner.start()
        runner.join()
    bench.slot._channel.close()
    answers = [[frame.id, PATHS[read_answer(frame.meta).path]] for frame in bench.server]
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main()
