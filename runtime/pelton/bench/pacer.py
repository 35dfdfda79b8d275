"""A wake-up at an exact instant: event loops round their timers to whole milliseconds.

At 1,000 requests/s a millisecond is a whole gap between requests, and the rounding would be counted
as the server's latency. Linux's timerfd is exact to some 50 µs; elsewhere the loop's own timer is
used, and the lateness that the report shows says what that costs.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Final

_CLOCK_MONOTONIC: Final = 1
_NONBLOCK_CLOEXEC: Final = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
_ABSOLUTE: Final = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Pacer:
    """One pending wake-up on ``time.perf_counter``'s clock. Owned by one event loop.

    Args:
        loop: where the callback runs.
        wake: called without arguments at (never before) the instant armed last.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
        self._loop = loop
        self._wake = wake
        self._handle: asyncio.TimerHandle | None = None
        self._fd = -1
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC)
        if self._fd >= 0:
            loop.add_reader(self._fd, self._expired)

    def arm(self, when: float) -> None:
        """Ask for one wake-up at ``when`` (``time.perf_counter`` seconds), replacing any other."""
        if self._fd >= 0:
            seconds = int(when)
            spec = _Itimerspec()
            spec.value.seconds = seconds
            spec.value.nanoseconds = max(1, int((when - seconds) * 1e9))
            self._libc.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(spec), None)
        else:
            self._disarm_handle()
            self._handle = self._loop.call_later(max(0.0, when - perf_counter()), self._wake)

    def close(self) -> None:
        """Give the timer back; no wake-up follows."""
        self._disarm_handle()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _disarm_handle(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _expired(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._fd, 8)
        self._wake()
