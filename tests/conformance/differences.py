"""The one table of answers in which pelton deliberately differs from MLflow.

A case that no row matches must be answered with MLflow's bytes. A row says exactly what pelton
answers instead, so a difference is tested like an agreement. `docs/http-api.md` explains each to
users. The rule for a new row: it makes something clearer or safer for the caller, and nothing that
works with MLflow stops working.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.conformance.answer import Answer

BATCHED_ULP = 64.0
"""Units in the last place that floats may be off when rows of several callers are predicted
together, which only happens for models that were shown to answer each row by itself. Requests that
come one at a time, or to `--batching off`, get MLflow's bytes."""


@dataclass(frozen=True)
class Difference:
    """Cases whose ``model/name`` matches the pattern are answered like this instead."""

    cases: str
    status: int
    body: str
    why: str
    media_type: str | None = "application/json"

    def matches(self, model: str, case: str) -> bool:
        return re.fullmatch(self.cases, f"{model}/{case}", re.DOTALL) is not None

    def allows(self, answer: Answer) -> bool:
        """Whether the answer is the one described; ``body`` is a pattern of the whole body."""
        return (
            answer.status == self.status
            and answer.media_type == self.media_type
            and re.fullmatch(self.body.encode(), answer.body, re.DOTALL) is not None
        )


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        cases=r"[^/]+/GET /(docs|redoc|openapi\.json)",
        status=404,
        body=r'\{"detail":"Not Found"\}',
        why=(
            "FastAPI adds these pages by itself; they describe no request or answer of a model, "
            "and load scripts from another host"
        ),
    ),
)
