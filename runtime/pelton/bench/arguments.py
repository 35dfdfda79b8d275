"""The command line of ``pelton bench``, and what it means."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from pelton.bench import quantity
from pelton.bench.arrival import Arrivals
from pelton.bench.session import Options
from pelton.bench.slo import Objective
from pelton.bench.step import ClosedStep, OpenStep, Step
from pelton.errors import ConfigError

T = TypeVar("T")

_DESCRIPTION: Final = """\
Measure what a model server can do, and how long its callers wait.

TARGET is a URL (pelton, `mlflow models serve`, a Databricks endpoint), or a model
(a folder, models:/..., runs:/...): then pelton serves it for the run and stops it after.
What follows `--` goes to `pelton serve`.

  Open loop    --rate      requests leave on a schedule, as from many independent callers,
                           and latency counts from when a request was meant to leave: a
                           stall shows. This is what your users will see.
  Closed loop  --concurrency  so many callers, each waiting for its answer before it asks
                           again: the highest throughput. A stalled server is simply asked
                           less, so latencies look better than they are.
  Search       --slo       the highest rate at which p99=50ms still holds, refused and
                           failed requests counted as misses.
"""

_EXAMPLES: Final = """\
examples:
  pelton bench http://127.0.0.1:8080 --input request.json
  pelton bench models:/fraud/3 --concurrency 1,8,32 -- --concurrency 4
  pelton bench ./model --rate 100,200,400 --duration 20s --html report.html
  pelton bench ./model --slo p99=50ms --rows 1:80,32:20
  pelton bench https://HOST/serving-endpoints/NAME/invocations --input rows.jsonl --rate 20
                           (token from the variable DATABRICKS_TOKEN, or --token-from)
"""


def told(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Let argparse show our message for a wrong value."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except ConfigError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read


def parser() -> argparse.ArgumentParser:
    """Build the command line's parser."""
    parser = argparse.ArgumentParser(
        prog="pelton bench",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", metavar="TARGET", help="URL of a server, or a model to serve")
    load = parser.add_argument_group("load (default: --concurrency 1,8,32)")
    load.add_argument(
        "--rate", type=told(quantity.rates), metavar="R,...", help="open loop, requests/s"
    )
    load.add_argument(
        "--ramp", type=told(quantity.ramp), metavar="FROM:TO", help="open loop, rate changing"
    )
    load.add_argument(
        "--concurrency", type=told(quantity.counts), metavar="N,...", help="closed loop, callers"
    )
    load.add_argument(
        "--slo", type=told(Objective.parse), metavar="p99=50ms", help="search the highest rate"
    )
    load.add_argument(
        "--arrivals",
        choices=("poisson", "constant"),
        default="poisson",
        help="open loop: independent callers (default) or equal gaps",
    )
    load.add_argument(
        "--duration",
        type=told(quantity.duration_s),
        default=10.0,
        metavar="10s",
        help="of each step (default 10s); of a search's step the least",
    )
    load.add_argument(
        "--warm-up",
        type=told(quantity.duration_s),
        default=2.0,
        metavar="2s",
        help="load before, not counted (default 2s)",
    )
    requests = parser.add_argument_group("requests (default: the model's input example)")
    requests.add_argument(
        "--input",
        type=Path,
        metavar="FILE",
        help="a body (.json, .csv, .parquet), or .jsonl: one a line, or lines of "
        '{"request":..., "response":...} to check answers against',
    )
    requests.add_argument(
        "--model", metavar="MODEL", help="where the example or signature is, for a URL"
    )
    requests.add_argument(
        "--generate", action="store_true", help="make rows up from the signature instead"
    )
    requests.add_argument(
        "--rows",
        type=told(quantity.mix),
        metavar="N[:SHARE],...",
        help="rows a request: 1, or a mix such as 1:80,32:20",
    )
    requests.add_argument(
        "--distinct",
        type=told(quantity.count),
        default=32,
        metavar="N",
        help="different requests of each size (default 32)",
    )
    requests.add_argument(
        "--no-check",
        action="store_true",
        help="do not compare answers under load with the answer the same request gets alone",
    )
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--timeout",
        type=told(quantity.duration_s),
        default=30.0,
        metavar="30s",
        help="after so long a request has failed (default 30s)",
    )
    limits.add_argument(
        "--connections",
        type=told(quantity.count),
        default=256,
        metavar="N",
        help="open at once at most (default 256); more requests wait, and that counts",
    )
    limits.add_argument(
        "--token-from",
        metavar="VARIABLE",
        help="environment variable with the bearer token (default DATABRICKS_TOKEN for https)",
    )
    limits.add_argument(
        "--no-ceiling", action="store_true", help="do not measure the generator itself first"
    )
    output = parser.add_argument_group("output")
    output.add_argument("--json", type=Path, metavar="FILE", help="everything, as JSON (- = here)")
    output.add_argument("--html", type=Path, metavar="FILE", help="one page with the plots")
    return parser


def split_serve_arguments(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the arguments at the first ``--``: ours, and those of ``pelton serve``."""
    arguments = list(argv)
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def steps_of(arguments: argparse.Namespace) -> list[Step]:
    """Return the steps that the arguments ask for."""
    poisson = arguments.arrivals == "poisson"
    duration_s = arguments.duration
    steps: list[Step] = [
        OpenStep(Arrivals(rate, rate, duration_s, poisson, seed=number))
        for number, rate in enumerate(arguments.rate or (), 1)
    ]
    if arguments.ramp:
        first, last = arguments.ramp
        steps.append(OpenStep(Arrivals(first, last, duration_s, poisson)))
    concurrency = arguments.concurrency
    if concurrency is None and not steps and arguments.slo is None:
        concurrency = [1, 8, 32]
    return steps + [ClosedStep(callers, duration_s) for callers in concurrency or ()]


def options_of(arguments: argparse.Namespace) -> Options:
    """Return how the arguments ask to measure."""
    return Options(
        warm_up_s=arguments.warm_up,
        timeout_s=arguments.timeout,
        connections=arguments.connections,
        check=not arguments.no_check,
        poisson=arguments.arrivals == "poisson",
        probe_s=arguments.duration,
        ceiling_s=0.0 if arguments.no_ceiling else 1.0,
    )


def token_of(arguments: argparse.Namespace) -> str | None:
    """Return the bearer token that the arguments name.

    Raises:
        ConfigError: the variable named is not set.
    """
    if arguments.token_from:
        token = os.environ.get(arguments.token_from)
        if not token:
            raise ConfigError(f"the environment variable {arguments.token_from} is not set")
        return token
    if arguments.target.startswith("https://"):
        return os.environ.get("DATABRICKS_TOKEN")
    return None
