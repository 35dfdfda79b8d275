"""When a worker that ended by itself is replaced. Pure."""

from __future__ import annotations

from collections.abc import Sequence

WINDOW_S = 60.0
_FREE = 3
_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 30.0


def recent(failures: Sequence[float], now: float) -> list[float]:
    """Return the failures of the last minute."""
    return [at for at in failures if now - at < WINDOW_S]


def delay_s(failures: Sequence[float], now: float) -> float:
    """Return how long to wait before the next start, in seconds.

    The first failures of a minute are replaced at once: they are accidents. Then the delay
    doubles, up to half a minute: it is a crash loop, and starting faster only heats the machine.

    Args:
        failures: instants at which workers failed, in seconds of the monotonic clock.
        now: the present instant.
    """
    many = len(recent(failures, now))
    if many <= _FREE:
        return 0.0
    return min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0 ** (many - _FREE - 1))
