"""The worker's loop: one thread reads the channel, one thread a slot runs batches.

The reader runs no user code: it answers pings, delivers cancellations and notices the end of the
server while the model computes. While all slots are busy it decodes what waits for them. The first
slot is the main thread, because only there can a signal interrupt a blocking call.
"""

from __future__ import annotations

import functools
import os
import queue
import signal
import threading
from collections.abc import Callable
from typing import Final, cast

from pelton import platform
from pelton.channel import frames
from pelton.channel.bodies import BodyReader
from pelton.channel.frames import Buffer
from pelton.channel.messages import PLACED, REQUEST, Kind, read_request
from pelton.channel.server import ChannelServer
from pelton.compiled import core
from pelton.errors import FrameError
from pelton.worker.answerer import Answerer, WorkerRequest
from pelton.worker.slot import Batch, Slot
from pelton.worker.urgency import Urgency

_AHEAD_BYTES = 1024 * 1024  # some 5 ms of decoding
# As `WorkerRequest(...)`, which would go through a function in Python.
_request: Final = cast(
    "Callable[[tuple[int, Buffer, str | None, float]], WorkerRequest]",
    functools.partial(tuple.__new__, WorkerRequest),
)


class Loop:
    """Runs batches until the server says DRAIN.

    Args:
        channel: to the server.
        answerer: answers batches.
        slots: batches that run at a time.
        bodies: where PLACED bodies are; ``None`` if none will come.
        real_time: whether the reader and brief batches go before all other processes.
    """

    def __init__(
        self,
        channel: ChannelServer,
        answerer: Answerer,
        slots: int,
        bodies: BodyReader | None = None,
        real_time: bool = False,
    ) -> None:
        self._channel = channel
        self._real_time = real_time
        self._bodies = bodies
        self._answerer = answerer
        # None ends a slot.
        self._batches: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._waiting: dict[int, Batch] = {}  # not begun; the key is the batch's id
        self._taking = threading.Lock()  # a batch is begun or given back, not both
        self._slots = [
            Slot(channel, answerer, Urgency(platform.run_in_real_time) if real_time else None)
            for _ in range(slots)
        ]
        self._requests: list[WorkerRequest] = []  # of a batch that has not come as a whole
        if core is not None:
            channel.on_data = self._cut

    def run(self) -> None:
        """Return when the worker is drained. Ends the process if the server is gone."""
        self._slots[0].adopt_main_thread()
        threading.Thread(target=self._read, name="pelton-reader", daemon=True).start()
        others = [
            threading.Thread(
                target=slot.run, args=(self._next,), name=f"pelton-slot-{i}", daemon=True
            )
            for i, slot in enumerate(self._slots[1:], start=2)
        ]
        for thread in others:
            thread.start()
        self._slots[0].run(self._next)
        for thread in others:
            thread.join()

    def _next(self) -> Batch | None:
        """Wait for the batch that a slot is to begin with; ``None`` ends the slot."""
        while True:
            batch = self._batches.get()
            if batch is None:
                return None
            with self._taking:
                # One that was given back may have come a second time, in other company.
                if self._waiting.get(batch.id) is batch:
                    del self._waiting[batch.id]
                    return batch

    def _give_back(self, batch_id: int) -> None:
        """Let others run a batch that has not begun."""
        with self._taking:
            batch = self._waiting.pop(batch_id, None)
        if batch is not None:
            self._channel.send([frames.Frame(Kind.RETURNED, batch_id)])

    def _drop(self, request_id: int) -> None:
        """Leave a request out of its batch, if that has not begun."""
        for batch in list(self._waiting.values()):
            batch.dropped.add(request_id)  # of another batch: it changes nothing there

    def _may_decode_ahead(self, requests: list[WorkerRequest]) -> bool:
        """Whether the slots are busy for longer than ``requests`` keep this thread from pings."""
        return (
            all(slot.is_busy for slot in self._slots)
            and sum(len(request.body) for request in requests) < _AHEAD_BYTES
        )

    def _cut(self, data: bytes) -> int:
        """Take the whole requests at the start of ``data``; returns the bytes they take."""
        assert core is not None
        taken, is_whole = 0, True
        while is_whole:
            taken, requests, is_whole = core.cut_requests(data, taken, REQUEST, WorkerRequest)
            self._requests += requests
            if is_whole:
                self._take_batch()
        return int(taken)

    def _take_batch(self) -> None:
        requests, self._requests = self._requests, []
        batch = Batch(requests)
        if self._may_decode_ahead(requests):
            batch.ahead = self._answerer.decode_ahead(requests)
        self._waiting[batch.id] = batch
        self._batches.put(batch)

    def _read(self) -> None:
        if self._real_time:
            platform.run_in_real_time(True)
        try:
            for kind, id, meta, body, flags in self._channel:
                if kind in (REQUEST, PLACED):
                    if kind == PLACED:
                        assert self._bodies is not None
                        body = self._bodies.at(body)
                    deadline, content_type = read_request(meta)
                    self._requests.append(_request((id, body, content_type, deadline)))
                    if flags & frames.LAST:
                        self._take_batch()
                elif kind == Kind.PING:
                    self._channel.send([frames.Frame(Kind.PONG, id)])
                elif kind == Kind.CANCEL:
                    waiting = self._waiting.get(id)
                    if waiting is not None:  # its slot is still busy with the last one
                        waiting.drop_all()
                    for slot in self._slots:
                        slot.cancel(id)
                elif kind == Kind.DROP:
                    self._drop(id)
                elif kind == Kind.RECALL:
                    self._give_back(id)
                elif kind == Kind.DRAIN:
                    for _ in self._slots:
                        self._batches.put(None)
        except (OSError, FrameError):
            pass
        leave_orphaned()


def leave_orphaned() -> None:
    """End this process and its children: the server is gone, nobody wants their work."""
    if os.getpgrp() == os.getpid():  # our own group, never the user's shell
        os.killpg(0, signal.SIGKILL)
    os._exit(5)
