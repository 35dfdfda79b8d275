"""Compares a subject's answers with the oracle's and says readably where they differ."""

from __future__ import annotations

from dataclasses import dataclass

from tests.conformance.answer import Answer
from tests.conformance.case import Case
from tests.conformance.differences import DIFFERENCES, Difference
from tests.conformance.nearness import is_near

_AROUND = 60  # characters of context on both sides of the first difference of two bodies
_SHOWN = 400


@dataclass(frozen=True)
class Mismatch:
    """A case that was answered otherwise than the oracle or the table of differences says."""

    model: str
    case: Case
    expected: Answer
    answered: Answer
    difference: Difference | None

    def __str__(self) -> str:
        lines = [f"{self.model}/{self.case.name}"]
        lines.append(f"    request: {self.case.method} {self.case.path}")
        if self.case.method == "POST":
            lines.append(f"    content type: {self.case.content_type}")
            lines.append(f"    body: {_shorten(self.case.body)}")
        if self.difference is not None:
            row = self.difference
            lines.append(f"    expected by the table: {row.status} {row.media_type} {row.body}")
            lines.append(f"    answered: {_summary(self.answered)}")
            return "\n".join(lines)
        expected, answered = self.expected, self.answered
        if expected.status != answered.status:
            lines.append(f"    status: {expected.status}, answered {answered.status}")
        if expected.headers != answered.headers:
            lines.append(
                f"    headers: {dict(expected.headers)}, answered {dict(answered.headers)}"
            )
        if expected.body != answered.body:
            lines.extend(_body_difference(expected.body, answered.body))
        return "\n".join(lines)


def compare(
    model: str,
    case: Case,
    expected: Answer,
    answered: Answer,
    differences: tuple[Difference, ...] = DIFFERENCES,
    ulp: float = 0.0,
) -> Mismatch | None:
    """None if the answer is the oracle's, or the one that the table of differences demands.

    ``ulp`` is what floats may be apart, see ``nearness``.
    """
    expected, answered = expected.normalised(), answered.normalised()
    row = next((row for row in differences if row.matches(model, case.name)), None)
    good = row.allows(answered) if row is not None else _is_same(expected, answered, ulp)
    return None if good else Mismatch(model, case, expected, answered, row)


def _is_same(expected: Answer, answered: Answer, ulp: float) -> bool:
    if answered == expected:
        return True
    same_head = (expected.status, expected.headers) == (answered.status, answered.headers)
    return ulp > 0 and same_head and is_near(expected.body, answered.body, ulp)


def _body_difference(expected: bytes, answered: bytes) -> list[str]:
    pairs = zip(expected, answered, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(expected), len(answered)))
    start = max(0, at - _AROUND)
    return [
        f"    body differs at byte {at} of {len(expected)}, answered {len(answered)} bytes",
        f"      expected: …{expected[start : at + _AROUND]!r}…",
        f"      answered: …{answered[start : at + _AROUND]!r}…",
    ]


def _summary(answer: Answer) -> str:
    return f"{answer.status} {answer.media_type} {_shorten(answer.body)}"


def _shorten(body: bytes) -> str:
    text = repr(body)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(body)} bytes)"
