"""What a server does that may not go before others: it says so, and its workers do not try."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from pelton import platform, serve
from pelton.settings import Settings


def test_where_it_is_not_permitted_it_says_so_and_stays_as_it_was(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(platform, "usable_cores", lambda: 2)
    monkeypatch.setattr(platform, "run_in_real_time", lambda is_real_time: not is_real_time)
    usual = Settings()
    wanted = replace(usual, workers=replace(usual.workers, priority="realtime"))

    with caplog.at_level(logging.WARNING, "pelton"):
        assert serve._prioritised(wanted) == usual
        assert serve._prioritised(usual) == usual

    (record,) = caplog.records
    assert record.message.startswith("server.priority_usual")
    assert "does not permit" in record.message
    assert "ulimit -r" in record.message
