"""What the server's own metrics say while it is loaded: queue, workers, memory of each slot.

Only a few lines of the text are looked for, since this shares a thread with the load; a server
without such metrics (or without any) just leaves them out of the display.
"""

from __future__ import annotations

import re
from typing import Final

_LINE: Final = (
    r"^(?:pelton_)?(?P<name>{names})(?P<labels>\{{[^}}]*\}})? (?P<value>[0-9.eE+-]+)(?: \d+)?$"
)
# Reported name -> the metrics that mean it, by the server's own names.
_MEANINGS: Final = {
    "queue": ("queue_depth", "queue_length", "queue_requests", "queued_requests", "queue_size"),
    "workers": ("workers_serving", "workers_ready", "workers", "worker_count"),
    "slots_busy": ("slots_busy", "slots_in_use", "busy_slots", "inflight_requests"),
}
_PATTERN: Final = re.compile(
    _LINE.format(names="|".join(n for names in _MEANINGS.values() for n in names)), re.MULTILINE
)
_MEANING_OF: Final = {name: meaning for meaning, names in _MEANINGS.items() for name in names}
_NOT_SERVING: Final = re.compile(r'state="(?!serving|ready|SERVING|READY)')


def read(text: str) -> dict[str, float]:
    """Return what is of interest in a Prometheus page; series of one metric are added up."""
    found: dict[str, float] = {}
    for match in _PATTERN.finditer(text):
        labels = match["labels"] or ""
        if _NOT_SERVING.search(labels):
            continue
        meaning = _MEANING_OF[match["name"]]
        found[meaning] = found.get(meaning, 0.0) + float(match["value"])
    return found
