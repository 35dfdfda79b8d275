"""Which core does what: a load generator and a server that fight for a core measure the fight."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Cores:
    """Where the generator and the servers run.

    Attributes:
        generator: the one core of the load generator.
        servers: cores that a server may use.
    """

    generator: int
    servers: list[int]

    @classmethod
    def divide(cls, policy: str) -> Cores:
        """Divide this process's cores.

        Args:
            policy: ``shared`` = servers may use every core, the generator the last one (the
                generator needs little of it); ``apart`` = servers get all but the last.
        """
        usable = sorted(os.sched_getaffinity(0))
        apart = usable[:-1] or usable
        return cls(usable[-1], usable if policy == "shared" else apart)

    def pin_generator(self) -> None:
        """Put this process on the generator's core."""
        os.sched_setaffinity(0, {self.generator})

    def __str__(self) -> str:
        servers = ", ".join(map(str, self.servers))
        return f"generator pinned to core {self.generator}, servers to {servers}"
