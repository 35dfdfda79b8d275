from __future__ import annotations

import asyncio
import json

import pytest

from pelton.telemetry.access import Access, AccessLog
from pelton.telemetry.logging import parse

DONE = Access(
    "id-1", "/invocations", 200, "ok", 0.0125, 0.001, 0.002, 0.005, 0.0005, 2, "worker-3", "fast",
    120, 40,
)  # fmt: skip
REFUSED = DONE._replace(status=429, outcome="queue_full", worker="", path="none")


def _logged(
    capsys: pytest.CaptureFixture[str], accesses: list[Access], *, enabled: bool, as_json: bool
) -> list[str]:
    async def scenario() -> None:
        log = AccessLog(enabled=enabled, as_json=as_json)
        for access in accesses:
            log.add(access)
        log.flush()
        log.flush()

    asyncio.run(scenario())
    return capsys.readouterr().err.splitlines()


def test_text_lines_parse_as_our_logs_do(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _logged(capsys, [DONE, REFUSED], enabled=True, as_json=False)
    done, refused = (parse(line.split(" ", 2)[2]) for line in lines)
    assert (done["event"], done["request_id"], done["status"]) == ("request.done", "id-1", 200)
    assert (done["total_ms"], done["predict_ms"]) == (12.5, 5.0)
    assert (done["worker"], done["batch"], done["path"]) == ("worker-3", 2, "fast")
    assert (refused["outcome"], "worker" in refused) == ("queue_full", False)


def test_json_lines_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    text = _logged(capsys, [DONE, REFUSED], enabled=True, as_json=False)
    as_json = _logged(capsys, [DONE, REFUSED], enabled=True, as_json=True)
    for text_line, json_line in zip(text, as_json, strict=True):
        entry = json.loads(json_line)
        assert entry.pop("level") == "info"
        assert entry.pop("time").endswith("Z")
        assert entry == parse(text_line.split(" ", 2)[2])


def test_nothing_is_written_when_it_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    assert _logged(capsys, [DONE], enabled=False, as_json=False) == []
