"""What the load generator itself can do, on one core, against a server that does nothing."""

from __future__ import annotations

import argparse
import json

from benchmarks.cores import Cores
from pelton.bench import machine
from pelton.bench.floor import measure_ceiling
from pelton.bench.interruption import loop_run
from pelton.bench.request import Body

SIZES = ((200, 100), (3_000, 100), (100_000, 100), (2_000_000, 20_000))
WANTED_PER_S = 15_000


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks ceiling", description=__doc__)
    parser.add_argument("--duration", type=float, default=3.0)
    parsed = parser.parse_args(argv)
    cores = Cores.divide("apart")
    cores.pin_generator()
    print(f"generator on core {cores.generator}, the trivial server on the others")
    print("request bytes  answer bytes  requests/s  us CPU a request  that is a core at")
    first = 0.0
    for sent, received in SIZES:
        ceiling, _ = loop_run(
            lambda stop, s=sent, r=received: measure_ceiling(Body(b"x" * s), r, parsed.duration)
        )
        first = first or ceiling.rate
        print(
            f"{sent:>13,}  {received:>12,}  {ceiling.rate:>10,.0f}  {ceiling.cpu_us:>16.1f}  "
            f"{ceiling.core_rate:>15,.0f}/s"
        )
    print(json.dumps(machine.describe()))
    return 0 if first >= WANTED_PER_S else 1
