"""The endpoint in the words and shapes of Databricks' serving-endpoints API.

Pure: a function of a snapshot. What Databricks' objects have no place for (workers, earlier
revisions) stands under the key ``pelton``, which its clients ignore.
"""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pelton.lifecycle import RevisionState, endpoint_config_update, endpoint_ready
from pelton.supervisor.revision import Revision

SCALED_TO_ZERO: Final = "Scaled to zero"
_MESSAGE_LIMIT: Final = 4000
_PROGRESS: Final = {
    RevisionState.PENDING: "Creating resources for served entity.",
    RevisionState.PREPARING: "Fetching the model and preparing its Python environment.",
    RevisionState.STARTING: "Loading the model and warming it up.",
}


@dataclass(frozen=True)
class WorkerFacts:
    """One worker, as ``pelton status`` shows it; ``age_s`` in seconds."""

    name: str
    revision: int
    state: str
    answered: int
    age_s: float


@dataclass(frozen=True)
class Snapshot:
    """What the description is a function of.

    Attributes:
        name: of the endpoint.
        created_ms: when the server was started, in milliseconds since the epoch.
        active, updating, rejected: revisions; ``rejected`` is the last failed one, until another
            becomes active.
        rollback: the revision that a rollback would go to.
        serving: whether any worker serves.
        asleep: whether the endpoint is scaled to zero.
        trouble: why nothing serves, if so.
        history: earlier revisions, oldest first.
    """

    name: str
    created_ms: int
    active: Revision | None = None
    updating: Revision | None = None
    rejected: Revision | None = None
    rollback: Revision | None = None
    serving: bool = False
    asleep: bool = False
    trouble: str = ""
    history: Sequence[Revision] = ()
    workers: Sequence[WorkerFacts] = ()


def describe(endpoint: Snapshot) -> dict[str, Any]:
    """Return a ``ServingEndpointDetailed``.

    There is no ``config`` before the first revision serves, and ``pending_config`` stands for the
    update in progress or, until the next success, for the one that failed.
    """
    answer = {
        **_head(endpoint),
        "permission_level": "CAN_MANAGE",
        "route_optimized": False,
        "creator_display_name": _creator(),
        "creator_kind": "User",
        "resource_credential_strategy": "EMBEDDED_CREDENTIALS",
    }
    if endpoint.active is not None:
        answer["config"] = _config(endpoint.active, _active_state(endpoint))
    pending = endpoint.updating or endpoint.rejected
    if pending is not None:
        answer["pending_config"] = {
            **_config(pending, _pending_state(pending)),
            "start_time": pending.created_ms,
        }
    answer["pelton"] = _beyond(endpoint)
    return answer


def summarize(endpoint: Snapshot) -> dict[str, Any]:
    """Return an item of the list of endpoints: its config names the served entity, no more."""
    answer = _head(endpoint)
    if endpoint.active is not None:
        keys = ("name", "entity_name", "entity_version")
        full = _served_entity(endpoint.active, _active_state(endpoint))
        answer["config"] = {"served_entities": [{k: full[k] for k in keys if k in full}]}
    return answer


def _head(endpoint: Snapshot) -> dict[str, Any]:
    active, updating, rejected = endpoint.active, endpoint.updating, endpoint.rejected
    newest = max(
        (r.created_ms for r in (active, updating, rejected) if r is not None),
        default=endpoint.created_ms,
    )
    cancelled = rejected is not None and rejected.was_cancelled
    answer: dict[str, Any] = {
        "name": endpoint.name,
        # The same after a restart: scripts keep it.
        "id": uuid.uuid5(uuid.NAMESPACE_URL, f"pelton:{endpoint.name}").hex,
        "creator": _creator(),
        "creation_timestamp": endpoint.created_ms,
        "last_updated_timestamp": newest,
        "state": {
            "ready": endpoint_ready(serving=endpoint.serving, asleep=endpoint.asleep),
            "config_update": endpoint_config_update(
                updating=updating is not None,
                last_failed=rejected is not None,
                last_cancelled=cancelled,
            ),
            "suspend": "NOT_SUSPENDED",
        },
        "tags": [],
    }
    if task := _task(active or updating):
        answer["task"] = task
    return answer


def _task(revision: Revision | None) -> str | None:
    model = revision.model if revision is not None else None
    metadata = model.mlmodel.document.get("metadata") if model is not None else None
    task = metadata.get("task") if isinstance(metadata, dict) else None
    return str(task) if task else None


def _config(revision: Revision, state: dict[str, str]) -> dict[str, Any]:
    entity = _served_entity(revision, state)
    mirrored = {
        {"entity_name": "model_name", "entity_version": "model_version"}.get(key, key): value
        for key, value in entity.items()
    }
    name = entity["name"]
    route = {"served_model_name": name, "served_entity_name": name, "traffic_percentage": 100}
    return {
        "served_entities": [entity],
        "served_models": [mirrored],
        "traffic_config": {"routes": [route]},
        "config_version": revision.number,
    }


def _served_entity(revision: Revision, state: dict[str, str]) -> dict[str, Any]:
    settings = revision.entity
    answer: dict[str, Any] = {"name": revision.entity_name}
    if revision.registered is not None:
        answer["entity_name"], answer["entity_version"] = revision.registered
    else:
        answer["entity_name"] = revision.uri
    answer["workload_type"] = settings.workload_type
    if settings.workload_size:
        answer["workload_size"] = settings.workload_size
    else:
        limits = revision.scaling
        least = 0 if limits.to_zero else limits.least
        answer["min_provisioned_concurrency"] = least * limits.slots_per_worker
        answer["max_provisioned_concurrency"] = limits.most * limits.slots_per_worker
    answer["scale_to_zero_enabled"] = settings.scale_to_zero
    if revision.environment_vars:
        answer["environment_vars"] = dict(revision.environment_vars)
    answer["state"] = state
    answer["creator"] = _creator()
    answer["creation_timestamp"] = revision.created_ms
    return answer


def _active_state(endpoint: Snapshot) -> dict[str, str]:
    if endpoint.asleep:
        return _state("DEPLOYMENT_READY", SCALED_TO_ZERO)
    if endpoint.serving:
        return _state("DEPLOYMENT_READY", "")
    return _state("DEPLOYMENT_RECOVERING", endpoint.trouble)


def _pending_state(revision: Revision) -> dict[str, str]:
    if revision.error is not None:
        kind = "DEPLOYMENT_ABORTED" if revision.was_cancelled else "DEPLOYMENT_FAILED"
        return _state(kind, str(revision.error))
    return _state("DEPLOYMENT_CREATING", _PROGRESS.get(revision.state, "Taking over."))


def _state(deployment: str, message: str) -> dict[str, str]:
    return {"deployment": deployment, "deployment_state_message": message[:_MESSAGE_LIMIT]}


def _beyond(endpoint: Snapshot) -> dict[str, Any]:
    revisions = (*endpoint.history, endpoint.active, endpoint.updating, endpoint.rejected)
    rollback = endpoint.rollback
    return {
        "revisions": [_revision(revision) for revision in revisions if revision is not None],
        "rollback_to": rollback.number if rollback is not None else None,
        "workers": [vars(worker) for worker in endpoint.workers],
    }


def _revision(revision: Revision) -> dict[str, Any]:
    return {
        "revision": revision.number,
        "state": revision.state.value,
        "uri": revision.uri,
        "model": revision.model.source if revision.model is not None else None,
        "served_entity": revision.entity_name,
        "created": revision.created_ms,
        "slots": revision.slots.slots,
    }


def _creator() -> str:
    """Whoever runs the server: there are no users here."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user id without a name
        return "pelton"
