"""Processes that have imported the libraries and no model: what fork servers are forked from.

Importing mlflow takes seconds, and every new revision would pay them again. One such process per
interpreter and environment makes a reload as quick as loading the model itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from pelton.channel.messages import LoadSpec
from pelton.errors import WorkerCrashed
from pelton.supervisor.process import WorkerProcess, spawn
from pelton.supervisor.template import Template
from pelton.telemetry.logging import kv

log = logging.getLogger("pelton.supervisor")

# The active revision's and that of the one it may be rolled back to.
_KEPT = 2

Key = tuple[Path, tuple[tuple[str, str], ...], tuple[str, ...]]


class Libraries:
    """Owned by one event loop.

    Args:
        next_name: names a process.
    """

    def __init__(self, next_name: Callable[[], str]) -> None:
        self._next_name = next_name
        self._warm: dict[Key, Template] = {}

    async def fork_server(
        self, name: str, python: Path, environ: Mapping[str, str], modules: tuple[str, ...]
    ) -> WorkerProcess:
        """Return a new process that will load a model when told to.

        Args:
            name: its name.
            python: interpreter of the model's environment.
            environ: its variables.
            modules: what to import early, besides mlflow.
        """
        key = (python, tuple(sorted(environ.items())), modules)
        warm = self._warm.get(key)
        if warm is None or not warm.is_alive:
            process = spawn(python, f"{name}-libs", environ, template=True, preload=modules)
            warm = self._warm[key] = Template(process, LoadSpec(name, ""))
            for other in list(self._warm)[:-_KEPT]:
                self._warm.pop(other).stop()
        try:
            # It answers once it has imported everything.
            return await warm.fork(name, {}, timeout_s=120.0)
        except WorkerCrashed as error:
            log.warning("libraries.lost %s", kv(error=error, instead="importing again"))
            self._warm.pop(key, None)
            return spawn(python, name, environ, template=True, preload=modules)

    def keep_only(self, python: Path | None) -> None:
        """End those of other interpreters than ``python``; all of them for ``None``."""
        for key, warm in list(self._warm.items()):
            if key[0] != python:
                warm.stop()
                del self._warm[key]

    def end_stopped(self) -> None:
        """End those that a signal has stopped."""
        for warm in self._warm.values():
            warm.end_if_stopped()

    async def end(self) -> None:
        """End all and return once they are gone."""
        ending = list(self._warm.values())
        self.keep_only(None)
        for warm in ending:
            await warm.process.exited
