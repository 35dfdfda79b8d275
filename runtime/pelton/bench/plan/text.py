"""A plan in words: what was measured, what the formula says, what it leaves out, what to start."""

from __future__ import annotations

import math

from pelton.bench.plan.profile import Profile
from pelton.bench.plan.queueing import Queue
from pelton.bench.plan.recommend import Choice, formula_slots
from pelton.bench.plan.verify import Verdict
from pelton.bench.quantity import show_duration, show_rate
from pelton.bench.slo import Objective
from pelton.tiers import GB


def measured(profile: Profile) -> list[str]:
    """Say what was measured."""
    return [
        f"measured here, on {profile.cores} cores",
        f"  a lone request       {show_duration(profile.alone_s)} on average, "
        f"p99 {show_duration(profile.alone_p99_s)}",
        f"  one slot             {show_rate(profile.slot_per_s)}/s, so a request keeps it for "
        f"{show_duration(profile.service_s)}; it uses {profile.cpu_share:.2f} cores",
        f"  two slots            {show_rate(profile.two_slots_per_s)}/s, "
        f"{profile.scaling:.2f} times one",
        f"  one slot, batching   {show_rate(profile.batched_per_s)}/s"
        + (f", batches of {profile.batch:.3g} on average" if profile.batch > 1.05 else ""),
        f"  memory of a slot     {_mb(profile.slot_bytes)} alone; one more slot adds "
        f"{_mb(profile.shared_slot_bytes)} here; the rest of the server {_mb(profile.front_bytes)}",
        f"  from start to ready  {profile.load_s:.1f} s",
    ]


def formula(profile: Profile, rate: float) -> list[str]:
    """Say what the formula gives, and what it leaves out."""
    exact = formula_slots(profile, rate)
    slots = max(1, math.ceil(exact))
    lines = [
        "",
        f"the formula: {show_rate(rate)}/s x {show_duration(profile.service_s)} = "
        f"{exact:.2f}, so {_slots(slots)}",
        "what it leaves out",
    ]
    constant = Queue(rate, profile.service_s, slots, 0.0)
    if constant.utilisation >= 1:
        lines.append("  queueing    they would be busy all the time: the queue never ends")
    else:
        exponential = Queue(rate, profile.service_s, slots, 1.0)
        lines.append(
            f"  queueing    they would be {constant.utilisation:.0%} busy; p99 between "
            f"{show_duration(constant.latency_s(99))} (constant times, M/D/c) and "
            f"{show_duration(exponential.latency_s(99))} (exponential, M/M/c)"
        )
    cost = profile.cost
    if cost.fixed_s > 0:
        lines.append(
            f"  batching    a batch of n takes {show_duration(cost.fixed_s)} + n x "
            f"{show_duration(cost.each_s)}: one slot that batches does "
            f"{profile.batched_per_s / profile.slot_per_s:.1f} times what one does that does not"
        )
    else:
        lines.append("  batching    this model was not batched (or gains nothing from it)")
    needed = slots * profile.cpu_share
    lines.append(
        f"  cores       {_slots(slots)}, busy, use {needed:.1f} cores"
        + (f"; here are {profile.cores}" if needed > profile.cores else "")
    )
    lines.append(f"  cold start  {profile.load_s:.1f} s before the first answer")
    return lines


def chosen(
    profile: Profile, plain: Choice | None, batching: Choice | None, objective: Objective | None
) -> list[str]:
    """Say what to start."""
    lines = ["", "recommended" + (f" for {objective}" if objective else "")]
    for name, choice in (("Databricks, one request a slot", plain), ("pelton, batching", batching)):
        if choice is None:
            lines.append(f"  {name}: no number of slots is enough: a lone request is too slow")
            continue
        tier = choice.tier.name if choice.tier else "none has memory enough"
        budget = f" ({choice.tier.slot_bytes / GB:.0f} GB a slot)" if choice.tier else ""
        size = f"size {choice.size}" if choice.size else "more slots than any size has"
        more = f", {choice.slots} needed" if choice.provisioned != choice.slots else ""
        percent = f"p{objective.percent:g}" if objective else "p99"
        lines.append(
            f"  {name}: {_slots(choice.provisioned)}{more}; workload type {tier}{budget}, {size}; "
            f"{choice.busy:.0%} busy, {percent} about {show_duration(choice.latency_s)}"
        )
    if profile.scaling < 1.5 and profile.cpu_share > 0.5:
        lines.append(
            f"  note: a second slot added only {max(0.0, profile.scaling - 1):.0%} here: the cores "
            "are the limit, so more slots need more cores"
        )
    return lines


def verified(name: str, verdict: Verdict, objective: Objective) -> list[str]:
    """Say what running the choice has shown."""
    lines = [f"  {name}"]
    for trial in verdict.trials:
        value = show_duration(trial.value_s) if math.isfinite(trial.value_s) else "never"
        lines.append(
            f"    {_slots(trial.slots)} at {show_rate(trial.offered)}/s: "
            f"p{objective.percent:g} {value}, {trial.missed} missed: "
            f"{'met' if trial.is_met else 'not met'}"
            + (f" (disturbed: sent late by {show_duration(trial.late_s)})" * trial.is_disturbed)
        )
    settled = f"{verdict.slots} needed" if verdict.slots else "none found"
    lines.append(f"    {settled}: {verdict.why}")
    return lines


def _slots(number: int) -> str:
    return f"{number} slot{'s' * (number > 1)}"


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
