"""``pelton status``: what a running server serves, and how its last update went."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pelton.cli.running import (
    EXIT_FAILED,
    Description,
    Progress,
    Running,
    add_connection,
    reach,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``status``."""
    add_connection(parser, wait="wait until the endpoint is ready and no update is in progress")
    parser.epilog = (
        "exit status: 0 ready, 1 not ready, 2 wrong usage, 3 no server answers at --url."
    )


def run(args: argparse.Namespace) -> int:
    """Print the endpoint's state; returns the exit status."""

    def action(running: Running) -> int:
        found = running.wait(Progress(), until_ready=True) if args.wait else running.describe()
        print(json.dumps(found, indent=2) if args.json else "\n".join(render(found)))
        return 0 if found["state"]["ready"] == "READY" else EXIT_FAILED

    return reach(args, action)


_UPDATE = {
    "NOT_UPDATING": "",
    "IN_PROGRESS": ", updating",
    "UPDATE_FAILED": ", the last update failed",
    "UPDATE_CANCELED": ", the last update was cancelled",
}


def render(endpoint: Description) -> Iterator[str]:
    """Yield the lines that tell a person what there is to know."""
    state = endpoint["state"]
    yield f"{endpoint['name']}: {state['ready']}{_UPDATE.get(state['config_update'], '')}"
    beyond = endpoint.get("pelton", {})
    revisions = {each["revision"]: each for each in beyond.get("revisions", [])}
    shown = set()
    for label, key in (("serves", "config"), ("update", "pending_config")):
        config = endpoint.get(key)
        if config is None:
            continue
        number = config["config_version"]
        shown.add(number)
        yield f"  {label:<8} {_revision(number, revisions.get(number))}"
        deployment = config["served_entities"][0]["state"]
        if message := deployment["deployment_state_message"]:
            word = deployment["deployment"].removeprefix("DEPLOYMENT_").lower()
            yield f"           {word}: {message.splitlines()[0]}"
    for number, revision in revisions.items():
        if number not in shown:
            mark = "  (rollback goes here)" if number == beyond.get("rollback_to") else ""
            yield f"  {'earlier':<8} {_revision(number, revision)}{mark}"
    for worker in beyond.get("workers", []):
        yield (
            f"  {'worker':<8} {worker['name']} of revision {worker['revision']}:"
            f" {worker['state']}, {worker['answered']} answered, {_age(worker['age_s'])} old"
        )


def _revision(number: int, revision: dict[str, Any] | None) -> str:
    if revision is None:
        return f"revision {number}"
    model, uri = revision["model"] or revision["uri"], revision["uri"]
    stands_for = f" ({uri})" if uri != model else ""
    created = datetime.fromtimestamp(revision["created"] / 1000).strftime("%Y-%m-%d %H:%M:%S")
    return f"revision {number}: {model}{stands_for}, {revision['slots']} slots, of {created}"


def _age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
