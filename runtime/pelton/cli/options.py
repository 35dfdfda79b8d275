"""The settings as flags, for every command that needs settings."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path

from pelton.notation import requirements, show, switch
from pelton.resolution import Resolved, resolve
from pelton.settings import Settings, options, title


def add_settings(
    parser: argparse.ArgumentParser, *, only: Collection[str] | None = None, model: bool = True
) -> None:
    """Add a flag for each setting, in groups, and --config.

    Args:
        parser: of the command.
        only: names of the settings that the command has a use for; ``None`` for all.
        model: whether the command takes a model's URI.
    """
    if model:
        parser.add_argument(
            "model",
            nargs="?",
            metavar="MODEL_URI",
            help="a folder, file:, runs:/, models:/name/version, models:/name@alias,"
            " models:/m-<id>, or a remote store (s3:, gs:, ...)",
        )
    parser.add_argument(
        "--config", type=Path, default=None, help="configuration file (default: pelton.toml here)"
    )
    groups = {
        section.name: parser.add_argument_group(title(section)) for section in fields(Settings)
    }
    for option in options():
        if only is not None and option.name not in only:
            continue
        default = show(option.default)
        help = option.help.replace("%", "%%") + (f" (default: {default})" if default else "")
        group = groups[option.section]
        if option.parse is switch:
            group.add_argument(
                option.flag, action=argparse.BooleanOptionalAction, default=None, help=help
            )
        elif option.parse is requirements:
            group.add_argument(option.flag, action="append", default=None, metavar="REQ", help=help)
        else:
            group.add_argument(option.flag, default=None, metavar="VALUE", help=help)


def resolve_settings(args: argparse.Namespace) -> Resolved:
    """Put the settings of a command together.

    Raises:
        ConfigError: one of them is wrong.
    """
    flags = {
        name: value
        for name, value in vars(args).items()
        if value is not None and name not in ("command", "config")
    }
    file = args.config
    if file is None and "PELTON_CONFIG" in os.environ:
        file = Path(os.environ["PELTON_CONFIG"])
    return resolve(flags, os.environ, file)
