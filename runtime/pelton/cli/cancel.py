"""``pelton cancel``: give up the update in progress; what serves goes on serving."""

from __future__ import annotations

import argparse
import json

from pelton.cli.running import Running, add_connection, reach


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``cancel``."""
    add_connection(parser, wait="wait until the update has ended")


def run(args: argparse.Namespace) -> int:
    """Cancel the update; returns the exit status."""

    def action(running: Running) -> int:
        found = running.change("cancel")
        if args.wait:
            found = running.wait(lambda _: None)
        print(json.dumps(found, indent=2) if args.json else "The update is cancelled.")
        return 0

    return reach(args, action)
