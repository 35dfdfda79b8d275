"""The worker's loop: what waits for a busy slot is decoded meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("ahead.py")
LIMIT_S = 120.0


def test_what_waits_is_decoded_by_the_reader_unless_it_is_large() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)

    assert seen["ahead"] == dict.fromkeys("234678", "pelton-reader")
    # The first found an idle slot; the fifth would have kept the reader from pings.
    assert {id for id, was_ahead in seen["given"].items() if not was_ahead} == {"1", "5"}
    assert seen["pongs"] == [9]
    # What was given back is not begun, and may come again.
    assert seen["returned"] == [6]
    assert seen["answered"] == [1, 2, 3, 4, 5, 8, 6]
