"""``pelton env list|build|prune``: the environments that are kept for models."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pelton.cli.options import add_settings, resolve_settings
from pelton.cli.validate import progress
from pelton.environment.cache import Listed
from pelton.errors import ConfigError
from pelton.notation import duration


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands of ``env``."""
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = commands.add_parser("list", help="show them, the most recently used first")
    listing.add_argument("--json", action="store_true", help="print them as JSON")
    add_settings(listing, only={"cache_dir"}, model=False)
    build = commands.add_parser("build", help="build one ahead, for a model")
    add_settings(build, only={"cache_dir", "override"})
    build.add_argument(
        "--any-index",
        action="store_true",
        help="have it found later whatever package index is set then, as in an image",
    )
    prune = commands.add_parser("prune", help="delete what nobody uses")
    prune.add_argument(
        "--unused-for",
        default="0",
        metavar="DURATION",
        help="keep what was used within this time, such as 12h (default: 0)",
    )
    add_settings(prune, only={"cache_dir"}, model=False)


def run(args: argparse.Namespace) -> int:
    """Do what was asked; returns the exit status."""
    resolved = resolve_settings(args)
    cache_dir = resolved.settings.updates.cache_dir.expanduser()
    if args.action == "build":
        if resolved.model is None:
            raise ConfigError("Which model? `pelton env build MODEL_URI`.")
        overrides = resolved.settings.entity.override
        return asyncio.run(_build(resolved.model, cache_dir, overrides, args.any_index))
    from pelton.environment.interpreter import environments

    cache = environments(cache_dir)
    if args.action == "list":
        entries = cache.list_entries()
        if args.json:
            print(json.dumps([_as_dict(entry) for entry in entries], indent=2))
        else:
            _print(entries)
            if not entries:
                print(f"no environments in {cache.root}")
        return 0
    try:
        unused_for_s = duration(args.unused_for)
    except ValueError as error:
        raise ConfigError(f"--unused-for: {error}.") from error
    removed = cache.prune(unused_for_s=unused_for_s)
    _print(removed)
    freed = sum(entry.size_bytes for entry in removed)
    print(f"deleted {len(removed)}, {freed / 1024**2:,.0f} MB freed")
    return 0


async def _build(uri: str, cache_dir: Path, overrides: Iterable[str], any_index: bool) -> int:
    from pelton.environment.artifacts import resolve
    from pelton.environment.interpreter import prepare

    say = progress()
    model = await resolve(uri, cache_dir, on_progress=say)
    found = await prepare(
        model,
        mode="isolated",
        cache_dir=cache_dir,
        on_progress=say,
        overrides=list(overrides),
        any_index=any_index,
    )
    for note in found.notes:
        say(note)
    print(found.python)
    return 0


def _print(entries: Sequence[Listed]) -> None:
    for entry in entries:
        state = "in use" if entry.in_use else "unused" if entry.complete else "broken off"
        facts = entry.facts
        versions = f"Python {facts['python']}, mlflow {facts['mlflow']}" if facts else ""
        print(
            f"{entry.key}  {entry.size_bytes / 1024**2:6,.0f} MB  {state:<10}"
            f"  {_ago(time.time() - entry.used_at):<12}  {versions}".rstrip()
        )
        if facts:
            print(f"  {facts['model']}")


def _as_dict(entry: Listed) -> dict[str, Any]:
    return {
        "key": entry.key,
        "path": str(entry.path),
        "size_bytes": entry.size_bytes,
        "used_at": entry.used_at,
        "in_use": entry.in_use,
        "complete": entry.complete,
        **entry.facts,
    }


def _ago(seconds: float) -> str:
    for unit, length_s in (("days", 86_400), ("hours", 3600), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit} ago"
    return "just now"
