"""Asks MLflow and pelton the same and compares the answers; exits 1 if any differ."""

from __future__ import annotations

import argparse
import sys

from tests.conformance.cases import all_cases
from tests.conformance.differences import BATCHED_ULP
from tests.conformance.suite import Subject, run


def main() -> int:
    arguments = _arguments()
    cases = all_cases()
    models = arguments.models.split(",") if arguments.models else list(cases)
    if unknown := set(models) - set(cases):
        print(f"no cases for: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    if arguments.list:
        for model in models:
            print(f"{model:24} {len(cases[model]):5} cases")
            for case in cases[model] if arguments.verbose else ():
                print(f"    {case.name!r}")
        return 0
    subject = Subject(
        name=arguments.subject,
        arguments=arguments.serve_args,
        concurrency=arguments.concurrency,
        ulp=BATCHED_ULP if arguments.batched else 0.0,
        rounds=arguments.rounds,
    )
    asked = differing = 0
    for outcome in run(models, subject, arguments.jobs):
        asked += outcome.cases
        differing += outcome.cases if outcome.failure else len(outcome.mismatches)
        verdict = "agrees" if outcome.agrees else f"{len(outcome.mismatches)} differ"
        print(
            f"{outcome.model:24} {outcome.cases:5} cases  {outcome.failure or verdict}", flush=True
        )
        shown = outcome.mismatches if arguments.verbose else outcome.mismatches[: arguments.show]
        for mismatch in shown:
            print(f"  {mismatch}")
        if hidden := len(outcome.mismatches) - len(shown):
            print(f"  … and {hidden} more (-v shows all)")
    print(f"{len(models)} models, {asked} cases, {differing} differ")
    return 1 if differing else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--models", help="comma-separated names, all by default")
    parser.add_argument("--concurrency", type=int, default=1, help="requests in flight per model")
    parser.add_argument(
        "--batched", action="store_true", help=f"let floats be {BATCHED_ULP:g} ulp off"
    )
    parser.add_argument("--rounds", type=int, default=1, help="times each case is sent")
    parser.add_argument("--jobs", type=int, default=2, help="models asked at a time")
    parser.add_argument("--serve-args", default="", help="further arguments of `pelton serve`")
    parser.add_argument("--subject", default="pelton", help="pelton, mlflow, or a base URL")
    parser.add_argument("--list", action="store_true", help="list the models (-v: the cases)")
    parser.add_argument("--show", type=int, default=5, help="mismatches shown per model")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every mismatch")
    # argparse takes a value that is one option, as in --serve-args "--no-fast-path", for its own.
    words = iter(sys.argv[1:])
    return parser.parse_args(
        [f"{word}={next(words, '')}" if word == "--serve-args" else word for word in words]
    )


if __name__ == "__main__":
    sys.exit(main())
