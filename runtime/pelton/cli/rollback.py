"""``pelton rollback``: serve again what was served before the last change."""

from __future__ import annotations

import argparse

from pelton.cli.running import Running, add_connection, finish, reach


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``rollback``."""
    add_connection(parser, wait="wait until the earlier model serves again, or is refused")


def run(args: argparse.Namespace) -> int:
    """Begin the rollback; returns the exit status."""

    def action(running: Running) -> int:
        return finish(args, running, running.change("rollback"))

    return reach(args, action)
