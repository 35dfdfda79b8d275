"""``pelton requirements MODEL_URI add|remove REQ...``: change what a logged model asks for."""

from __future__ import annotations

import argparse
import asyncio

from pelton.cli.validate import progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``requirements``."""
    parser.epilog = (
        "Changes requirements.txt and conda.yaml where they are stored. A registered version is\n"
        "read-only: change the logged model (models:/m-<id>, runs:/...) and register it again.\n\n"
        "exit status: 0 changed, 1 refused or failed, 2 wrong usage."
    )
    parser.add_argument("model", metavar="MODEL_URI", help="a folder or a logged model")
    parser.add_argument("operation", choices=("add", "remove"), help="what to do")
    parser.add_argument(
        "packages",
        metavar="REQ",
        nargs="+",
        help="a requirement, such as pillow==10.3.0; to be removed, its name is enough",
    )


def run(args: argparse.Namespace) -> int:
    """Change them and print what they are now; returns the exit status."""
    from pelton.environment.amendment import update_requirements

    changed = update_requirements(args.model, args.operation, args.packages, on_progress=progress())
    for line in asyncio.run(changed):
        print(line)
    return 0
