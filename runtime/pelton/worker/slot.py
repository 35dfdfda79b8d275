"""One slot of a worker: runs one batch at a time and can be interrupted in it.

A request past its deadline is interrupted in two steps. The soft one is here: an exception
raised in the thread that predicts. In the main thread a signal does it, which also ends a sleep
or a blocking read; in another thread the interpreter raises it at the next bytecode. The hard
one is the server's: it kills the process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

from pelton.channel import frames
from pelton.channel.messages import PATHS, AnswerMeta, Kind, encode_answers
from pelton.channel.server import ChannelServer
from pelton.worker.answerer import Answerer, Decodings, WorkerRequest
from pelton.worker.urgency import Urgency

_CANCELLED = AnswerMeta(status=0, path=PATHS.index("cancelled"))
# Not SIGUSR1: faulthandler users and models like it. Linux has signals nobody else uses.
_CANCEL_SIGNAL = int(getattr(signal, "SIGRTMIN", signal.SIGUSR2 - 7)) + 7


class RequestCancelled(BaseException):
    """Raised inside the model's predict; no ``Exception``, so that models do not swallow it."""


class Batch:
    """Requests that came together.

    Attributes:
        id: that of its first request.
        requests: in their order.
        dropped: ids of those whose callers left before it began; they are not run.
        ahead: its requests decoded; ``None`` if the slot is to do that.
    """

    __slots__ = ("ahead", "dropped", "id", "requests")

    def __init__(self, requests: Sequence[WorkerRequest]) -> None:
        self.id = requests[0].id
        self.requests = requests
        self.dropped: set[int] = set()
        self.ahead: Decodings | None = None

    def drop_all(self) -> None:
        """Nobody waits for any of it."""
        self.dropped.update([request.id for request in self.requests])


class Slot:
    """Runs batches in the calling thread.

    Args:
        channel: to the server.
        answerer: answers batches.
        urgency: says which run in real time; ``None`` for none.

    ``_armed`` is the id of the batch that may be interrupted right now: set while user code runs,
    cleared before anything is written to the channel, so that a frame is never cut in two.

    Attributes:
        is_busy: it runs a batch, so that the next one will have to wait.
    """

    def __init__(
        self, channel: ChannelServer, answerer: Answerer, urgency: Urgency | None = None
    ) -> None:
        self._channel = channel
        self._urgency = urgency
        self._answerer = answerer
        self.is_busy = False
        self._pid = os.getpid()
        self._armed: int | None = None
        self._target: int | None = None
        self._lock = threading.Lock()
        self._thread_id = 0
        self._is_main = False

    def adopt_main_thread(self) -> None:
        """Make this the slot of the main thread, where a signal does the interrupting."""
        self._is_main = True
        signal.signal(_CANCEL_SIGNAL, self._on_signal)

    def run(self, next_batch: Callable[[], Batch | None]) -> None:
        """Run batches until ``next_batch`` returns ``None``."""
        self._thread_id = threading.get_ident()
        while True:
            try:
                self.is_busy = False
                if self._urgency is not None:
                    self._urgency.wait()
                batch = next_batch()
                if batch is None:
                    return
                self.is_busy = True
                if self._urgency is not None:
                    self._urgency.begin(sum(len(request.body) for request in batch.requests))
                self._run(batch)
            except RequestCancelled:
                continue  # arrived between two batches: its batch is answered already

    def cancel(self, batch_id: int) -> None:
        """Interrupt the batch whose first request is ``batch_id``; called by the reader."""
        with self._lock:
            self._target = batch_id
            if self._armed != batch_id:
                return
            if not self._is_main:
                _raise_in_thread(self._thread_id)
                return
        threading.Thread(
            target=self._signal, args=(batch_id,), name="pelton-cancel", daemon=True
        ).start()

    def _signal(self, batch_id: int) -> None:
        """Send the signal until it is heeded.

        One that comes just before the thread enters a system call does not interrupt that call,
        and the interpreter would only look at it afterwards.
        """
        pause_s = 0.005
        while True:
            with self._lock:
                if self._armed != batch_id or self._target != batch_id:
                    return
                signal.pthread_kill(self._thread_id, _CANCEL_SIGNAL)
            time.sleep(pause_s)
            pause_s = min(1.0, pause_s * 1.5)

    def _run(self, batch: Batch) -> None:
        requests = batch.requests
        unanswered = {request.id: None for request in requests}
        batch_id = batch.id
        is_rechecking = False
        if batch.dropped:
            requests = [request for request in requests if request.id not in batch.dropped]

        def reply(
            answers: Sequence[tuple[int, AnswerMeta, bytes]], /, *, rechecks: bool = False
        ) -> None:
            nonlocal is_rechecking
            if os.getpid() != self._pid:
                os._exit(0)  # the model forked and the child came back out of predict
            self._armed = None
            for request_id, _, _ in answers:
                del unanswered[request_id]
            buffers = encode_answers(answers)
            if rechecks and not is_rechecking:
                is_rechecking = True
                buffers[:0] = frames.encode(frames.Frame(Kind.RECHECKS, batch_id))
            self._channel.write(buffers)
            if rechecks and self._urgency is not None:
                self._urgency.check()
            if unanswered:
                self._armed = batch_id
                self._heed(batch_id)  # the cancellation came while this was written

        try:
            self._armed = batch_id
            self._heed(batch_id)  # cancelled before it began
            self._answerer.answer(requests, reply, batch.ahead)
        except RequestCancelled:
            pass
        self._disarm()
        if unanswered:
            self._channel.write(encode_answers([(id, _CANCELLED, b"") for id in unanswered]))
        if is_rechecking:
            self._channel.send([frames.Frame(Kind.THROUGH, batch_id)])

    def _heed(self, batch_id: int) -> None:
        if self._target == batch_id:
            self._armed = None  # so that a signal on its way does not raise a second time
            raise RequestCancelled

    def _disarm(self) -> None:
        with self._lock:
            self._armed = None
            late = self._target is not None and not self._is_main
            self._target = None
        if late:
            # An exception set by another thread may still be on its way to this one.
            try:
                for _ in range(20):
                    time.sleep(0.001)
            except RequestCancelled:
                pass

    def _on_signal(self, _signal: int, _frame: FrameType | None) -> None:
        if self._armed is not None and self._armed == self._target:
            self._armed = None
            raise RequestCancelled


def _raise_in_thread(thread_id: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread_id), ctypes.py_object(RequestCancelled)
    )
