"""A slot of a worker, as its lane sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pelton.batching.entry import Entry

if TYPE_CHECKING:
    from pelton.supervisor.handle import WorkerHandle


class Port:
    """The end of a lane inside a handle; a ``batching.lane.Slot``."""

    def __init__(self, handle: WorkerHandle) -> None:
        self._handle = handle

    def run(self, batch: Sequence[Entry]) -> None:
        """Send a batch to the worker."""
        # The lane's own start calls this before open_lane has returned it.
        lane = batch[0].lane
        assert lane is not None
        self._handle.run(lane, batch)

    def cancel(self, batch: Sequence[Entry]) -> None:
        """Say that nobody waits for a batch any more."""
        lane = batch[0].lane
        assert lane is not None
        self._handle.cancel(lane, batch)

    def drop(self, entry: Entry) -> None:
        """Say that one of the batch sent ahead should not begin."""
        self._handle.drop(entry)

    def recall(self, batch: Sequence[Entry]) -> None:
        """Ask for the batch that was sent ahead."""
        self._handle.recall(batch)
