"""``python -m tests.zoo list`` and ``python -m tests.zoo build [NAMES]``."""

from __future__ import annotations

import argparse

from tests.zoo import MODELS, build_all


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.zoo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print the catalogue")
    build = commands.add_parser("build", help="build models, all by default; print where they are")
    build.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    if arguments.command == "list":
        for model in MODELS.values():
            print(f"{model.name:24} {model.about}")
    else:
        if unknown := set(arguments.names) - set(MODELS):
            parser.error(f"no such model: {', '.join(sorted(unknown))}")
        for name, path in build_all(arguments.names or MODELS).items():
            print(f"{name:24} {path}")


if __name__ == "__main__":
    main()
