"""Whether a choice holds: it is run, and one slot less is run too.

The search goes up while the objective is missed and down while it is met, so that it ends at the
fewest slots that meet it, or says why it ends elsewhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from pelton.bench.plan.measure import Trial

_TRIALS: Final = 8


@dataclass
class Verdict:
    """What running showed.

    Attributes:
        trials: in the order in which they were run.
        slots: the fewest that met the objective; ``None`` if none did.
        why: why it is not settled, or what settled it.
    """

    trials: list[Trial] = field(default_factory=list)
    slots: int | None = None
    why: str = ""


async def settle(
    start: int, most: int, run: Callable[[int], Awaitable[Trial]], cores_text: str
) -> Verdict:
    """Find the fewest slots that meet the objective, by running.

    A miss while something else used the machine is run once more.

    Args:
        start: slots expected to be enough.
        most: more than this machine's cores can keep busy would show nothing.
        run: runs so many slots.
        cores_text: says why ``most`` is the limit.
    """
    verdict = Verdict()
    if start > most:
        verdict.why = f"not run: {start} slots, but {cores_text}"
        return verdict
    met: dict[int, bool] = {}
    repeated: set[int] = set()
    slots = start
    while len(verdict.trials) < _TRIALS:
        trial = await run(slots)
        verdict.trials.append(trial)
        if trial.is_disturbed and not trial.is_met and slots not in repeated:
            repeated.add(slots)
            continue
        met[slots] = trial.is_met
        if trial.is_met:
            verdict.slots = slots
            if slots == 1:
                verdict.why = "one slot is the least there is"
                return verdict
            if met.get(slots - 1) is False:
                verdict.why = f"{slots - 1} missed it"
                return verdict
            slots -= 1
        else:
            if met.get(slots + 1):
                verdict.why = f"{slots} missed it"
                return verdict
            if slots + 1 > most:
                verdict.why = f"{slots} missed it, and {cores_text}"
                return verdict
            slots += 1
    verdict.why = f"not settled after {_TRIALS} runs"
    return verdict
