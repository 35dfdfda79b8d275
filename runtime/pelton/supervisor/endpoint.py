"""The endpoint as it is managed: what the management API and the triggers call."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pelton.deadline import Clock
from pelton.errors import ConfigError, UpdateConflict
from pelton.supervisor.description import Snapshot, WorkerFacts, describe, summarize
from pelton.supervisor.supervisor import Supervisor


class ManagedEndpoint:
    """Owned by the supervisor's event loop.

    Args:
        supervisor: what does it.
        clock: the supervisor's; monotonic seconds.
    """

    def __init__(self, supervisor: Supervisor, clock: Clock) -> None:
        self._supervisor = supervisor
        self._clock = clock
        self._created_ms = int(time.time() * 1000)

    def describe(self) -> dict[str, Any]:
        """Return Databricks' ``ServingEndpointDetailed``."""
        return describe(self._snapshot())

    def summarize(self) -> dict[str, Any]:
        """Return the endpoint as an item of a list."""
        return summarize(self._snapshot())

    def served_names(self) -> list[str]:
        """Return the names of the served entities, the active one first."""
        supervisor = self._supervisor
        revisions = (supervisor.active, supervisor.updating, supervisor.last_rejected)
        return [revision.entity_name for revision in revisions if revision is not None]

    def update(
        self,
        uri: str,
        changes: Mapping[str, Any],
        served_name: str | None,
        environment_vars: Mapping[str, str],
    ) -> None:
        """Begin an update to another configuration.

        Args:
            uri: the model.
            changes: fields of ``settings.Entity``; the others stay as they are.
            served_name: name of the served entity; ``None`` for Databricks' default.
            environment_vars: all of the workers' own.

        Raises:
            UpdateConflict: another update is in progress.
        """
        supervisor = self._supervisor
        active = supervisor.active
        entity = replace(active.entity if active else supervisor.settings.entity, **changes)
        supervisor.begin_update(
            uri, entity, served_name=served_name, environment_vars=environment_vars
        )

    def reload(self, uri: str | None, *, same_version: bool) -> None:
        """Begin to load the model again.

        Args:
            uri: another model, with all settings as they are; ``None`` for what the active one's
                URI means by now.
            same_version: the active revision's very files instead.

        Raises:
            UpdateConflict: another update is in progress.
        """
        if same_version:
            self._supervisor.begin_maintenance()
        else:
            self._supervisor.begin_update(uri)

    def rollback(self) -> None:
        """Begin to go back to the last revision that was another one.

        Raises:
            UpdateConflict: another update is in progress.
            ConfigError: there is none.
        """
        self._supervisor.begin_rollback()

    def cancel(self) -> None:
        """Cancel the update in progress.

        Raises:
            UpdateConflict: it is taking over already, or cannot be cancelled.
            ConfigError: there is none.
        """
        updating = self._supervisor.updating
        if updating is None:
            raise ConfigError("There is no update in progress.")
        if not self._supervisor.cancel_update():
            raise UpdateConflict(
                f"Revision {updating.number} cannot be cancelled: it is taking over already, or it"
                f" is the first one."
            )

    def _snapshot(self) -> Snapshot:
        supervisor = self._supervisor
        now = self._clock()
        workers = [
            WorkerFacts(
                worker.name,
                worker.revision,
                worker.state.value,
                worker.answered,
                round(now - worker.started_at, 1),
            )
            for worker in supervisor.workers()
        ]
        return Snapshot(
            name=supervisor.settings.entity.name,
            created_ms=self._created_ms,
            active=supervisor.active,
            updating=supervisor.updating,
            rejected=supervisor.last_rejected,
            rollback=supervisor.rollback_target,
            serving=bool(supervisor.serving()),
            asleep=supervisor.is_asleep,
            trouble=supervisor.not_ready_reason,
            history=supervisor.history,
            workers=workers,
        )
