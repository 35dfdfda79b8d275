"""What a worker does between loading and serving: it proves that it can answer.

The logged input example is answered through the very code that will serve. A model whose example
is refused may still serve (MLflow would serve it), so that is reported, not raised: the server
decides by its policy. An example that takes too long or kills the process is a failure.
"""

from __future__ import annotations

import faulthandler
import os
import time
from typing import Any

from pelton import platform
from pelton.channel.messages import LoadSpec
from pelton.errors import WarmupFailed
from pelton.worker.answerer import Answerer
from pelton.worker.limit import TimeLimit
from pelton.worker.model import Answer, LoadedModel
from pelton.worker.outputs import mismatch
from pelton.worker.proof import prove

_KEPT_EXAMPLE_BYTES = 1024 * 1024


def warm_up(model: LoadedModel, spec: LoadSpec) -> tuple[Answerer, dict[str, Any]]:
    """Answer the input example, find out what may be done with the model, build the answerer.

    Returns:
        The answerer, and the report for the server: ``example`` ("answered", "refused" or
        "none"), ``detail``, ``output_mismatch``, ``predict_s``, ``rss_bytes``, the example's
        request and answer if they are small, ``verified``, the answers to ``spec.verify``, and
        the verdicts of ``proof``.

    Raises:
        WarmupFailed: the example was not answered within ``spec.warmup_timeout_s``.
    """
    faulthandler.enable()  # a model that crashes the interpreter leaves a trace in the log
    report: dict[str, Any] = {"example": "none", "detail": "", "predict_s": 0.0}
    example = model.input_example()
    with TimeLimit(spec.warmup_timeout_s, lambda: _too_slow(spec.warmup_timeout_s)):
        if example is not None:
            report.update(_answer_example(model, *example))
        report["verified"] = [
            _as_json(model.ask(body.encode("latin-1"), content_type))
            for content_type, body in spec.verify
        ]
    usable = example if report["example"] == "answered" else None
    proof = prove(model, spec, usable, report["predict_s"])
    report.update(proof.report)
    report["rss_bytes"] = platform.rss_bytes(os.getpid())
    return Answerer(model, proof, spec.recheck), report


def _answer_example(model: LoadedModel, content_type: str, body: bytes) -> dict[str, Any]:
    started = time.monotonic()
    answer = model.ask(body, content_type)
    report: dict[str, Any] = {"predict_s": time.monotonic() - started}
    if answer.status == 200:
        report["example"] = "answered"
        report["output_mismatch"] = mismatch(model.pyfunc.metadata.get_output_schema(), answer.body)
    else:
        report["example"] = "refused"
        text = answer.body.decode("utf-8", "replace")
        report["detail"] = f"status {answer.status}: {text[:2000]}"
    if len(body) + len(answer.body) <= _KEPT_EXAMPLE_BYTES:
        report["example_request"] = [content_type, body.decode("latin-1")]
        report["example_answer"] = _as_json(answer)
    return report


def _as_json(answer: Answer) -> list[Any]:
    return [answer.status, answer.media_type, answer.body.decode("latin-1")]


def _too_slow(limit_s: float) -> WarmupFailed:
    return WarmupFailed(
        f"The model did not answer its own input example within {limit_s:g} s."
        f" If it needs longer, raise --warmup-timeout."
    )
