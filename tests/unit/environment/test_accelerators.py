"""Libraries lent to a model's environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pelton.environment.accelerators import lend, tag


def test_what_is_lent_can_be_imported_and_nothing_else(tmp_path: Path) -> None:
    folder = lend(tmp_path)

    assert folder is not None
    assert folder.name.endswith(f"-{tag()}")
    code = (
        f"import sys; sys.path.append({str(folder)!r})\n"
        "import orjson\n"
        "assert orjson.loads(b'[1.5]') == [1.5]\n"
        "import pandas\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert "No module named 'pandas'" in done.stderr, done.stderr


def test_lending_twice_keeps_the_links(tmp_path: Path) -> None:
    first = lend(tmp_path)
    assert first is not None
    before = {link: os.readlink(first / link) for link in os.listdir(first)}

    assert lend(tmp_path) == first
    assert {link: os.readlink(first / link) for link in os.listdir(first)} == before


def test_a_cache_that_cannot_be_written_lends_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")

    assert lend(blocked) is None
