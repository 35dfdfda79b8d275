"""``pelton build MODEL_URI -t TAG``: a container image of a model."""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Final

from pelton.cli.options import add_settings, resolve_settings
from pelton.cli.validate import progress
from pelton.errors import ConfigError
from pelton.notation import duration

_TIME_LIMIT: Final = "1h"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``build``."""
    parser.epilog = "exit status: 0 built, 1 failed, 2 wrong usage."
    parser.add_argument("-t", "--tag", help="name of the image, such as fraud:3")
    parser.add_argument("--gpu", action="store_true", help="for NVIDIA GPUs")
    parser.add_argument(
        "--base-image", metavar="IMAGE", help="begin with another image (default: see the docs)"
    )
    parser.add_argument(
        "--builder",
        choices=("auto", "docker", "buildah", "podman"),
        default="auto",
        help="what builds it (default: the first that works)",
    )
    parser.add_argument(
        "--dry-run", type=Path, metavar="DIR", help="write what it is built from, and build nothing"
    )
    parser.add_argument(
        "--time-limit",
        default=_TIME_LIMIT,
        metavar="DURATION",
        help=f"give up after (default: {_TIME_LIMIT})",
    )
    add_settings(parser, only={"cache_dir"})
    parser.add_argument(
        "--builder-option",
        action="append",
        default=[],
        metavar="OPTION",
        help="for the builder, as it is: --builder-option=--network=host; more than one if need be",
    )


def run(args: argparse.Namespace) -> int:
    """Build; returns the exit status."""
    resolved = resolve_settings(args)
    if resolved.model is None:
        raise ConfigError("Which model? `pelton build MODEL_URI -t TAG`.")
    if args.tag is None and args.dry_run is None:
        raise ConfigError("What is the image to be called? Give -t NAME:TAG, or --dry-run DIR.")
    try:
        limit_s = duration(args.time_limit)
    except ValueError as error:
        raise ConfigError(f"--time-limit: {error}.") from error
    cache_dir = resolved.settings.updates.cache_dir.expanduser()
    return asyncio.run(_build(args, resolved.model, cache_dir, limit_s))


async def _build(args: argparse.Namespace, uri: str, cache_dir: Path, limit_s: float) -> int:
    from pelton.container.builder import build, command, find_builder
    from pelton.container.context import write_context
    from pelton.container.packages import PackageSettings, package_settings
    from pelton.environment.artifacts import resolve

    say = progress()
    builder = None if args.dry_run else await find_builder(args.builder)
    model = await resolve(uri, cache_dir, on_progress=say)
    folder = args.dry_run or Path(tempfile.mkdtemp(prefix="pelton-build-"))
    try:
        say(f"writing the context to {folder}")
        arguments = await asyncio.to_thread(write_context, folder, model, gpu=args.gpu)
        if args.base_image:
            arguments["BASE_IMAGE"] = args.base_image
        if builder is None:
            nothing = PackageSettings("", ())
            line = command(
                "docker",
                folder,
                args.tag or "TAG",
                arguments,
                nothing,
                None,
                args.builder_option,
            )
            print(shlex.join(line))
            return 0
        say(f"building {args.tag} with {builder}")
        await build(
            builder,
            folder,
            args.tag,
            arguments,
            package_settings(os.environ),
            extra=args.builder_option,
            timeout_s=limit_s,
            on_progress=say,
        )
    finally:
        if args.dry_run is None:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    print(args.tag)
    return 0
