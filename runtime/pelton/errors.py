"""Every error pelton raises, drawn once.

::

    PeltonError
      ConfigError            start-up only: a setting is wrong
      ModelUriError          the model, its registry or a credential is missing
      EnvironmentError_      the model's Python environment cannot be built or used
      RequestError           the caller's fault; never retry
        PayloadTooLarge, BodyTimeout, ClientDisconnected, UnknownEndpoint
      AccessError            the management API does not answer this caller
        Unauthenticated, PermissionDenied
      RejectedError          never started; safe to retry
        QueueFull, DeadlineUnmeetable, NotReady, Draining
      DeadlineExceeded       queued or predicting past its deadline
      ModelError             the user's model
        LoadFailed, WarmupFailed, BudgetExceeded
      WorkerError            a worker failed while it held the request
        WorkerCrashed, WorkerLost
      LifecycleError         an update that cannot be done now
        UpdateConflict, UpdateRejected
      InternalError          a bug of pelton
        IllegalTransition, FrameError

There are no HTTP status codes here: ``frontend/problems.py`` is the one table of those.
``code`` is a stable string; it crosses the channel and stands in logs, metrics and answers.
Runs on Python 3.10 too, as the worker imports it.
"""

from __future__ import annotations


class PeltonError(Exception):
    """Base of all errors; the message tells the reader what to do next."""

    code = "PELTON_ERROR"
    retryable = False


class ConfigError(PeltonError):
    """A setting is unknown, malformed or contradicts another."""

    code = "CONFIG_ERROR"


class ModelUriError(PeltonError):
    """The model URI cannot be turned into local files."""

    code = "MODEL_URI_ERROR"


class EnvironmentError_(PeltonError):
    """The model's Python environment cannot be built or does not work."""

    code = "ENVIRONMENT_ERROR"


class RequestError(PeltonError):
    """The request itself is at fault."""

    code = "BAD_REQUEST"


class PayloadTooLarge(RequestError):
    """The body is larger than ``max_payload``."""

    code = "PAYLOAD_TOO_LARGE"


class BodyTimeout(RequestError):
    """The body did not arrive within the read timeout."""

    code = "BODY_TIMEOUT"


class ClientDisconnected(RequestError):
    """The client went away before it had its answer."""

    code = "CLIENT_DISCONNECTED"


class UnknownEndpoint(RequestError):
    """There is no endpoint, or no served entity, of that name here."""

    code = "UNKNOWN_ENDPOINT"


class AccessError(PeltonError):
    """The management API does not answer this caller."""

    code = "ACCESS_ERROR"


class Unauthenticated(AccessError):
    """The request brought no credentials."""

    code = "UNAUTHENTICATED"


class PermissionDenied(AccessError):
    """The credentials are wrong, or there are none to be checked and the caller is remote."""

    code = "PERMISSION_DENIED"


class RejectedError(PeltonError):
    """The request was refused before it was started.

    Attributes:
        retry_after_s: when a retry may succeed, in seconds; ``None`` if unknown.
    """

    code = "REJECTED"
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QueueFull(RejectedError):
    """The queue has reached its bound."""

    code = "QUEUE_FULL"


class DeadlineUnmeetable(RejectedError):
    """The backlog is too long for the request's deadline."""

    code = "DEADLINE_UNMEETABLE"


class NotReady(RejectedError):
    """No worker can serve: still loading, or crash-looping."""

    code = "NOT_READY"


class Draining(RejectedError):
    """The server is shutting down and takes nothing new."""

    code = "DRAINING"


class DeadlineExceeded(PeltonError):
    """The deadline passed.

    Attributes:
        stage: where the request was then, ``"queue"`` or ``"predict"``.
    """

    code = "DEADLINE_EXCEEDED"

    def __init__(self, message: str, *, stage: str) -> None:
        super().__init__(message)
        self.stage = stage


class ModelError(PeltonError):
    """The user's model is at fault."""

    code = "MODEL_ERROR"


class LoadFailed(ModelError):
    """The model could not be loaded; the message holds its own traceback."""

    code = "LOAD_FAILED"


class WarmupFailed(ModelError):
    """The model loaded, but cannot answer its own input example."""

    code = "WARMUP_FAILED"


class BudgetExceeded(ModelError):
    """The model needs more memory than its workload type gives a slot."""

    code = "BUDGET_EXCEEDED"


class WorkerError(PeltonError):
    """A worker failed while the request was in it."""

    code = "WORKER_ERROR"


class WorkerCrashed(WorkerError):
    """The worker ended by itself (exit, SIGSEGV, ...): likely the request's doing."""

    code = "WORKER_CRASHED"


class WorkerLost(WorkerError):
    """The worker was killed or stopped from outside: likely not the request's doing."""

    code = "WORKER_LOST"
    retryable = True


class LifecycleError(PeltonError):
    """A change of the endpoint that cannot be done."""

    code = "LIFECYCLE_ERROR"


class UpdateConflict(LifecycleError):
    """Another update is in progress."""

    code = "UPDATE_CONFLICT"


class UpdateRejected(LifecycleError):
    """The new revision did not prove itself; the old one goes on serving."""

    code = "UPDATE_REJECTED"


class InternalError(PeltonError):
    """A bug in pelton."""

    code = "INTERNAL_ERROR"


class IllegalTransition(InternalError):
    """A state machine was given an event its table does not have."""

    code = "ILLEGAL_TRANSITION"


class FrameError(InternalError):
    """The bytes on a channel are not a frame."""

    code = "FRAME_ERROR"
