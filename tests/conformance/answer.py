"""What is compared of an answer, and the few things that two runs of MLflow itself differ in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

COMPARED_HEADERS = ("content-type", "content-encoding", "allow", "location")

NO_ANSWER = 0
"""Status that stands for a connection that ended without an answer."""

# Invariant: a rule stands here only if two runs of MLflow's own servers differ without it.
_NOT_DETERMINISTIC = (
    # The name mlflow invents for the module of a model-from-code each time it loads it.
    (re.compile(rb"code_model_[0-9a-f]{32}"), b"code_model_UUID"),
    # Stack traces name the model's files where they were loaded from: where the zoo keeps them, or
    # a copy, which `mlflow models serve` makes too.
    (
        re.compile(rb"/[^\s\"']*/\.cache/(zoo/[a-z0-9-]+|pelton/snapshots/[0-9a-f]+/model)"),
        b"MODEL",
    ),
    # Redirects name the address that was asked.
    (re.compile(rb"127\.0\.0\.1:\d+"), b"ADDRESS"),
)


@dataclass(frozen=True)
class Answer:
    """Status, the headers of ``COMPARED_HEADERS`` that are there, and the body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def media_type(self) -> str | None:
        return dict(self.headers).get("content-type")

    def normalised(self) -> Answer:
        """The answer without what is not deterministic."""
        headers = tuple(
            (name, _normalise(value.encode("latin-1")).decode("latin-1"))
            for name, value in self.headers
        )
        return Answer(self.status, headers, _normalise(self.body))

    def to_json(self) -> list[Any]:
        # Latin-1 keeps any bytes, and keeps the text of most bodies readable.
        return [self.status, [list(pair) for pair in self.headers], self.body.decode("latin-1")]

    @classmethod
    def from_json(cls, value: list[Any]) -> Answer:
        status, headers, body = value
        return cls(status, tuple((name, text) for name, text in headers), body.encode("latin-1"))


def _normalise(text: bytes) -> bytes:
    for pattern, replacement in _NOT_DETERMINISTIC:
        text = pattern.sub(replacement, text)
    return text
