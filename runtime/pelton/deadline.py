"""Deadlines: absolute monotonic instants, made once at the edge and passed down.

A *timeout* is a duration and lives in settings only; a *deadline* is an instant on the system's
monotonic clock, which every process of one machine shares, so it can cross the channel as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from pelton.errors import RequestError

Clock = Callable[[], float]
"""Returns seconds on the monotonic clock; tests pass a fake."""


def deadline_after(timeout_s: float, header: str | None, now: float) -> float:
    """Return the request's deadline, in seconds of the monotonic clock.

    Args:
        timeout_s: the server's limit.
        header: the caller's ``X-Request-Timeout-Seconds``, which can only lower it.
        now: the present instant.

    Raises:
        RequestError: the header is not a positive number.
    """
    if header is None:
        return now + timeout_s
    try:
        wanted_s = float(header)
    except ValueError:
        wanted_s = math.nan
    if not wanted_s > 0:
        raise RequestError(
            f"The header X-Request-Timeout-Seconds must be a positive number of seconds,"
            f" not {header!r}."
        )
    return now + min(wanted_s, timeout_s)
