"""What a worker does between loading and serving: it proves that it can answer.

The logged input example is answered through the very code that will serve. A model whose example
is refused may still serve (MLflow would serve it), so that is reported, not raised: the server
decides by its policy. An example that takes too long or kills the process is a failure.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import time
from types import FrameType
from typing import Any

from pelton import platform
from pelton.channel.messages import LoadSpec
from pelton.errors import WarmupFailed
from pelton.worker.answerer import Answerer
from pelton.worker.model import Answer, LoadedModel
from pelton.worker.outputs import mismatch

_KEPT_EXAMPLE_BYTES = 1024 * 1024


def warm_up(model: LoadedModel, spec: LoadSpec) -> tuple[Answerer, dict[str, Any]]:
    """Answer the input example and build the answerer.

    Returns:
        The answerer, and the report for the server: ``example`` ("answered", "refused" or
        "none"), ``detail``, ``output_mismatch``, ``predict_s``, ``rss_bytes``, the example's
        request and answer if they are small, and ``verified``, the answers to ``spec.verify``.

    Raises:
        WarmupFailed: the example was not answered within ``spec.warmup_timeout_s``.
    """
    faulthandler.enable()  # a model that crashes the interpreter leaves a trace in the log
    report: dict[str, Any] = {"example": "none", "detail": "", "predict_s": 0.0}
    with _TimeLimit(spec.warmup_timeout_s):
        example = model.input_example()
        if example is not None:
            content_type, body = example
            started = time.monotonic()
            answer = model.ask(body, content_type)
            report["predict_s"] = time.monotonic() - started
            report["example"] = "answered" if answer.status == 200 else "refused"
            if answer.status != 200:
                text = answer.body.decode("utf-8", "replace")
                report["detail"] = f"status {answer.status}: {text[:2000]}"
            else:
                report["output_mismatch"] = mismatch(
                    model.pyfunc.metadata.get_output_schema(), answer.body
                )
            if len(body) + len(answer.body) <= _KEPT_EXAMPLE_BYTES:
                report["example_request"] = [content_type, body.decode("latin-1")]
                report["example_answer"] = _as_json(answer)
        answerer, answerer_report = Answerer.build(model, spec, example)
        report.update(answerer_report)
        report["verified"] = [
            _as_json(model.ask(body.encode("latin-1"), content_type))
            for content_type, body in spec.verify
        ]
        report["rss_bytes"] = platform.rss_bytes(os.getpid())
    return answerer, report


def _as_json(answer: Answer) -> list[Any]:
    return [answer.status, answer.media_type, answer.body.decode("latin-1")]


class _TimeLimit:
    """Raises ``WarmupFailed`` in the main thread after ``limit_s`` seconds.

    A signal, not a thread: it also interrupts a sleep or a blocking read. What it cannot
    interrupt (a native loop) is ended by the server, which has its own limit.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGALRM, self._expired)
        signal.setitimer(signal.ITIMER_REAL, self._limit_s)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)

    def _expired(self, _signal: int, _frame: FrameType | None) -> None:
        raise WarmupFailed(
            f"The model did not answer its own input example within {self._limit_s:g} s."
            f" If it needs longer, raise --warmup-timeout."
        )
