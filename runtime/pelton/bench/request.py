"""Requests ready to be written: bytes made once, picked by weight while the load runs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pelton.bench.answer import Expectation
from pelton.bench.target import Target

_CYCLE: Final = 8192  # picks drawn ahead and then repeated


@dataclass(frozen=True)
class Body:
    """A request body and what is known of it.

    Attributes:
        content: bytes of the body.
        rows: rows it asks predictions for (0 = unknown).
        content_type: its media type.
        answer: the answer that is right, where a file says so.
    """

    content: bytes
    rows: int = 1
    content_type: str = "application/json"
    answer: bytes | None = None


class Request:
    """One distinct request of the mix, as it goes over the wire.

    Attributes:
        wire: head and body.
        body: what it was made of.
        rows: rows it asks predictions for (0 = unknown).
        expectation: the right answer; ``None`` while unknown, or when answers are not checked.
    """

    __slots__ = ("body", "expectation", "rows", "wire")

    def __init__(self, target: Target, body: Body) -> None:
        self.wire = target.post(body.content, body.content_type)
        self.body = body
        self.rows = body.rows
        self.expectation = None if body.answer is None else Expectation(body.answer)


class Mix:
    """The distinct requests of a run, and an endless stream of picks from them.

    Args:
        requests: the distinct ones.
        shares: rows -> share of the requests that have so many rows; ``None`` = all alike.
        seed: of the picks.
    """

    def __init__(
        self,
        requests: Sequence[Request],
        shares: dict[int, float] | None = None,
        *,
        seed: int = 1,
    ) -> None:
        self.requests = list(requests)
        weights = [1.0] * len(self.requests)
        if shares:
            alike: dict[int, int] = {}
            for request in self.requests:
                alike[request.body.rows] = alike.get(request.body.rows, 0) + 1
            weights = [shares[r.body.rows] / alike[r.body.rows] for r in self.requests]
        if len(self.requests) == 1:
            self.picks: Iterator[Request] = itertools.repeat(self.requests[0])
        elif len(set(weights)) == 1:
            self.picks = itertools.cycle(self.requests)
        else:
            drawn = random.Random(seed).choices(self.requests, weights, k=_CYCLE)
            self.picks = itertools.cycle(drawn)
