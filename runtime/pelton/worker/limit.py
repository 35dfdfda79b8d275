"""A time limit for user code in the main thread."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType


class _Expired(BaseException):
    """Raised inside user code; no ``Exception``, so that it is not taken for the model's own."""


class TimeLimit:
    """Ends the ``with`` block with an exception after ``limit_s`` seconds, in the main thread.

    A signal, not a thread: it also interrupts a sleep or a blocking read. What it cannot
    interrupt (a native loop) is ended by the server, which has its own limit.

    Args:
        limit_s: seconds.
        error: makes the exception that leaves the block.
    """

    def __init__(self, limit_s: float, error: Callable[[], Exception]) -> None:
        self._limit_s = limit_s
        self._error = error

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGALRM, self._expired)
        signal.setitimer(signal.ITIMER_REAL, self._limit_s)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)
        if kind is _Expired:
            raise self._error() from None

    def _expired(self, _signal: int, _frame: FrameType | None) -> None:
        raise _Expired
