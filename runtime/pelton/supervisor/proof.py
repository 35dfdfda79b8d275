"""Whether a revision may be started, and whether it may serve once it has warmed up."""

from __future__ import annotations

import logging

from pelton.errors import ConfigError, UpdateRejected, WarmupFailed
from pelton.settings import Settings
from pelton.supervisor import memory, verify
from pelton.supervisor.revision import Revision
from pelton.telemetry.logging import kv

log = logging.getLogger("pelton.supervisor")


def check_slots(revision: Revision, memory_policy: str) -> None:
    """Say if there is less memory than the slots promise.

    Raises:
        ConfigError: and that is not allowed.
    """
    plan = revision.slots
    if not plan.is_reduced:
        return
    if memory_policy == "refuse":
        raise ConfigError(
            f"Not enough memory: {plan.reason}. Use fewer slots (--concurrency), a smaller"
            f" --workload-type or --memory-per-slot, or --memory-policy fewer."
        )
    log.warning(
        "revision.fewer_slots %s",
        kv(slots=plan.slots, wanted=plan.wanted, reason=plan.reason),
    )


def prove(revision: Revision, old: Revision | None, settings: Settings) -> None:
    """Judge what the new revision's warm-up reported.

    Args:
        revision: its workers are ready.
        old: the one that serves; ``None`` for the first one, which is given more rope.
        settings: the server's.

    Raises:
        WarmupFailed: it refused its own example, or answers what its signature does not say.
        BudgetExceeded: it does not fit into its slots.
        UpdateRejected: its answers differ from the active revision's.
    """
    assert revision.pool is not None
    report = revision.pool.report
    memory.check_fit(report.get("rss_bytes"), revision.slot_bytes, revision.entity.slots_per_worker)
    objection = None
    if report["example"] == "refused":
        objection = (
            f"The model refused its own input example ({report['detail'][:1000]}). Log it"
            f" with an input example that it can answer."
        )
    elif report.get("output_mismatch"):
        objection = f"The model does not answer as declared: {report['output_mismatch']}."
    if objection is not None:
        if old is not None or settings.workers.warmup == "require":
            raise WarmupFailed(objection)
        log.warning("revision.doubtful %s", kv(revision=revision.number, reason=objection))
    tolerance = settings.updates.verify_against_active
    if old is not None and old.pool is not None and tolerance and report.get("verified"):
        difference = verify.difference(
            old.pool.report["example_answer"], report["verified"][0], tolerance
        )
        if difference is not None:
            raise UpdateRejected(
                f"The new revision answers the active one's example differently:"
                f" {difference} (--verify-against-active {tolerance:g})."
            )


def requests_to_verify(active: Revision | None, settings: Settings) -> list[tuple[str, str]]:
    """Return the active revision's example, if a new one is to be compared with its answer."""
    if not settings.updates.verify_against_active or active is None:
        return []
    assert active.pool is not None
    example = active.pool.report.get("example_request")
    return [tuple(example)] if example else []
