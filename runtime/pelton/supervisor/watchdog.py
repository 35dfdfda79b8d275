"""Whether a worker still lives, judged from outside."""

from __future__ import annotations

from pelton import platform
from pelton.errors import PeltonError, WorkerLost
from pelton.lifecycle import WorkerState
from pelton.settings import Workers
from pelton.supervisor.handle import WorkerHandle


def judge(worker: WorkerHandle, now: float, settings: Workers) -> PeltonError | None:
    """Return why ``worker`` has to be replaced, or ``None``.

    A worker that is stopped (SIGSTOP) is noticed at once by its process state. One that is idle
    and answers no ping hangs. One that is busy may hold the interpreter lock for as long as its
    request's deadline allows; the deadline ends that.
    """
    if worker.state not in (WorkerState.SERVING, WorkerState.READY, WorkerState.DRAINING):
        return None
    if platform.is_stopped(worker.process.pid):
        return WorkerLost(
            "The worker that had this request was stopped (SIGSTOP) and has been replaced."
            " The request may have run; retry it if that is harmless."
        )
    silent_s = now - worker.last_heard
    if not worker.is_busy and silent_s > settings.hang_timeout:
        return WorkerLost(f"The worker has been silent for {silent_s:.0f} s.")
    return None
