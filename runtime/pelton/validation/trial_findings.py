"""What a trial of a model's workers showed to be wrong, each with its remedy. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pelton.batching.entry import Answer
from pelton.environment.finding import Finding, Severity
from pelton.errors import (
    BudgetExceeded,
    EnvironmentError_,
    ModelError,
    ModelUriError,
    PeltonError,
    WarmupFailed,
)
from pelton.supervisor.verify import difference

# Of a long traceback the end says what happened; of a long answer the beginning.
_KEPT_LINES: Final = 40
_KEPT_CHARACTERS: Final = 2000
_TOLERANCE: Final = 1e-6
_TOO_SLOW: Final = re.compile(r"did not answer its own input example within")
_NO_MODULE: Final = re.compile(r"No module named '([\w.]+)'")


def of_error(error: PeltonError) -> Finding:
    """Return what an error that ended the trial means."""
    message = _end_of(str(error))
    if isinstance(error, ModelUriError):
        return Finding(
            "MODEL_UNREADABLE",
            Severity.ERROR,
            message,
            "check the URI, its store and credentials; a damaged copy must be logged again",
        )
    if isinstance(error, EnvironmentError_):
        return Finding(
            "ENVIRONMENT_FAILED",
            Severity.ERROR,
            message,
            "try other versions with --override NAME==VERSION, and keep them with "
            "`pelton requirements MODEL_URI add NAME==VERSION`",
        )
    if isinstance(error, BudgetExceeded):
        return Finding(
            "BUDGET_EXCEEDED",
            Severity.ERROR,
            message,
            "serve it with a larger --workload-type, or make the model smaller",
        )
    if isinstance(error, WarmupFailed):
        return _warmup_failed(message)
    if isinstance(error, ModelError):
        return Finding("LOAD_FAILED", Severity.ERROR, message, _load_remedy(message))
    return Finding(
        "PREDICTION_FAILED",
        Severity.ERROR,
        f"a request was not answered: {message}",
        "the model crashes its process or runs past --timeout on this input: see its output "
        "(--log-level info), and try the same input in the model's environment",
    )


def _load_remedy(message: str) -> str:
    missing = _NO_MODULE.search(message)
    if missing:
        module = missing[1].partition(".")[0]
        return (
            f"if {module} is a package, `pelton requirements MODEL_URI add NAME==VERSION` (try it "
            f"first with --override NAME==VERSION); if it is your own code, log it with code_paths"
        )
    return (
        "the traceback above is the model's own; if a package's version is at fault, try another "
        "with --override NAME==VERSION, else correct the model and log it again"
    )


def _warmup_failed(message: str) -> Finding:
    return Finding(
        "WARMUP_FAILED",
        Severity.ERROR,
        message,
        "log the model with an example that it answers quickly, or raise --warmup-timeout",
    )


def of_warmup(report: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what a worker's report says against the model."""
    # MLflow makes an answer of everything that is raised in predict, the end of the time too.
    if report["example"] == "refused" and _TOO_SLOW.search(report["detail"]):
        yield _warmup_failed(_beginning_of(report["detail"]))
    elif report["example"] == "refused":
        yield Finding(
            "EXAMPLE_REFUSED",
            Severity.ERROR,
            f"the model refuses its own input example: {_beginning_of(report['detail'])}",
            "log it with an input example and a signature that belong together: "
            "mlflow.models.infer_signature(example, model.predict(example))",
        )
    if report.get("output_mismatch"):
        yield Finding(
            "OUTPUT_MISMATCH",
            Severity.ERROR,
            f"the model does not answer as its signature says: {report['output_mismatch']}",
            "set the signature anew from what it answers: mlflow.models.set_signature with "
            "infer_signature(example, model.predict(example))",
        )


def of_answer(answer: Answer, *, is_example: bool) -> Iterator[Finding]:
    """Yield what is wrong with the first answer; an example's own is judged by its warm-up."""
    if answer.about.status != 200 and not is_example:
        yield Finding(
            "INPUT_REFUSED",
            Severity.ERROR,
            f"the model refuses the given input with status {answer.about.status}: "
            + _beginning_of(_text(answer)),
            "send what the model's signature says, in one of MLflow's request formats",
        )


def of_second_worker(error: PeltonError) -> Finding:
    """Return what it means that one worker serves and a second does not start."""
    return Finding(
        "SECOND_WORKER_FAILED",
        Severity.ERROR,
        f"a second worker beside the first does not start: {_end_of(str(error))}",
        "the model must not need anything for itself alone (a port, a lock, a file that it "
        "writes); open such things by process, or under a name of their own",
    )


def of_reload_error(error: PeltonError) -> Finding:
    """Return what it means that a model loads only once."""
    return Finding(
        "RELOAD_FAILED",
        Severity.ERROR,
        f"the model loaded once, and not again: {_end_of(str(error))}",
        "workers are replaced at any time, so loading must be repeatable: leave the model's files "
        "as they are, and need nothing that exists only once",
    )


def of_repetition(first: Answer, again: Answer, reloaded: Answer) -> Iterator[Finding]:
    """Yield how answers to one request differ.

    Args:
        first: an answer.
        again: of the same worker, later.
        reloaded: of a worker in another, fresh process.
    """
    varies = _difference(first, again)
    if varies is not None:
        yield Finding(
            "ANSWERS_VARY",
            Severity.NOTE,
            f"the same request is answered differently each time: {varies}",
            "nothing, if that is what the model is for; else seed what it draws at random",
        )
        if reloaded.about.status == first.about.status:
            return
    differs = _difference(first, reloaded)
    if differs is not None:
        yield Finding(
            "RELOAD_DIFFERS",
            Severity.WARNING,
            f"loaded again, the model answers differently: {differs}",
            "workers come and go, and must answer alike: save with the model what it draws, reads "
            "or fits while it loads",
        )


def _difference(one: Answer, other: Answer) -> str | None:
    return difference(
        (one.about.status, one.about.media_type, _text(one)),
        (other.about.status, other.about.media_type, _text(other)),
        _TOLERANCE,
    )


def example_not_asked() -> Finding:
    """Return what it means that nothing was predicted though there is an example."""
    return Finding(
        "EXAMPLE_NOT_A_REQUEST",
        Severity.NOTE,
        "the input example was logged by an mlflow before 2.15, not in the form of a request: "
        "nothing was predicted",
        "give a request with --input-path, or log the model again with a newer mlflow",
    )


def fewer_slots(slots: int, wanted: int, reason: str) -> Finding:
    """Return what it means that this machine is too small for the slots asked for."""
    return Finding(
        "FEWER_SLOTS",
        Severity.NOTE,
        f"this machine has memory for {slots} of {wanted} slots: {reason}",
        "serve on a larger machine, or with a smaller --workload-type or --memory-per-slot",
    )


def _text(answer: Answer) -> str:
    return bytes(answer.body).decode("utf-8", "replace")


def _end_of(text: str) -> str:
    first, *rest = text.strip().splitlines() or [""]
    left_out = [f"  [{len(rest) - _KEPT_LINES} lines left out]"] if len(rest) > _KEPT_LINES else []
    return "\n".join([first, *left_out, *rest[-_KEPT_LINES:]])


def _beginning_of(text: str) -> str:
    return text if len(text) <= _KEPT_CHARACTERS else f"{text[:_KEPT_CHARACTERS]}[...]"
