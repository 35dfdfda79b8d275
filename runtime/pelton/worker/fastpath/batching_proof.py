"""Whether the rows of several callers may be predicted together: shown on probes, not assumed.

A pyfunc may look at its whole input: rank it, normalise it, answer with one number for all. Probe
requests are predicted apart and together, in several mixes; only if every answer is the same is the
model taken to answer row by row.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pelton.worker.fastpath.batch import assemble, split
from pelton.worker.fastpath.comparison import distance, precision
from pelton.worker.fastpath.decoded import Decoded
from pelton.worker.fastpath.likeness import same_input
from pelton.worker.fastpath.witness import JSON

if TYPE_CHECKING:
    from pelton.worker.fastpath.compiler import FastPath

#: Matrix products of other shapes add in another order. A float32 network of three layers, 2,048
#: wide, was seen to differ by 9 units at the scale of its answer; wrong answers differ by millions.
MAX_ULP = 64.0

_MAX_PROBES = 6
_LARGE_ROWS = 32


class BatchingProof(NamedTuple):
    """What the probes showed.

    Attributes:
        safe: rows may be predicted together.
        reason: why not; or what was compared.
        max_ulp: the largest difference between floats, in units in the last place at the scale of
            their answer.
    """

    safe: bool
    reason: str
    max_ulp: float = 0.0


class _Probe(NamedTuple):
    request: Decoded
    answer: bytes
    eps: float


def prove_batching(
    fast: FastPath, example: bytes | None, max_ulp: float = MAX_ULP, budget_s: float = 5.0
) -> BatchingProof:
    """Predict probes apart and together, and compare.

    Args:
        fast: the model's fast path.
        example: a JSON request the model answers, the logged input example; ``None`` if there is
            none, and rows are made from the signature.
        max_ulp: how far floats may be apart.
        budget_s: what has not been shown after so long is not taken to be so.
    """
    until = time.monotonic() + budget_s
    probes: list[_Probe] = []
    for request in _requests(fast, example):
        if len(probes) == _MAX_PROBES or (len(probes) > 1 and time.monotonic() > until):
            break
        try:
            output = fast.predict(request)
        except Exception:  # a made-up row may be nothing to the model
            continue
        answer = fast.encode(output, request)
        if answer is not None:
            probes.append(_Probe(request, answer, precision(output)))
    if len(probes) < 2:
        return BatchingProof(False, "fewer than two different probe rows could be predicted")
    if fast.encode(fast.predict(probes[0].request), probes[0].request) != probes[0].answer:
        return BatchingProof(False, "the same request is answered in different ways")
    worst = 0.0
    for mix in _mixes(probes):
        if time.monotonic() > until:
            return BatchingProof(False, f"it could not be shown within {budget_s:g} s", worst)
        try:
            found = _compare(fast, mix)
        except Exception as error:  # apart they were fine
            name = type(error).__name__
            return BatchingProof(False, f"{len(mix)} requests together made predict raise {name}")
        if found is None:
            return BatchingProof(False, "the output is not aligned with the rows of the input")
        worst = max(worst, found)
        if worst > max_ulp:
            reason = f"{len(mix)} requests together are answered otherwise than apart"
            return BatchingProof(False, reason, worst)
    return BatchingProof(True, f"{len(probes)} probes agree, together and apart", worst)


def recheck(
    fast: FastPath, requests: Sequence[Decoded], parts: Sequence[Any], max_ulp: float = MAX_ULP
) -> BatchingProof:
    """Predict the ``requests`` of a batch apart, and compare with their ``parts`` of its output.

    For one batch in many, in production: what probes did not show, real requests may.

    Raises:
        BaseException: whatever the model raises.
    """
    worst = 0.0
    for request, part in zip(requests, parts, strict=True):
        output = fast.predict(request)
        apart, together = fast.encode(output, request), fast.encode(part, request)
        if apart is None or together is None:
            return BatchingProof(False, "an answer is no JSON")
        worst = max(worst, distance(together, apart, precision(output)))
    if worst > max_ulp:
        return BatchingProof(False, "a batch was answered otherwise than its requests apart", worst)
    return BatchingProof(True, f"{len(requests)} requests agree, together and apart", worst)


def _compare(fast: FastPath, mix: list[_Probe]) -> float | None:
    """Return the largest distance of an answer in ``mix`` from the same answer apart."""
    requests = [probe.request for probe in mix]
    parts = split(fast.predict(assemble(requests)), requests)
    if parts is None:
        return None
    worst = 0.0
    for part, probe in zip(parts, mix, strict=True):
        answer = fast.encode(part, probe.request)
        if answer is None:
            return None
        worst = max(worst, distance(answer, probe.answer, probe.eps))
    return worst


def _mixes(probes: list[_Probe]) -> Iterator[list[_Probe]]:
    """Yield batches: pairs, everything in both orders, one probe with itself, and a large one."""
    yield probes[:2]
    yield probes
    yield probes[::-1]
    yield [probes[0], probes[-1], probes[0]]
    yield (probes * _LARGE_ROWS)[:_LARGE_ROWS]


def _requests(fast: FastPath, example: bytes | None) -> Iterator[Decoded]:
    """Yield different requests of one group, of one and of several rows."""
    group = None
    seen: list[Any] = []
    for request in _candidates(fast, example):
        if group is None:
            group = request.group
        data = request.data
        if request.group == group and not any(same_input(data, other) for other in seen):
            seen.append(data)
            yield request


def _candidates(fast: FastPath, example: bytes | None) -> Iterator[Decoded]:
    bodies = [] if example is None else [example, *_varied(example)]
    for body in [*bodies, *fast.samples()]:
        request = fast.decode(body, JSON)
        # An input without rows along its first axis cannot be taken apart, and need not be.
        if request is None or not request.has_rows:
            continue
        for row in range(min(request.rows, 2)):
            yield request.take(row, row + 1)
        if request.rows > 1:
            yield request.take(0, min(request.rows, 3))


def _varied(example: bytes) -> Iterator[bytes]:
    """Yield the example with other floats in it."""
    try:
        document = json.loads(example)
    except ValueError:
        return
    for step in (1, 2):
        yield json.dumps(_shifted(copy.deepcopy(document), step)).encode()


def _shifted(value: Any, step: int) -> Any:
    if type(value) is float:
        return value * (1 + step / 16) + step / 64
    if type(value) is list:
        return [_shifted(member, step) for member in value]
    if type(value) is dict:
        return {
            key: member if key == "params" else _shifted(member, step)
            for key, member in value.items()
        }
    return value
