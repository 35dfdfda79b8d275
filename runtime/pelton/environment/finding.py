"""One thing found in a model, as `pelton validate` reports it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

_SHOWN: Final = 5


class Severity(StrEnum):
    """How bad: ``error``, it will not serve; ``warning``, it will bite; ``note``, good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing found, with what to do about it. ``code`` is stable, for programs."""

    code: str
    severity: Severity
    message: str
    remedy: str

    def as_dict(self) -> dict[str, str]:
        """The finding for JSON."""
        return {name: str(value) for name, value in asdict(self).items()}


def shortened(texts: Sequence[str]) -> str:
    """Join the first few, and say how many more there are."""
    more = f", and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more
