"""A revision: an immutable (model, settings) pair, prepared once, that lives until superseded."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Final

from pelton import platform
from pelton.channel.messages import LoadSpec
from pelton.environment import accelerators
from pelton.environment.artifacts import LocalModel
from pelton.environment.interpreter import Interpreter
from pelton.errors import PeltonError
from pelton.lifecycle import (
    REVISION_TRANSITIONS,
    Lifecycle,
    RevisionEvent,
    RevisionState,
)
from pelton.settings import Entity, Settings
from pelton.supervisor.launcher import PoolPlan
from pelton.supervisor.pool import Pool
from pelton.supervisor.scaling import ScalingLimits
from pelton.tiers import SIZES, TIERS, SlotPlan, plan_slots

# `models:/name/3`, and `models://profile@databricks/name/3`.
_REGISTERED: Final = re.compile(r"models:/(?:/[^/]+/)?([^/@]+)/(\d+)/?$")

OnRevisionChange = Callable[[str, RevisionState, RevisionEvent, RevisionState], None]


# What a flavour's models will import, worth importing before anybody waits for it.
_LIBRARIES = {
    "sklearn": "sklearn",
    "lightgbm": "lightgbm",
    "xgboost": "xgboost",
    "onnx": "onnxruntime",
    "pytorch": "torch",
}


class Revision:
    """Owned by one event loop.

    Args:
        number: 1, 2, ...; Databricks' ``config_version``.
        uri: the model, as the user gave it.
        entity: settings of the served entity.
        on_change: called at each change of state.

    Attributes:
        model: its files, once prepared.
        interpreter: of its environment, once prepared.
        pool: its workers, once started.
        slots: how many slots it has been granted.
        error: why it was rejected.
        was_cancelled: whether somebody cancelled it.
        is_taking_over: it has proved itself and its workers are being admitted; from here on it
            cannot be cancelled.
        task: its roll-out.
        served_name: name of the served entity, where the management API gave one.
        environment_vars: variables its workers get besides the server's own.
        fingerprint: of the files of a local directory, when they were read.
        is_pinned: it is made of files that are here already, whatever its URI means by now.
    """

    def __init__(self, number: int, uri: str, entity: Entity, on_change: OnRevisionChange) -> None:
        self.number = number
        self.uri = uri
        self.entity = entity
        self.lifecycle = Lifecycle(
            f"revision-{number}", REVISION_TRANSITIONS, RevisionState.PENDING, on_change
        )
        self.created_ms = int(time.time() * 1000)
        self.model: LocalModel | None = None
        self.interpreter: Interpreter | None = None
        self.pool: Pool | None = None
        self.slots: SlotPlan = slot_plan(entity)
        self.error: PeltonError | None = None
        self.was_cancelled = False
        self.is_taking_over = False
        self.task: asyncio.Task[None] | None = None
        self.served_name: str | None = None
        self.environment_vars: Mapping[str, str] = {}
        self.fingerprint: str | None = None
        self.is_pinned = False

    @property
    def state(self) -> RevisionState:
        """Where it is."""
        return self.lifecycle.state

    @property
    def slot_bytes(self) -> int:
        """Memory budget of one slot."""
        return slot_bytes(self.entity)

    @property
    def entity_name(self) -> str:
        """Name of the served entity, as Databricks forms it: ``{model}-{version}``."""
        if self.served_name:
            return self.served_name
        if self.registered is not None:
            name, version = self.registered
            return f"{name.rpartition('.')[2]}-{version}"
        return self.entity.name

    @property
    def registered(self) -> tuple[str, str] | None:
        """Name and version of a registered model; ``None`` for others, or while not known."""
        if self.model is not None:
            if self.model.name and self.model.version:
                return self.model.name, self.model.version
            return None
        found = _REGISTERED.match(self.uri)
        return (found[1], found[2]) if found else None

    @property
    def identity(self) -> str | None:
        """What tells its model from others that its URI has meant or will mean."""
        if self.model is None:
            return None
        return self.fingerprint or self.model.source

    def is_like(self, other: Revision) -> bool:
        """Whether it serves the same as ``other``, so that one is as good as the other."""
        return (self.uri, self.identity, self.entity, self.environment_vars, self.served_name) == (
            other.uri,
            other.identity,
            other.entity,
            other.environment_vars,
            other.served_name,
        )

    @property
    def workers(self) -> int:
        """How many workers its slots need."""
        return -(-self.slots.slots // self.entity.slots_per_worker)

    @property
    def scaling(self) -> ScalingLimits:
        """Between how many workers it may scale."""
        entity = self.entity
        least = entity.min_concurrency
        if not least:
            size = SIZES[entity.workload_size][0] if entity.workload_size else 0
            least = size or (1 if entity.max_concurrency else self.slots.slots)
        per_worker = entity.slots_per_worker
        return ScalingLimits(
            least=-(-min(least, self.slots.slots) // per_worker),
            most=self.workers,
            slots_per_worker=per_worker,
            to_zero=entity.scale_to_zero,
            down_after_s=entity.scale_down_after,
            zero_after_s=entity.scale_to_zero_after,
        )

    def _threads(self) -> int:
        """Return how many native threads the libraries of one worker may use."""
        chosen = os.environ.get("OMP_NUM_THREADS", "")
        return int(chosen) if chosen.isdigit() else max(1, platform.usable_cores() // self.workers)

    def plan(self, settings: Settings, verify: list[tuple[str, str]], bodies: str = "") -> PoolPlan:
        """Return what its workers are; it must be prepared.

        Args:
            settings: the server's.
            verify: requests whose answers its warm-up is to report.
            bodies: where workers find large bodies; empty if they are sent them.
        """
        assert self.model is not None
        assert self.interpreter is not None
        paths = [] if self.interpreter.isolated else [os.getcwd()]
        lent = None
        if self.interpreter.isolated and self.entity.fast_path:
            lent = accelerators.lend(settings.updates.cache_dir.expanduser().absolute())
        return PoolPlan(
            revision=self.number,
            python=self.interpreter.python,
            isolated=self.interpreter.isolated,
            max_batch=self.entity.max_batch,
            spec=LoadSpec(
                name="worker",
                model_path=str(self.model.path),
                slots=self.entity.slots_per_worker,
                threads=self._threads(),
                endpoint=self.entity.name,
                warmup_timeout_s=settings.workers.warmup_timeout,
                python_paths=paths,
                accelerators=str(lent or ""),
                fast_path=self.entity.fast_path,
                batching=self.entity.batching,
                recheck=self.entity.recheck,
                verify=verify,
                bodies=bodies,
                real_time=settings.workers.priority == "realtime",
            ),
            environ=self.environment_vars,
            preload=tuple(_LIBRARIES[f] for f in self.model.mlmodel.flavors if f in _LIBRARIES),
        )


def slot_bytes(entity: Entity) -> int:
    """Return the memory budget of one slot, in bytes."""
    return entity.memory_per_slot or TIERS[entity.workload_type].slot_bytes


def slot_plan(entity: Entity) -> SlotPlan:
    """Return how many slots an entity gets on this machine."""
    if entity.workload_size:
        wanted = entity.max_concurrency or SIZES[entity.workload_size][1]
    else:
        wanted = entity.max_concurrency or entity.concurrency or platform.usable_cores()
    if TIERS[entity.workload_type].gpus and not entity.memory_per_slot:
        return SlotPlan(wanted, wanted, "a GPU type's budget is GPU memory")
    return plan_slots(wanted, slot_bytes(entity), platform.memory_limit_bytes())
