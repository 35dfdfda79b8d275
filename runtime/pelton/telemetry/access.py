"""One log line per request, written in batches off the request's way."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import NamedTuple

from pelton.telemetry.logging import kv

_FLUSH_S = 0.1


class Access(NamedTuple):
    """One finished request; times in seconds."""

    request_id: str
    route: str
    status: int
    outcome: str
    total_s: float
    queue_s: float
    decode_s: float
    predict_s: float
    encode_s: float
    batch: int
    worker: str
    path: str
    bytes_in: int
    bytes_out: int


class AccessLog:
    """Collects lines and writes them at most every 0.1 s. Owned by one event loop."""

    def __init__(self, *, enabled: bool, as_json: bool) -> None:
        self.enabled = enabled
        self._as_json = as_json
        self._pending: list[tuple[float, Access]] = []

    def add(self, access: Access) -> None:
        """Log a request, soon."""
        if not self.enabled:
            return
        if not self._pending:
            asyncio.get_running_loop().call_later(_FLUSH_S, self.flush)
        self._pending.append((time.time(), access))

    def flush(self) -> None:
        """Write what is pending."""
        pending, self._pending = self._pending, []
        if pending:
            sys.stderr.write("".join(self._line(at, access) for at, access in pending))
            sys.stderr.flush()

    def _line(self, at: float, access: Access) -> str:
        fields: dict[str, object] = {
            key: round(value * 1000, 3) if key.endswith("_s") else value
            for key, value in access._asdict().items()
        }
        fields = {
            (key[:-2] + "_ms" if key.endswith("_s") else key): value
            for key, value in fields.items()
            if value != ""
        }
        stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}.{int(at % 1 * 1000):03d}Z"
        if self._as_json:
            return (
                json.dumps({"time": stamp, "level": "info", "event": "request.done", **fields})
                + "\n"
            )
        return f"{stamp} INFO request.done {kv(**fields)}\n"
