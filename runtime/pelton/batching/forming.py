"""Taking a batch from the head of the queue."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from pelton.batching.entry import Entry, Stage
from pelton.compiled import core


def take_reference(
    queue: deque[Entry],
    now: float,
    cost: tuple[float, float],
    most: float,
    most_bytes: float,
    odd_above: float,
) -> tuple[list[Entry], int, list[Entry]]:
    """Take a batch from ``queue``; those who have left are forgotten on the way.

    It is closed before one more request would make it too long for the tightest deadline. A request
    that is much larger than usual goes alone: nobody should wait for its rows.

    Args:
        queue: what waits, the first first.
        now: the present instant.
        cost: ``(a, b)``: a batch of n takes ``a + b * n`` seconds.
        most, most_bytes: so many requests, with bodies of so many bytes, at most; a single larger
            one is taken.
        odd_above: a body of more bytes is much larger than usual.

    Returns:
        The batch, the size of its bodies, and those who are past their deadline: they are taken off
        the queue, too, and still to be ended.
    """
    fixed_s, each_s = cost
    batch: list[Entry] = []
    late: list[Entry] = []
    size = 0
    tightest = math.inf
    done = Stage.DONE
    while queue and len(batch) < most:
        entry = queue[0]
        deadline, body_bytes = entry.deadline, len(entry.body)
        if entry.stage is done:
            queue.popleft()
            continue
        if deadline <= now:
            late.append(queue.popleft())
            continue
        if deadline < tightest:
            tightest = deadline
        is_odd = body_bytes > odd_above
        if batch and (
            is_odd
            or size + body_bytes > most_bytes
            or now + fixed_s + each_s * (len(batch) + 1) > tightest
        ):
            break
        batch.append(queue.popleft())
        size += body_bytes
        if is_odd:
            break
    return batch, size, late


take: Callable[
    [deque[Entry], float, tuple[float, float], float, float, float],
    tuple[list[Entry], int, list[Entry]],
] = take_reference if core is None else core.take
