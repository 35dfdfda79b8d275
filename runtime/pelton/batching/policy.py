"""How large a batch may be. Pure; the queue asks at the moment a slot pulls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BatchLimits:
    """Bounds of one batch.

    Attributes:
        requests: at most so many requests; 1 is no batching.
        body_bytes: at most so many bytes of request bodies (a single larger one still goes).
    """

    requests: int = 1
    body_bytes: int = 16 * 1024 * 1024


NO_BATCHING = BatchLimits()
_WORTH = 0.25
_FEW = 16
_ENOUGH = 32
_NEARLY_ALL = 16.0  # times what a batch costs: what more of them save is a sixteenth
_PATIENCE = 4.0
_COMPUTES = 0.4
_SPARE = 0.4  # of a core: a front end that uses less of one leaves it to a batch
_SLOW_S = 0.005  # timers are of milliseconds
_LINGER = 0.1
_LONGEST_LINGER_S = 0.005
LINGERS = 5  # at most so many times that long, as long as requests still come


def hold_s(waiting: int, fixed_s: float, each_s: float) -> float:
    """Return how long a request may wait for a batch though a slot is idle.

    For where another batch would only take processor time from those that run: then waiting for
    company is the faster way, if the fixed cost is worth saving.

    Args:
        waiting: requests in the queue.
        fixed_s, each_s: a batch of n takes ``fixed_s + n * each_s`` seconds.
    """
    if fixed_s < _WORTH * (fixed_s + waiting * each_s):
        return 0.0
    return _PATIENCE * fixed_s


def linger_s(waiting: int, expected: int, fixed_s: float) -> float:
    """Return how long a free slot should wait for more requests before it takes the ``waiting``.

    Callers that were answered together come back one after the other. If a batch costs much
    whatever its size, those who are first should not have one of their own.

    Args:
        waiting: requests in the queue.
        expected: how many there will be when those that were answered last are back.
        fixed_s: the part of a batch's time that does not depend on its size, in seconds.
    """
    if fixed_s < _SLOW_S or waiting >= expected:
        return 0.0
    return min(_LINGER * fixed_s, _LONGEST_LINGER_S)


def at_once(cores: float, cpu_share: float | None, lanes: int) -> int:
    """Return how many batches may run at a time before they are in each other's way.

    Args:
        cores: usable by this server, without what the front end needs of them now.
        cpu_share: cores that one running batch keeps busy; ``None`` until measured. What is more
            than 0.4 is taken for 1: under load a slot counts as running while its answers wait.
        lanes: how many could run.
    """
    if not cpu_share:
        return lanes
    needed = 1.0 if cpu_share > _COMPUTES else cpu_share
    return max(1, min(lanes, int((cores + _SPARE) / needed)))


def share(waiting: int, fixed_s: float, each_s: float, free: int) -> int:
    """Return how many of the ``waiting`` requests a batch should take at most.

    All: a batch costs less than two of half its size. Only where the requests cost more than the
    batch does, other idle slots that have a core get as many each. And where they cost nearly all
    and are many, half: it saves little, and nobody has an answer before all of it is through.

    Args:
        waiting: how many wait.
        fixed_s, each_s: a batch of n takes ``fixed_s + n * each_s`` seconds.
        free: idle slots that may run at the same time, this one among them.
    """
    requests_s = waiting * each_s
    parts = 1 if requests_s <= fixed_s else max(1, free)
    if waiting >= _FEW and requests_s > _NEARLY_ALL * fixed_s:
        parts = max(parts, 2)
    return -(-waiting // parts)


def fair(population: int, lanes: int, at_once: int) -> int:
    """Return how many requests a batch should take at most, so that all slots have as many.

    Batches cost ``a + b * n``: the more requests a batch has, the less one more of them saves. So
    with a given number of callers equal batches answer most of them in the same time.

    Args:
        population: requests that wait or run, or that were just answered and may be back.
        lanes: slots.
        at_once: as many of them are worth running at a time.
    """
    return -(-population // max(1, min(lanes, at_once)))


def half(population: int) -> int:
    """Return how many requests a batch should take at most where batches cost little.

    While some are predicted, others are answered, and ask again: with all in one batch, the slot
    waits for the front end and then the front end for the slot. Where a half is few, what a batch
    costs is more than that.

    Args:
        population: as for ``fair``.
    """
    return max(_ENOUGH, -(-population // 2))
