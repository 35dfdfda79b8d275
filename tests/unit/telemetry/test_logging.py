from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton.telemetry.logging import JsonFormatter, TextFormatter, kv, parse

_keys = st.from_regex(r"[a-z_][a-z0-9_]{0,10}", fullmatch=True)


def _record(message: str, exc_info: Any = None) -> logging.LogRecord:
    record = logging.LogRecord("pelton", logging.INFO, "", 0, message, None, exc_info)
    record.created = 1_700_000_000.25
    return record


def _strict(line: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    entry = json.loads(line, parse_constant=refuse)
    assert isinstance(entry, dict)
    return entry


def test_text_is_an_event_and_pairs() -> None:
    line = TextFormatter().format(_record("worker.ready worker=worker-1 load_s=4.1"))
    assert line == "2023-11-14T22:13:20.250Z INFO worker.ready worker=worker-1 load_s=4.1"


def test_json_has_the_pairs_as_fields() -> None:
    message = "worker.ready " + kv(worker="worker-1", load_s=4.125, note='a "b" = c')
    assert _strict(JsonFormatter().format(_record(message))) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "event": "worker.ready",
        "worker": "worker-1",
        "load_s": 4.125,
        "note": 'a "b" = c',
    }


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_traceback_goes_along(formatter: logging.Formatter) -> None:
    error = ValueError("broken")
    text = formatter.format(_record("server.failed", (ValueError, error, None)))
    assert "ValueError: broken" in text


def test_foreign_message_stays_whole() -> None:
    message = 'Loaded "x" from https://example.org'
    assert parse(message) == {"event": "message", "text": message}
    assert parse("e.g. this") == {"event": "message", "text": "e.g. this"}


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "true", "null", "[1]"])
def test_text_that_looks_like_json_stays_text(text: str) -> None:
    line = JsonFormatter().format(_record(f"worker.output {kv(text=text)}"))
    assert _strict(line)["text"] == text


@given(fields=st.dictionaries(_keys, st.text(max_size=20), max_size=5))
def test_every_text_comes_back_from_the_json_line(fields: dict[str, str]) -> None:
    line = JsonFormatter().format(_record(f"a.b {kv(**fields)}"))
    assert "\n" not in line
    entry = _strict(line)
    for key, value in fields.items():
        if key in ("time", "level", "event"):
            continue
        read = entry[key]
        assert read == value or (isinstance(read, (int, float)) and read == float(value))


@given(message=st.text(max_size=60))
def test_any_message_makes_a_line_of_json(message: str) -> None:
    entry = _strict(JsonFormatter().format(_record(message)))
    assert {"time", "level", "event"} <= entry.keys()


@given(value=st.text(max_size=20))
def test_a_pair_never_ends_a_line(value: str) -> None:
    assert not re.search(r"[\r\n]", kv(key=value))
