"""The command line: one module a command, imported only when it is the one that was given."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Final

from pelton import __version__
from pelton.errors import ConfigError, PeltonError

# Command -> (module, help). A module has add_arguments(parser) and run(args) -> exit status;
# pelton.bench, a program of its own, reads its arguments itself.
COMMANDS: Final = {
    "serve": ("pelton.cli.serve", "serve an MLflow model over HTTP"),
    "status": ("pelton.cli.status", "show what a running server serves"),
    "reload": ("pelton.cli.reload", "load the model again, or another one, without a pause"),
    "rollback": ("pelton.cli.rollback", "serve again what was served before the last change"),
    "cancel": ("pelton.cli.cancel", "give up the update in progress"),
    "validate": ("pelton.cli.validate", "find out whether a model will serve, before it must"),
    "build": ("pelton.cli.build", "put a model into a container image"),
    "env": ("pelton.cli.env", "list, build and delete models' environments"),
    "requirements": ("pelton.cli.requirements", "change the requirements of a logged model"),
    "bench": ("pelton.bench", "load a server, or a model, and say what it can do"),
    "plan": ("pelton.bench", "say what to provision for a rate and a latency objective"),
    "check": ("pelton.cli.check", "print the effective settings and where each came from"),
}

_OWN_PARSER: Final = {"bench": "bench_main", "plan": "plan_main"}

_EPILOG = """\
examples:
  pelton serve models:/fraud@champion          serve a registered model on 127.0.0.1:8080
  pelton serve ./model --port 5000             serve a local folder
  pelton reload --wait                         take what the alias or folder holds by now
  pelton validate ./model                      find out first whether it will serve
  pelton bench ./model --slo p99=50ms          find the highest rate that meets an objective
  pelton plan ./model --qps 200                say what to provision
  pelton check --concurrency 8                 show what `serve` would run with

`pelton COMMAND --help` explains each command.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="pelton",
        description="Serve MLflow models: MLflow's requests and answers, production's lifecycle.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pelton {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    if chosen in _OWN_PARSER:
        entry = getattr(importlib.import_module(COMMANDS[chosen][0]), _OWN_PARSER[chosen])
        return _run(lambda: entry(arguments[arguments.index(chosen) + 1 :]))
    for name, (module_name, help) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=help,
            description=help[0].upper() + help[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == chosen:
            importlib.import_module(module_name).add_arguments(command)
    args = parser.parse_args(arguments)
    if args.command is None:
        parser.print_help()
        return 2
    return _run(lambda: importlib.import_module(COMMANDS[args.command][0]).run(args))


def _run(command: Callable[[], int]) -> int:
    """Run a command; its errors are a line on stderr and an exit status."""
    try:
        return command()
    except ConfigError as error:
        print(f"pelton: {error}", file=sys.stderr)
        return 2
    except PeltonError as error:
        print(f"pelton: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
