"""Requests with large bodies, and the memory in which workers read them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from tests.e2e.endpoint import Endpoint

JSON = {"content-type": "application/json"}
NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def rows(seed: int, many: int) -> bytes:
    source = random.Random(seed)
    data = [[source.uniform(0.1, 8.0) for _ in NAMES] for _ in range(many)]
    return json.dumps({"dataframe_split": {"columns": NAMES, "data": data}}).encode()


def pieces(body: bytes) -> Iterator[bytes]:
    """Have a client send a body whose length it does not say, so that it has no place."""
    yield body[:100]
    yield body[100:]


def memory(endpoint: Endpoint) -> float:
    return endpoint.metric("pelton_shared_bodies_bytes")
