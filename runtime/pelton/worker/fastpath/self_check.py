"""Whether the fast path answers as the oracle does, for this model, here and now.

Two questions, for the input example and for requests made from the signature. Is the model given
what MLflow would give it, or the request declined? That runs no model, so it is asked of many
requests, odd ones among them. And are the answers the same bytes? That is asked of a few.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from pelton.worker.fastpath.likeness import same_input
from pelton.worker.fastpath.witness import JSON

if TYPE_CHECKING:
    from pelton.worker.fastpath.compiler import FastPath

Oracle = Callable[[bytes, str], tuple[int, str, bytes]]
"""Answers (body, content type) with (status, media type, body), by MLflow's own code."""

#: What an odd cell may be. MLflow casts, refuses or wraps it, by rules that are left to MLflow.
_ODD_CELLS = (
    b"null", b"true", b'"7"', b'"x"', b"1.5", b"7", b"-0", b"-0.0", b"NaN", b"-Infinity", b"1e400",
    b"1e-400", b"9007199254740993", b"2147483648", b"9223372036854775808", b"18446744073709551616",
    b"123456789012345678901234567890", b"[1]", b"{}", b'"\\ud800"', b'"a\\u0000"', b'""',
    b'"2024-01-01"', b'"01/02/2021"', b'"2024-01-01T00:00:00Z"', b'"2300-01-01"', b'"YWJj"',
)  # fmt: skip

#: So many of the usual requests are also tried with something odd in them.
_MADE_ODD = 4


class SelfCheck(NamedTuple):
    """What the comparison showed.

    Attributes:
        ok: the fast path may be used.
        reason: what differed; or why no more was compared.
        checked: number of requests compared.
        taken: of those, how many the fast path did not decline.
    """

    ok: bool
    reason: str
    checked: int
    taken: int


def self_check(
    fast: FastPath, oracle: Oracle, example: bytes | None, budget_s: float = 5.0
) -> SelfCheck:
    """Compare the fast path with the oracle.

    Args:
        fast: the model's fast path.
        oracle: answers with MLflow's own code, predicting with the same model.
        example: the logged input example as a JSON request.
        budget_s: after so long no further request is compared (the first always is).
    """
    until = time.monotonic() + budget_s
    usual = [*([] if example is None else [example]), *fast.samples()]
    checked = taken = 0
    for place, body in enumerate([*usual, *_odd(usual[:_MADE_ODD])]):
        if checked and time.monotonic() > until:
            return SelfCheck(True, "every answer compared in the time agrees", checked, taken)
        checked += 1
        decoded = fast.decode(body, JSON)
        if decoded is None:
            continue
        taken += 1
        found = difference(fast, oracle if place < len(usual) else None, body)
        if found is not None:
            return SelfCheck(False, f"{found} for {_excerpt(body)}", checked, taken)
    return SelfCheck(True, "every answer agrees", checked, taken)


def answer(fast: FastPath, body: bytes, content_type: str) -> tuple[int, str, bytes] | None:
    """Return the fast path's whole answer; ``None`` where the oracle must be asked."""
    decoded = fast.decode(body, content_type)
    if decoded is None:
        return None
    try:
        output = fast.predict(decoded)
    except Exception as error:  # the model's; MLflow answers it
        return fast.error(error, decoded, body, content_type)
    encoded = fast.encode(output, decoded)
    return None if encoded is None else (200, JSON, encoded)


def difference(fast: FastPath, oracle: Oracle | None, body: bytes) -> str | None:
    """Return how the fast path and MLflow differ on the JSON request ``body``.

    For one request, in production too; the model is called up to three times, not at all without
    an ``oracle``, and then only its input is compared.
    """
    decoded = fast.decode(body, JSON)
    if decoded is None:
        return None
    if not decoded.enforce:  # else MLflow itself enforces
        handed = fast.witness.look(body)
        if handed is None or not same_input(decoded.data, handed.data):
            return "the model would be given another input"
    ours = None if oracle is None else answer(fast, body, JSON)
    if oracle is None or ours is None:
        return None
    theirs = oracle(body, JSON)
    if tuple(ours) == tuple(theirs):
        return None
    if tuple(oracle(body, JSON)) != tuple(theirs):
        return None  # it never answers the same way twice; its input has been compared
    return f"the answer is {ours[2][:200]!r} and not {theirs[2][:200]!r}"


def _odd(bodies: list[bytes]) -> Iterator[bytes]:
    """Yield requests with something unusual in them, one at a time."""
    mark = "\x00odd\x00"
    for body in bodies:
        document = json.loads(body)
        marked = _mark(document, mark)
        if marked is not None:
            template = json.dumps(marked).encode()
            for cell in _ODD_CELLS:
                yield template.replace(json.dumps(mark).encode(), cell)
        body = body.rstrip()
        yield b"\xef\xbb\xbf" + body
        yield body[:-1] + b', "client_request_id": "x"}'
        yield body[:-1] + b', "params": null}'
        yield body[:-1] + b', "params": {"no such param": 1}}'
        yield body[:-1] + b', "inputs": [1], "inputs": [2]}'


def _mark(value: Any, mark: str) -> Any:
    """Return ``value`` with its last scalar replaced; ``None`` if it has none."""
    if type(value) is dict:
        for key in reversed(list(value)):
            if key not in ("columns", "index", "params"):
                member = _mark(value[key], mark)
                return None if member is None else {**value, key: member}
        return None
    if type(value) is list:
        member = _mark(value[-1], mark) if value else None
        return None if member is None else [*value[:-1], member]
    return mark


def _excerpt(body: bytes) -> str:
    return repr(body if len(body) <= 200 else body[:200] + b"...")
