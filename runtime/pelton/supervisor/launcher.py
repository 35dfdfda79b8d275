"""How the processes of one revision come to be: forked where that is safe, else each on its own."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pelton.channel.messages import LoadSpec
from pelton.errors import ModelError, PeltonError
from pelton.settings import Workers
from pelton.supervisor.libraries import Libraries
from pelton.supervisor.process import WorkerProcess, spawn, worker_environ
from pelton.supervisor.template import Template
from pelton.telemetry.logging import kv

log = logging.getLogger("pelton.supervisor")


@dataclass(frozen=True)
class PoolPlan:
    """What the workers of a revision are.

    Attributes:
        revision: its number.
        python: interpreter of the model's environment.
        isolated: whether that is another one than the server's.
        spec: what each worker loads; its name is a prefix.
        max_batch: requests that may be predicted together, where that is proven safe.
        max_batch_bytes: bytes of their bodies.
        environ: variables besides the server's own.
        preload: modules that a fork server imports before it is told what to load.
    """

    revision: int
    python: Path
    isolated: bool
    spec: LoadSpec
    max_batch: int
    max_batch_bytes: int = 16 * 1024 * 1024
    environ: Mapping[str, str] = field(default_factory=dict)
    preload: tuple[str, ...] = ()


class Launcher:
    """Owned by one event loop.

    Args:
        plan: what the workers are.
        settings: limits of their lives.
        next_name: names a process.
        libraries: gives fork servers with everything imported; ``None`` starts one afresh.

    Attributes:
        template: the fork server, while there is one.
        forks: whether workers are forked; once given up, for good.
        differs: what later workers load differently from the plan.
    """

    def __init__(
        self,
        plan: PoolPlan,
        settings: Workers,
        next_name: Callable[[], str],
        libraries: Libraries | None,
    ) -> None:
        self.template: Template | None = None
        self.forks = settings.fork == "auto" and hasattr(os, "fork")
        self.differs: dict[str, Any] = {}
        self._plan = plan
        self._load_timeout_s = settings.load_timeout
        self._next_name = next_name
        self._libraries = libraries
        self._renewing = asyncio.Lock()
        self._stopped = False

    async def start(self, *, forked: bool) -> tuple[WorkerProcess, LoadSpec]:
        """Start a worker's process; returns it and what it loads.

        Raises:
            WorkerCrashed: the fork server is gone.
        """
        name = self._next_name()
        spec = replace(self._plan.spec, name=name, **self.differs)
        if not forked:
            return spawn(self._plan.python, name, self._environ()), spec
        assert self.template is not None
        return await self.template.fork(name, self.differs), spec

    async def load(self) -> None:
        """Load the model once, to be forked; on any doubt about that, go on without.

        Raises:
            ModelError: the model does not load.
        """
        template = self.template = await self._new_template()
        template.load()
        try:
            async with asyncio.timeout(self._load_timeout_s):
                report = await template.loaded
        except TimeoutError:
            self.give_up_forking(f"not loaded after {self._load_timeout_s:g} s")
            raise ModelError(
                f"The model did not load within {self._load_timeout_s:g} s (--load-timeout)."
            ) from None
        if report["fork_danger"]:
            self.give_up_forking(report["fork_danger"])

    async def renew(self, error: PeltonError | None) -> None:
        """Have a fork server again; ``error`` says how the last one was lost."""
        async with self._renewing:
            if self.forks and not self.is_alive:
                if error is not None:
                    log.warning("forkserver.lost %s", kv(error=error, next="starting a new one"))
                await self.load()

    @property
    def is_alive(self) -> bool:
        """Whether there is a fork server."""
        return self.template is not None and self.template.is_alive

    def give_up_forking(self, reason: str) -> None:
        """Start every further worker on its own."""
        log.warning("forkserver.off %s", kv(reason=reason, instead="each worker loads by itself"))
        self.forks = False
        if self.template is not None:
            self.template.stop()

    def rest(self, keep_warm: str) -> None:
        """No worker is wanted for now.

        Args:
            keep_warm: what stays in memory: "off", "libraries" or "model".
        """
        if self.template is None or keep_warm == "model":
            return
        self.template.stop()
        self.template = None
        if keep_warm == "off" and self._libraries is not None:
            self._libraries.keep_only(None)

    def stop(self) -> None:
        """End the fork server; workers forked from it go on."""
        self._stopped = True
        if self.template is not None:
            self.template.stop()

    async def _new_template(self) -> Template:
        """Start a fork server; it waits to be told to load."""
        name = f"{self._next_name()}-fork"
        environ = self._environ(template=True)
        python, modules = self._plan.python, self._plan.preload
        if self._libraries is not None:
            process = await self._libraries.fork_server(name, python, environ, modules)
        else:
            process = spawn(python, name, environ, template=True, preload=modules)
        if self._stopped:  # meanwhile
            process.kill()
        return Template(process, replace(self._plan.spec, name=name))

    def _environ(self, *, template: bool = False) -> dict[str, str]:
        return worker_environ(
            {**os.environ, **self._plan.environ},
            self._plan.spec.threads,
            isolated=self._plan.isolated,
            template=template,
        )
