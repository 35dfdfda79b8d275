"""``pelton bench``: from arguments to a report and an exit code."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TextIO

from pelton.bench import arguments as cli
from pelton.bench import machine, source
from pelton.bench.child import Server, free_port, pelton_command
from pelton.bench.interruption import Interrupted, loop_run, unless
from pelton.bench.memory import slots_memory
from pelton.bench.modeldir import ModelDir, is_model_uri
from pelton.bench.report.html import page
from pelton.bench.report.live import Live
from pelton.bench.report.text import table
from pelton.bench.request import Mix, Request
from pelton.bench.session import Session
from pelton.bench.slo import Objective
from pelton.bench.source import Bodies
from pelton.bench.target import Target
from pelton.errors import ConfigError, PeltonError

SCHEMA: Final = 1
FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130


def run_bench(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Run the command line ``pelton bench``.

    Args:
        argv: arguments after ``bench``.
        out: for the report.
        err: for progress and complaints.

    Returns:
        0; 1 if answers were wrong or an objective cannot be met; 2 for a wrong command line or a
        target that cannot be measured; 130 after Ctrl-C (with the partial report written).
    """
    ours, serve_arguments = cli.split_serve_arguments(argv)
    parsed = cli.parser().parse_args(ours)
    try:
        run, interrupted = loop_run(lambda stop: _bench(parsed, serve_arguments, stop, Live(err)))
        _write(run, parsed, out)
    except Interrupted as error:
        err.write(f"pelton bench: {error}\n")
        return INTERRUPTED
    except PeltonError as error:
        err.write(f"pelton bench: {error}\n")
        return MISUSED
    if interrupted:
        return INTERRUPTED
    wrong = any(step["errors"].get("wrong") for step in run["steps"])
    unmet = run.get("objective") is not None and run["objective"]["best_rate"] is None
    return FAILED if wrong or unmet or not run["steps"] else 0


async def _bench(
    parsed: argparse.Namespace, serve_arguments: list[str], stop: asyncio.Event, live: Live
) -> dict[str, Any]:
    bodies = _bodies(parsed)
    server: Server | None = None
    if is_model_uri(parsed.target):
        port = free_port()
        server = Server(pelton_command(parsed.target, port, serve_arguments), port)
        await unless(stop, server.start())
        target = server.target
    else:
        if serve_arguments:
            raise ConfigError("arguments after -- are for `pelton serve`; TARGET is a URL here")
        target = Target.parse(parsed.target, token=cli.token_of(parsed))
    mix = Mix([Request(target, body) for body in bodies.bodies], bodies.shares)
    session = Session(
        target,
        mix,
        cli.options_of(parsed),
        live,
        stop,
        memory=(lambda: slots_memory(server.pid)) if server else list,
    )
    try:
        await session.run(cli.steps_of(parsed), parsed.slo)
    finally:
        if server is not None:
            await server.stop()
    run = describe(session, bodies, parsed.target, parsed.slo)
    if server is not None:
        run["start_s"] = round(server.start_s, 2)
    return run


def describe(
    session: Session, bodies: Bodies, target: str, objective: Objective | None
) -> dict[str, Any]:
    """Return a whole run as JSON values: the form that every report is made from."""
    ceiling = session.ceiling
    sizes = sorted({len(body.content) for body in bodies.bodies})
    run: dict[str, Any] = {
        "schema": SCHEMA,
        "target": target,
        "machine": machine.describe(),
        "generator": {
            "ceiling_per_s": round(ceiling.rate) if ceiling else None,
            "cpu_us": round(ceiling.cpu_us, 1) if ceiling else None,
        },
        "requests": {
            "origin": bodies.origin,
            "distinct": len(bodies.bodies),
            "rows": {str(rows): share for rows, share in (bodies.shares or {}).items()},
            "bytes": [sizes[0], sizes[-1]],
        },
        "steps": [step.to_json(ceiling, objective) for step in session.steps],
        "notes": session.notes,
    }
    if objective is not None:
        run["objective"] = {
            "text": str(objective),
            "percent": objective.percent,
            "limit_ms": objective.limit_s * 1e3,
            "best_rate": round(session.best, 2) if session.best else None,
            "confirmed": session.is_confirmed,
        }
    return run


def _bodies(parsed: argparse.Namespace) -> Bodies:
    if parsed.input is not None:
        if parsed.rows or parsed.generate:
            raise ConfigError("--input says what to send; leave --rows and --generate out")
        return source.from_file(parsed.input)
    named = parsed.target if is_model_uri(parsed.target) else parsed.model
    if named is None:
        raise ConfigError(
            "what shall be sent? Name a file with --input FILE, or the model with --model MODEL"
        )
    make = source.from_signature if parsed.generate else source.from_model
    return make(ModelDir.open(named), parsed.rows, distinct=parsed.distinct)


def _write(run: dict[str, Any], parsed: argparse.Namespace, out: TextIO) -> None:
    text = json.dumps(run, indent=1)
    try:
        if parsed.json == Path("-"):
            out.write(text + "\n")
        else:
            out.write("\n" + table(run) + "\n")
            if parsed.json:
                parsed.json.write_text(text + "\n", encoding="utf-8")
        if parsed.html:
            parsed.html.write_text(page(run), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the report cannot be written: {error}") from error


def main(argv: Sequence[str]) -> int:
    """Run on this process's own streams."""
    return run_bench(argv, sys.stdout, sys.stderr)
