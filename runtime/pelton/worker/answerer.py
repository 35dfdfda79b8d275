"""How a batch of requests is answered: by the fast path where it is proven, else by the oracle."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pelton.channel.messages import PATHS, AnswerMeta, LoadSpec
from pelton.worker.model import LoadedModel

_ORACLE = PATHS.index("oracle")

Reply = Callable[[int, AnswerMeta, bytes], None]
"""Sends one answer: (request id, metadata, body)."""


@dataclass(frozen=True)
class WorkerRequest:
    """One request as it came out of the channel.

    Attributes:
        id: its conversation.
        body: the raw bytes.
        content_type: the header's value; ``None`` if there was none.
        deadline: seconds on the monotonic clock.
    """

    id: int
    body: bytes | bytearray | memoryview
    content_type: str | None
    deadline: float


class Answerer:
    """Answers batches. One per worker, called by as many threads as there are slots."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model

    @classmethod
    def build(
        cls, model: LoadedModel, spec: LoadSpec, example: tuple[str, bytes] | None
    ) -> tuple[Answerer, dict[str, Any]]:
        """Return the answerer for ``model`` and what it found out about it."""
        del spec, example
        return cls(model), {"fast_path": False, "batching": False}

    def answer(self, batch: Sequence[WorkerRequest], reply: Reply) -> None:
        """Answer each request of ``batch`` exactly once, as soon as its answer is there.

        Raises:
            BaseException: what a model raises that is no ``Exception``; the requests not yet
                replied to are then unanswered.
        """
        for request in batch:
            started = time.monotonic()
            # MLflow runs each request in a thread with its own copy of the context.
            answer = contextvars.copy_context().run(
                self._model.ask, request.body, request.content_type
            )
            meta = AnswerMeta(
                status=answer.status,
                media_type=answer.media_type,
                predict_s=time.monotonic() - started,
                batch_size=1,
                path=_ORACLE,
            )
            reply(request.id, meta, answer.body)
