"""``pelton validate MODEL_URI``: will this model serve, and how well?"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from pelton.cli.options import add_settings, resolve_settings
from pelton.errors import ConfigError

_SETTINGS: Final = frozenset(
    {
        "batching",
        "cache_dir",
        "concurrency",
        "env",
        "fast_path",
        "fork",
        "load_timeout",
        "log_level",
        "memory_per_slot",
        "override",
        "slots_per_worker",
        "timeout",
        "warmup_timeout",
        "workload_size",
        "workload_type",
    }
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``validate``."""
    parser.epilog = (
        "exit status: 0 it will serve, 1 an error or a warning was found, 2 wrong usage.\n\n"
        "Builds the model's environment, loads the model with the worker that would serve it,\n"
        "asks it its input example (or --input-path), starts a second worker, loads it again in\n"
        "a fresh process, and compares and measures. Nothing is left running, and the model is\n"
        "not written to."
    )
    parser.add_argument(
        "-i", "--input-path", type=Path, help="a file with a request (default: the input example)"
    )
    parser.add_argument(
        "-t",
        "--content-type",
        choices=("json", "csv"),
        default="json",
        help="what is in that file (default: json)",
    )
    parser.add_argument("-o", "--output-path", type=Path, help="a file for the prediction")
    parser.add_argument(
        "--install-mlflow",
        action="store_true",
        help="put this mlflow's version into the model's environment",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    add_settings(parser, only=_SETTINGS)


def run(args: argparse.Namespace) -> int:
    """Validate and print the report; returns the exit status."""
    resolved = resolve_settings(args)
    if resolved.model is None:
        raise ConfigError(
            "Which model? Give a URI: `pelton validate models:/name/1`, or a folder with an"
            " MLmodel file."
        )
    from pelton.telemetry.logging import configure
    from pelton.validation import validate

    settings = resolved.settings
    if resolved.sources["log_level"] == "default":
        # The report says what a log would say, and what a server should not be silent about.
        settings = replace(settings, telemetry=replace(settings.telemetry, log_level="error"))
    configure(settings.telemetry.log_level, as_json=settings.telemetry.log_json)
    report = validate(
        resolved.model,
        input_path=args.input_path,
        content_type=args.content_type,
        output_path=args.output_path,
        env_manager="auto" if resolved.sources["env"] == "default" else settings.entity.env,
        install_mlflow=args.install_mlflow,
        pip_requirements_override=settings.entity.override,
        settings=settings,
        on_progress=progress(),
    )
    print(json.dumps(report.as_dict(), indent=2) if args.json else report)
    return 0 if report.ok else 1


def progress() -> Callable[[str], None]:
    """Return what says on stderr what is being done, and since when."""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:5.1f} s] {text}", file=sys.stderr, flush=True)

    return say
