"""``pelton reload [MODEL_URI]``: load the model again, or another one, without a pause."""

from __future__ import annotations

import argparse

from pelton.cli.running import Running, add_connection, finish, reach
from pelton.environment.uri import local_path
from pelton.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``reload``."""
    add_connection(parser, wait="wait until the new revision serves, or is refused")
    parser.add_argument(
        "model",
        nargs="?",
        metavar="MODEL_URI",
        help="another model (default: what the served one's URI means by now)",
    )
    parser.add_argument(
        "--same-version",
        action="store_true",
        help="the very files that are served, whatever an alias or a folder holds by now",
    )


def run(args: argparse.Namespace) -> int:
    """Begin the reload; returns the exit status."""
    if args.model is not None and args.same_version:
        raise ConfigError("Give another model or --same-version, not both.")

    def action(running: Running) -> int:
        wanted: dict[str, object] = {}
        if args.same_version:
            wanted["same_version"] = True
        elif args.model is not None:
            # The server may have been started elsewhere: a relative path is ours.
            wanted["entity_name"] = str(local_path(args.model) or args.model)
        return finish(args, running, running.change("reload", **wanted))

    return reach(args, action)
