"""``pelton serve MODEL_URI``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pelton.cli.options import add_settings, resolve_settings
from pelton.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``serve``."""
    parser.epilog = (
        "exit status: 0 stopped by a signal, 2 wrong settings, 3 the model could not be loaded,\n"
        "4 the model failed its warm-up.\n\n"
        "The first SIGTERM or Ctrl-C drains: readiness goes off, what was accepted is answered.\n"
        "A second one leaves at once."
    )
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal; returns the exit status."""
    resolved = resolve_settings(args)
    if resolved.model is None:
        raise ConfigError(
            "Which model? Give a URI: `pelton serve models:/name/1`, or a folder with an MLmodel"
            " file."
        )
    from pelton.serve import serve
    from pelton.telemetry.logging import configure

    settings = resolved.settings
    configure(settings.telemetry.log_level, as_json=settings.telemetry.log_json)
    model = resolved.model

    def on_ready(url: str) -> None:
        if not settings.telemetry.log_json:
            sys.stderr.write(f"\nServing {model}. Try it:\n\n  {curl(url, model)}\n\n")

    return serve(settings, model, on_ready)


def curl(url: str, model: str) -> str:
    """Return a command that asks the model its own input example, if it has one here."""
    example = Path(model.removeprefix("file:")).resolve() / "serving_input_example.json"
    if not example.is_file():
        return f"curl {url}/v2/health/ready"
    if example.stat().st_size < 1000:
        body = "".join(line.strip() for line in example.read_text().splitlines())
        if "'" not in body:
            return f"curl {url}/invocations -H 'content-type: application/json' -d '{body}'"
    return f"curl {url}/invocations -H 'content-type: application/json' -d @'{example}'"
