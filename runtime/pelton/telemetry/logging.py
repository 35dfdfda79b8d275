"""Structured logs: an event and key=value pairs, as text or as JSON lines, on stderr."""

from __future__ import annotations

import json
import logging
import math
import re
import sys
import time
from typing import Any

_PLAIN = re.compile(r'[^\s"=]+')
_PAIR = re.compile(r'([A-Za-z_][\w.]*)=("(?:[^"\\]|\\.)*"|\S*)')


def kv(**fields: Any) -> str:
    """Return ``key=value`` pairs; a value with blanks or quotes stands in JSON quotes."""
    return " ".join(f"{key}={_value(value)}" for key, value in fields.items())


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """``2026-01-31T12:00:00.123Z INFO worker.ready worker=worker-1 load_s=4.1``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback follows it."""
        line = f"{_timestamp(record.created)} {record.levelname} {record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, event, and the pairs as strings or numbers."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = parse(record.getMessage())
        entry = {"time": _timestamp(record.created), "level": record.levelname.lower(), **fields}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def parse(message: str) -> dict[str, Any]:
    """Split a message of ours into its event and its pairs."""
    event, _, rest = message.partition(" ")
    pairs = _PAIR.findall(rest)
    if "." not in event or (rest and not pairs):
        return {"event": "message", "text": message}
    return {"event": event, **{key: _parse_value(value) for key, value in pairs}}


def _parse_value(text: str) -> Any:
    """Return a number or the quoted string that ``text`` stands for, else the text itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return text  # JSON has no NaN and no Infinity
    return value if type(value) in (str, int, float) else text


def _timestamp(created: float) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created))
    return f"{seconds}.{int(created % 1 * 1000):03d}Z"


def configure(level: str, *, as_json: bool) -> None:
    """Send every log line of this process to stderr. Called once, at start-up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The front end says what uvicorn would say, with more in it.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("asyncio").setLevel(logging.WARNING)
