"""How a worker ended, and what its requests and whoever waits for it are told."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any

from pelton import platform
from pelton.channel.messages import EXIT_WARMUP_FAILED
from pelton.errors import (
    LoadFailed,
    ModelError,
    PeltonError,
    WarmupFailed,
    WorkerCrashed,
    WorkerLost,
)

_OUTSIDE_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class Ending:
    """How and why a worker ended.

    Attributes:
        error: what its requests get; also why a start failed.
        planned: we wanted it to end.
        blameless: it ended for a request past its deadline; no sign of a bad model.
    """

    error: PeltonError
    planned: bool
    blameless: bool


def explain(returncode: int) -> PeltonError:
    """Return what the requests of a worker get that ended by itself with this exit status."""
    how = platform.describe_exit(returncode)
    if returncode == EXIT_WARMUP_FAILED:
        return WarmupFailed(f"The worker {how} while it answered the input example.")
    if returncode < 0 and -returncode in _OUTSIDE_SIGNALS:
        return WorkerLost(
            f"The worker that had this request {how} from outside, or for lack of memory."
            f" The request may have run; retry it if that is harmless."
        )
    return WorkerCrashed(
        f"The worker that had this request {how}. The model crashed on it, most likely: see"
        f" the server's log for its output."
    )


def failure(report: dict[str, Any]) -> ModelError:
    """Return the error a FAILED frame tells of, with the model's own traceback."""
    text = report["message"]
    if report["traceback"]:
        text += "\n\n" + report["traceback"].rstrip()
    if report["stage"] == "load":
        return LoadFailed(f"The model could not be loaded: {text}")
    return WarmupFailed(text)
