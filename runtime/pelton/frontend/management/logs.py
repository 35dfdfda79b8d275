"""The last lines of the log, kept in memory for those who ask for them over HTTP."""

from __future__ import annotations

import logging
from collections import deque
from typing import Final

from pelton.telemetry.logging import TextFormatter

_LINES: Final = 2000
_LINE_LENGTH: Final = 2000
# What stands in Databricks' build logs: how a model's files and environment came here.
_BUILD: Final = ("revision.progress", "revision.prepared", "revision.environment")


class LogRing(logging.Handler):
    """Keeps the last lines that tell of the model: what it printed and what became of it.

    Requests are not among them; they have their own log. Lines come from whatever thread logs.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(TextFormatter())
        self._service: deque[str] = deque(maxlen=_LINES)
        self._build: deque[str] = deque(maxlen=_LINES)

    @classmethod
    def attached(cls) -> LogRing:
        """Return one that listens to the loggers of the model side."""
        ring = cls()
        for name in ("pelton.output", "pelton.supervisor", "pelton.environment"):
            logging.getLogger(name).addHandler(ring)
        return ring

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        message = record.getMessage()
        build = record.name.startswith("pelton.environment") or message.startswith(_BUILD)
        kept = self._build if build else self._service
        kept.append(self.format(record)[:_LINE_LENGTH])

    def service(self) -> str:
        """Return what the workers printed and what became of them, oldest line first."""
        return "\n".join(self._service)

    def build(self) -> str:
        """Return how models and their environments were prepared, oldest line first."""
        return "\n".join(self._build)
