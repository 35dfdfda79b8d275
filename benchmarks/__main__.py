"""``python -m benchmarks COMMAND``: every figure of this project, from one command each."""

from __future__ import annotations

import importlib
import signal
import sys

from pelton.bench.interruption import Interrupted
from pelton.errors import PeltonError

COMMANDS = {
    "run": ("benchmarks.run", "scenarios x servers, interleaved rounds, results as JSON"),
    "compare": ("benchmarks.compare", "the ratio table of a results file, and the README's"),
    "tiers": ("benchmarks.tiers", "every workload type at every size, memory against budget"),
    "latency": ("benchmarks.latency", "one caller: MLflow's server and pelton side by side"),
    "underload": (
        "benchmarks.underload",
        "latency at half of capacity, and of small requests beside a slow one",
    ),
    "ideal": ("benchmarks.ideal", "how near to predict alone, and to ideal batches"),
    "memory": ("benchmarks.memory", "PSS of pelton with 4 slots, and of MLflow with one worker"),
    "overload": ("benchmarks.overload", "200 callers on one slot: who is refused, and how fast"),
    "queueing": ("benchmarks.queueing", "the load generator against queueing theory"),
    "ceiling": ("benchmarks.ceiling", "what the load generator itself can do"),
    "wake": ("benchmarks.wake", "what it takes to wake a process: a floor under every latency"),
}


def main(argv: list[str]) -> int:
    if not argv or argv[0] not in COMMANDS:
        print("usage: python -m benchmarks COMMAND [--help]\n")
        for name, (_, about) in COMMANDS.items():
            print(f"  {name:<10} {about}")
        return 0 if argv in (["-h"], ["--help"]) else 2
    module = importlib.import_module(COMMANDS[argv[0]][0])
    try:
        return int(module.main(argv[1:]))
    except (Interrupted, KeyboardInterrupt):
        print("stopped", file=sys.stderr)
        return 128 + signal.SIGINT
    except PeltonError as error:  # a server that did not start, or answers wrongly
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
