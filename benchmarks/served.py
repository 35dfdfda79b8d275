"""A model that `pelton serve` serves for the time of a ``with``."""

from __future__ import annotations

from benchmarks.cores import Cores
from benchmarks.models.cache import ONE_THREAD, model_path
from pelton.bench.child import Server as Child
from pelton.bench.child import free_port, pelton_command


class Served:
    """Starts the server, and stops it.

    Args:
        model: its name (``benchmarks/models``).
        cores: where the server runs.
        flags: of `pelton serve`.
    """

    def __init__(self, model: str, cores: Cores, flags: list[str]) -> None:
        port = free_port()
        flags = ["--env", "local", "--no-access-log", "--log-level", "warning", *flags]
        command = pelton_command(str(model_path(model)), port, flags)
        self._child = Child(command, port, environment=ONE_THREAD, cores=cores.servers)

    async def __aenter__(self) -> Child:
        await self._child.start()
        return self._child

    async def __aexit__(self, *_: object) -> None:
        await self._child.stop()
