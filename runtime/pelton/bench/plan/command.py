"""``pelton plan``: from arguments to a recommendation and, on request, its proof."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, TextIO

from pelton.bench import machine, quantity, source
from pelton.bench.arguments import split_serve_arguments, told
from pelton.bench.command import INTERRUPTED, MISUSED
from pelton.bench.interruption import Interrupted, loop_run
from pelton.bench.modeldir import ModelDir
from pelton.bench.plan import text
from pelton.bench.plan.measure import Bench, Trial
from pelton.bench.plan.profile import Profile
from pelton.bench.plan.recommend import Choice, with_batching, without_batching
from pelton.bench.plan.verify import Verdict, settle
from pelton.bench.slo import Objective
from pelton.errors import PeltonError

_DESCRIPTION: Final = """\
How many slots does a model need, and of which workload type?

Serves the model here a few times (one slot, one slot batching, two slots), and from what
it measures says what the usual formula gives (slots = requests/s x seconds), what the
formula leaves out, and what to start: on Databricks, where a slot runs one request at a
time, and with pelton, which batches. With --verify it runs its own recommendation, and
one slot less.

What follows `--` goes to `pelton serve`.
"""
_EXAMPLES: Final = """\
examples:
  pelton plan models:/fraud/3 --qps 200 --slo p99=100ms
  pelton plan ./model --qps 50 --slo p99=250ms --rows 1:80,32:20 --verify -- --env local
"""


def parser() -> argparse.ArgumentParser:
    """Build the command line's parser."""
    parser = argparse.ArgumentParser(
        prog="pelton plan",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL_URI", help="a folder, models:/..., runs:/...")
    parser.add_argument(
        "--qps", type=told(quantity.positive), required=True, metavar="N", help="requests/s to come"
    )
    parser.add_argument(
        "--slo", type=told(Objective.parse), metavar="p99=100ms", help="latency objective"
    )
    parser.add_argument("--input", type=Path, metavar="FILE", help="requests (.json, .jsonl, ...)")
    parser.add_argument(
        "--rows", type=told(quantity.mix), metavar="N[:SHARE],...", help="rows a request"
    )
    parser.add_argument(
        "--verify", action="store_true", help="run the recommendation, and one slot less"
    )
    parser.add_argument(
        "--probe",
        type=told(quantity.duration_s),
        default=3.0,
        metavar="3s",
        help="length of each measurement (default 3s)",
    )
    parser.add_argument(
        "--duration",
        type=told(quantity.duration_s),
        default=15.0,
        metavar="15s",
        help="length of each verifying run (default 15s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="everything, as JSON")
    return parser


def run_plan(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Run the command line ``pelton plan``.

    Returns:
        0; 1 if the objective cannot be met or the recommendation did not hold; 2 for a wrong
        command line or a model that cannot be served; 130 after Ctrl-C.
    """
    ours, serve_arguments = split_serve_arguments(argv)
    parsed = parser().parse_args(ours)
    if parsed.verify and parsed.slo is None:
        err.write("pelton plan: --verify needs an objective to verify: --slo p99=100ms\n")
        return MISUSED
    try:
        code, interrupted = loop_run(lambda stop: _plan(parsed, serve_arguments, stop, out, err))
    except Interrupted as error:
        err.write(f"pelton plan: {error}\n")
        return INTERRUPTED
    except PeltonError as error:
        err.write(f"pelton plan: {error}\n")
        return MISUSED
    return INTERRUPTED if interrupted else code


async def _plan(
    parsed: argparse.Namespace,
    serve_arguments: list[str],
    stop: asyncio.Event,
    out: TextIO,
    err: TextIO,
) -> int:
    objective: Objective | None = parsed.slo
    rate: float = parsed.qps
    if parsed.input is not None:
        bodies = source.from_file(parsed.input)
    else:
        bodies = source.from_model(ModelDir.open(parsed.model), parsed.rows, distinct=16)
    bench = Bench(parsed.model, bodies, serve_arguments, probe_s=parsed.probe, stop=stop)
    err.write("measuring: one slot, one slot batching, two slots\n")
    err.flush()
    profile = await bench.profile()
    if stop.is_set():
        return INTERRUPTED
    plain, batching = (
        choose(profile, rate, objective) for choose in (without_batching, with_batching)
    )
    about = f"{parsed.model} at {quantity.show_rate(rate)} requests/s ({bodies.origin})"
    lines = [about, "", *text.measured(profile), *text.formula(profile, rate)]
    lines += text.chosen(profile, plain, batching, objective)
    out.write("\n".join(lines) + "\n")
    out.flush()
    verdicts: dict[str, Verdict] = {}
    if parsed.verify and objective is not None:
        out.write("\nverified by running\n")
        for name, choice in (("pelton, batching", batching), ("one request a slot", plain)):
            if choice is None or stop.is_set():
                continue
            err.write(f"running: {name}, {choice.slots} slots\n")
            verdict = await _verdict(bench, profile, choice, rate, objective, parsed.duration)
            verdicts[name] = verdict
            out.write("\n".join(text.verified(name, verdict, objective)) + "\n")
            out.flush()
    if parsed.json:
        value = _json(parsed, profile, plain, batching, verdicts)
        parsed.json.write_text(json.dumps(value, indent=1, default=str) + "\n", encoding="utf-8")
    found = batching is not None
    held = all(v.slots is not None for v in verdicts.values() if v.trials)
    return 0 if found and held else 1


async def _verdict(
    bench: Bench,
    profile: Profile,
    choice: Choice,
    rate: float,
    objective: Objective,
    duration_s: float,
) -> Verdict:
    # A percentile needs its slow ones: at a low rate the run is longer.
    long_enough_s = max(duration_s, min(60.0, objective.samples / rate))

    async def run(slots: int) -> Trial:
        return await bench.trial(
            slots,
            batching=choice.batching,
            rate=rate,
            objective=objective,
            duration_s=long_enough_s,
        )

    useful = profile.useful_slots
    limit = (
        f"a busy slot uses {profile.cpu_share:.2f} cores and here are {profile.cores}: "
        f"more than {useful} show nothing"
    )
    return await settle(choice.slots, useful, run, limit)


def _json(
    parsed: argparse.Namespace,
    profile: Profile,
    plain: Choice | None,
    batching: Choice | None,
    verdicts: dict[str, Verdict],
) -> dict[str, Any]:
    return {
        "schema": 1,
        "model": parsed.model,
        "qps": parsed.qps,
        "objective": str(parsed.slo) if parsed.slo else None,
        "machine": machine.describe(),
        "profile": profile.to_json(),
        "without_batching": asdict(plain) if plain else None,
        "with_batching": asdict(batching) if batching else None,
        "verified": {name: asdict(_finite(verdict)) for name, verdict in verdicts.items()},
    }


def _finite(verdict: Verdict) -> Verdict:
    """JSON has no infinity: a percentile among the missed becomes -1."""
    trials = [t if t.value_s < 1e9 else replace(t, value_s=-1.0) for t in verdict.trials]
    return replace(verdict, trials=trials)


def main(argv: Sequence[str]) -> int:
    """Run on this process's own streams."""
    return run_plan(argv, sys.stdout, sys.stderr)
