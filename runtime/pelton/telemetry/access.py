"""One log line per request, written in batches off the request's way."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import NamedTuple

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

    def _line(self, at: float, a: Access) -> str:
        stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}.{int(at % 1 * 1000):03d}Z"
        if self._as_json:
            fields = {
                (key[:-2] + "_ms" if key.endswith("_s") else key): (
                    round(value * 1000, 3) if key.endswith("_s") else value
                )
                for key, value in a._asdict().items()
                if value != ""
            }
            entry = {"time": stamp, "level": "info", "event": "request.done", **fields}
            return json.dumps(entry) + "\n"
        # No value can hold a blank or a quote: ids are checked at the edge, the rest is ours.
        worker = f" worker={a.worker}" if a.worker else ""
        return (
            f"{stamp} INFO request.done request_id={a.request_id} route={a.route}"
            f" status={a.status} outcome={a.outcome} total_ms={a.total_s * 1000:.3f}"
            f" queue_ms={a.queue_s * 1000:.3f} decode_ms={a.decode_s * 1000:.3f}"
            f" predict_ms={a.predict_s * 1000:.3f} encode_ms={a.encode_s * 1000:.3f}"
            f" batch={a.batch}{worker} path={a.path} bytes_in={a.bytes_in}"
            f" bytes_out={a.bytes_out}\n"
        )
