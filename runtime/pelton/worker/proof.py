"""What is proven about a model before it serves: its fast path, and that rows may go together.

Proving asks the model questions, some of them made up, so it has a time limit of its own and any
failure only means: not proven. It is done once per revision; later workers are told the verdict.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from pelton.channel.messages import LoadSpec
from pelton.errors import WarmupFailed
from pelton.worker.limit import TimeLimit
from pelton.worker.model import Answer, LoadedModel

log = logging.getLogger("pelton.worker")

_PROOF_LIMIT_S = 10.0
# Asking a model that takes longer than this a dozen made-up questions is not worth it.
_SLOW_EXAMPLE_S = 1.0


@dataclass(frozen=True)
class Proof:
    """What may be done with a model.

    Attributes:
        fast_path: the compiled fast path, ``None`` if it may not be used.
        may_batch: whether rows of different callers may be predicted together.
        report: the verdicts with their reasons, for the server's log.
    """

    fast_path: Any
    may_batch: bool
    report: dict[str, Any]


def prove(
    model: LoadedModel, spec: LoadSpec, example: tuple[str, bytes] | None, example_s: float
) -> Proof:
    """Find out what may be done with ``model``.

    Args:
        model: the loaded model.
        spec: what is wanted, and the verdicts of an earlier worker if there are any.
        example: the input example as (content type, request), if the model answers it.
        example_s: how long that took, in seconds.
    """
    try:
        with TimeLimit(_PROOF_LIMIT_S, _unproven):
            return _prove(model, spec, example, example_s)
    except Exception as error:  # whatever made-up rows do to a model is no reason not to serve
        return _off(f"{type(error).__name__}: {error}"[:500])


def _prove(
    model: LoadedModel, spec: LoadSpec, example: tuple[str, bytes] | None, example_s: float
) -> Proof:
    if not spec.fast_path:
        return _off("switched off (--no-fast-path)")
    fast = model.compile_fast_path()
    if isinstance(fast, str):
        return _off(fast)
    from pelton.worker.fastpath import prove_batching, self_check

    body = example[1] if example is not None else None
    if spec.verdicts:
        if spec.verdicts["fast_path"] and body is not None:
            fast.decode(body, "application/json")  # imports what it needs, before a caller waits
        return _as_told(fast, spec.verdicts)
    if example_s > _SLOW_EXAMPLE_S:
        return _off(f"the example takes {example_s:.1f} s, too long to compare answers")

    def oracle(body: bytes, content_type: str) -> Answer:
        return model.ask(body, content_type)

    check = self_check(fast, oracle, body)
    if not check.ok:
        return _off(check.reason)
    if not check.taken:
        return _off("no request of this model's can take it")
    may_batch, why = spec.batching == "on", "switched on (--batching on)"
    if spec.batching == "off":
        why = "switched off (--batching off)"
    elif spec.batching == "auto":
        proof = prove_batching(fast, body)
        may_batch, why = proof.safe, proof.reason
    return Proof(fast, may_batch, _report(True, check.reason, may_batch, why))


def _as_told(fast: Any, verdicts: dict[str, Any]) -> Proof:
    return Proof(
        fast if verdicts["fast_path"] else None,
        bool(verdicts["batching"]),
        _report(
            verdicts["fast_path"],
            verdicts["fast_path_reason"],
            verdicts["batching"],
            verdicts["batching_reason"],
        ),
    )


def _off(reason: str) -> Proof:
    return Proof(None, False, _report(False, reason, False, "there is no fast path"))


def _report(fast: bool, fast_reason: str, batching: bool, batching_reason: str) -> dict[str, Any]:
    return {
        "fast_path": fast,
        "fast_path_reason": fast_reason,
        "batching": batching,
        "batching_reason": batching_reason,
    }


def _unproven() -> Exception:
    return WarmupFailed(f"not proven within {_PROOF_LIMIT_S:g} s")
