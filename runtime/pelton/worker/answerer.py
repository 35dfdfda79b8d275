"""How a batch of requests is answered: by the fast path where it is proven, else by the oracle.

Each request is decoded on its own, so that one bad body hurts nobody; what may go together is
predicted together; each answer is encoded on its own and leaves as soon as its rows are done.
"""

from __future__ import annotations

import contextvars
import functools
import json
import logging
import math
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import repeat
from typing import Any, Final, NamedTuple, Protocol, cast

from pelton.channel.messages import PATHS, AnswerMeta
from pelton.worker.model import LoadedModel
from pelton.worker.proof import Proof

log = logging.getLogger("pelton.worker")

_ORACLE, _FAST, _CANCELLED = (PATHS.index(path) for path in ("oracle", "fast", "cancelled"))
_JSON = "application/json"

_RECHECK_EVERY = 500  # times as long as the last check took
_RECHECK_SIZE = 4  # times as large as the smallest of late, at most


class Reply(Protocol):
    """Sends answers."""

    def __call__(
        self, answers: Sequence[tuple[int, AnswerMeta, bytes]], /, *, rechecks: bool = False
    ) -> None:
        """Send answers: (request id, metadata, body) each.

        Args:
            answers: to be sent.
            rechecks: something will be checked after them, so the slot is not through then.
        """


class WorkerRequest(NamedTuple):
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


class Part(NamedTuple):
    """A decoded request on its way through a batch.

    Attributes:
        request: it.
        decoded: its input.
        decode_s: how long decoding took, in seconds.
        group: those of one may be predicted together.
    """

    request: WorkerRequest
    decoded: Any
    decode_s: float
    group: Hashable


# As `Part(...)`, which would go through a function in Python.
_part: Final = cast(
    "Callable[[tuple[WorkerRequest, Any, float, Hashable]], Part]",
    functools.partial(tuple.__new__, Part),
)

Decodings = dict[int, Part | None]
"""By request id; ``None`` is what the oracle is to be asked."""


class Answerer:
    """Answers batches. One per worker, called by as many threads as there are slots.

    Args:
        model: the loaded model.
        proof: what is proven about it.
        recheck: one fast answer in so many is compared with the oracle's; 0 for none.
    """

    def __init__(self, model: LoadedModel, proof: Proof, recheck: int = 0) -> None:
        self._model = model
        self._fast: Any = proof.fast_path
        self._may_batch = proof.may_batch
        self._recheck = recheck
        self._answered = 0
        self._recheck_at = 0.0
        self._smallest = math.inf  # body since the last that was chosen, in bytes
        if self._fast is not None:
            from pelton.worker import fastpath

            self._difference, self._recheck_batch = fastpath.difference, fastpath.recheck

    def decode_ahead(self, batch: Sequence[WorkerRequest]) -> Decodings:
        """Decode ``batch`` before its turn, in another thread than the one that will answer it.

        A request that is alone gets its input built as well: memory that a model has not touched
        for some milliseconds is the slowest part of a small request.
        """
        if self._fast is None:
            return {}
        parts = self._decode(batch)
        if len(parts) == 1 and parts[0] is not None:
            self._fast.build_ahead(parts[0].decoded)
        return {request.id: part for request, part in zip(batch, parts, strict=True)}

    def answer(
        self, batch: Sequence[WorkerRequest], reply: Reply, ahead: Decodings | None = None
    ) -> None:
        """Answer each request of ``batch`` exactly once, as soon as its answer is there.

        Args:
            batch: to be answered.
            reply: called with the answers.
            ahead: what ``decode_ahead`` returned for it, if that was called.

        Raises:
            BaseException: what a model raises that is no ``Exception``; the requests not yet
                replied to are then unanswered.
        """
        if self._fast is None:
            for request in batch:
                self._ask_oracle(request, reply)
            return
        parts = [ahead[request.id] for request in batch] if ahead else self._decode(batch)
        now = time.monotonic()
        live = [part for part in parts if part is not None and part.request.deadline > now]
        for group in self._groups(live):
            self._predict(group, reply)
        if len(live) == len(batch):
            return
        answered = {part.request.id for part in live}
        for request in batch:
            if request.id not in answered:
                self._ask_oracle(request, reply)

    def _groups(self, parts: list[Part]) -> Iterable[list[Part]]:
        """Return which of ``parts`` go together."""
        if not self._may_batch:
            return [[part] for part in parts]
        if len({part.group for part in parts}) <= 1:
            return [parts] if parts else []
        groups: dict[Hashable, list[Part]] = {}
        for part in parts:
            groups.setdefault(part.group, []).append(part)
        return groups.values()

    def _decode(self, batch: Sequence[WorkerRequest]) -> list[Part | None]:
        """Return each request of ``batch`` decoded; ``None`` where the oracle is to be asked."""
        if self._may_batch and len(batch) > 1:
            started = time.monotonic()
            together = self._fast.decode_together(
                [request.body for request in batch], [request.content_type for request in batch]
            )
            if together is not None:
                each_s = (time.monotonic() - started) / len(batch)
                group = together[0].group
                each = zip(batch, together, repeat(each_s), repeat(group), strict=False)
                return list(map(_part, each))
        parts: list[Part | None] = []
        for request in batch:
            started = time.monotonic()
            decoded = self._fast.decode(request.body, request.content_type)
            decode_s = time.monotonic() - started
            part = None if decoded is None else Part(request, decoded, decode_s, decoded.group)
            parts.append(part)
        return parts

    def _predict(self, parts: list[Part], reply: Reply) -> None:
        """Predict a group; on failure bisect, so that only the one at fault gets the error."""
        started = time.monotonic()
        failed: Exception | None = None
        decoded = [part.decoded for part in parts]
        try:
            joined = self._fast.assemble(decoded)
            output = _in_context(self._fast.predict, joined)
        except Exception as error:
            # The model's. Not handled in here: what is predicted next would have this error as
            # its context, and show it in its traceback.
            failed = error
        if failed is not None:
            self._failed(parts, failed, time.monotonic() - started, reply)
            return
        predict_s = time.monotonic() - started
        outputs = self._fast.split(output, decoded)
        if outputs is None:  # not aligned with rows, whatever the probes said
            log.warning("batching.off reason=%s", '"an output is not aligned with its rows"')
            self._may_batch = False
            self._apart(parts, reply, 1)
            return
        started = time.monotonic()
        bodies = self._fast.encode_parts(outputs, decoded)
        encode_s = (time.monotonic() - started) / len(parts)
        decode_s = sum([part.decode_s for part in parts]) / len(parts)
        meta = AnswerMeta(200, _JSON, decode_s, predict_s, encode_s, len(parts), _FAST)
        answers = [(part.request.id, meta, body) for part, body in zip(parts, bodies, strict=True)]
        if None in bodies:
            answers = [
                answer if answer[2] is not None else self._encoded(part, own, meta)
                for answer, part, own in zip(answers, parts, outputs, strict=True)
            ]
        is_checked = self._is_to_be_checked(len(parts), len(parts[0].request.body))
        # Once it is answered, its place may be another one's.
        body = bytes(parts[0].request.body) if is_checked and len(parts) == 1 else b""
        reply(answers, rechecks=is_checked)
        if is_checked:
            self._check_again(parts[0], outputs[0], body)

    def _failed(self, parts: list[Part], error: Exception, predict_s: float, reply: Reply) -> None:
        """Predict raised: alone, a request gets the error; several are tried in halves."""
        if len(parts) > 1:
            self._apart(parts, reply, len(parts) // 2)
            return
        (part,) = parts
        request = part.request
        failure = self._fast.error(error, part.decoded, bytes(request.body), request.content_type)
        meta = AnswerMeta(
            failure.status, failure.media_type, part.decode_s, predict_s, 0.0, 1, _FAST
        )
        reply([(request.id, meta, failure.body)])

    def _apart(self, parts: list[Part], reply: Reply, size: int) -> None:
        """Predict a group in pieces; those past their deadline are not predicted again."""
        for at in range(0, len(parts), size):
            now = time.monotonic()
            piece = parts[at : at + size]
            late = [part for part in piece if part.request.deadline <= now]
            if late:
                cancelled = AnswerMeta(0, path=_CANCELLED)
                reply([(part.request.id, cancelled, b"") for part in late])
                piece = [part for part in piece if part.request.deadline > now]
            if piece:
                self._predict(piece, reply)

    def _encoded(self, part: Part, output: Any, meta: AnswerMeta) -> tuple[int, AnswerMeta, bytes]:
        """Return the answer that MLflow's own encoder makes."""
        answer = self._model.encode(output, unwrapped=part.decoded.unwrapped)
        meta = meta._replace(status=answer.status, media_type=answer.media_type)
        return part.request.id, meta, answer.body

    def _ask_oracle(self, request: WorkerRequest, reply: Reply) -> None:
        started = time.monotonic()
        if request.deadline <= started:  # its caller has its 504 already
            reply([(request.id, AnswerMeta(0, path=_CANCELLED), b"")])
            return
        answer = _in_context(self._model.ask, request.body, request.content_type)
        meta = AnswerMeta(
            status=answer.status,
            media_type=answer.media_type,
            predict_s=time.monotonic() - started,
            path=_ORACLE,
        )
        reply([(request.id, meta, answer.body)])

    def _is_to_be_checked(self, many: int, size: int) -> bool:
        """Whether one of so many that are answered now, of so many bytes, is to be checked again.

        One request in ``recheck`` is. What waits meanwhile pays for it, so it takes a
        five-hundredth of the time at most: a hundredth is what a p99 shows. And at 80 ms a megabyte
        it is none that is much larger than others are, so that nobody waits for long who is used to
        waiting briefly.
        """
        if not self._recheck:
            return False
        self._smallest = min(self._smallest, size)
        before, self._answered = self._answered, self._answered + many
        if before // self._recheck == self._answered // self._recheck:
            return False
        usual, self._smallest = self._smallest, math.inf
        return size <= _RECHECK_SIZE * usual and time.monotonic() >= self._recheck_at

    def _check_again(self, part: Part, output: Any, body: bytes) -> None:
        """Check one request again, after its answer has left.

        One predicted alone, whose body is given, is compared with the oracle's; one of a batch with
        itself apart.
        """
        started = time.monotonic()
        self._compare(part, output, body)
        now = time.monotonic()
        self._recheck_at = now + _RECHECK_EVERY * (now - started)

    def _compare(self, part: Part, output: Any, body: bytes) -> None:
        if not body:
            proof = _in_context(self._recheck_batch, self._fast, [part.decoded], [output])
            if not proof.safe:
                log.error("batching.off reason=%s", json.dumps(proof.reason))
                self._may_batch = False
            return
        found = _in_context(self._difference, self._fast, self._model.ask, body)
        if found is not None:
            log.error("fastpath.off reason=%s", json.dumps(found))
            self._fast = None


def _in_context(call: Callable[..., Any], *args: Any) -> Any:
    """Call with a copy of the context, as MLflow runs each request in a thread with its own."""
    return contextvars.copy_context().run(call, *args)
