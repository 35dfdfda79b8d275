"""Adopted zombies are waited for; our own children's statuses are left to who wants them."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans are Linux's to adopt")

# A process of its own becomes a subreaper, has an orphan and a child, and reaps.
_SUBREAPER = """
import ctypes, os, subprocess, sys, time
from pelton import platform
from pelton.supervisor.reaper import GRACE_S, Reaper

assert not platform.adopts_orphans()
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
assert platform.adopts_orphans()

# The shell leaves its own child behind and says its id; that one ends when the pipe does.
read, write = os.pipe()
shell = subprocess.Popen(
    ["sh", "-c", "exec 3<&0; cat <&3 >/dev/null & echo $!"], stdin=read, stdout=subprocess.PIPE
)
orphan = int(shell.stdout.readline())
shell.wait()
os.close(write)
while open(f"/proc/{orphan}/stat").read().rpartition(")")[2].split()[0] != "Z":
    time.sleep(0.01)

own = subprocess.Popen(["sh", "-c", "exit 7"])
now = [100.0]
reaper = Reaper(lambda: now[0])
assert reaper.reap() == [], "too early to tell whose it is"
now[0] += GRACE_S - 1
assert own.wait() == 7, "our own child's status is ours"
assert reaper.reap() == []
now[0] += 1
assert reaper.reap() == [orphan]
assert not os.path.exists(f"/proc/{orphan}")
assert reaper.reap() == []
"""


def test_an_orphan_is_reaped_and_a_child_is_not() -> None:
    child = subprocess.run(
        [sys.executable, "-c", _SUBREAPER], capture_output=True, text=True, timeout=60, check=False
    )
    assert child.returncode == 0, child.stderr
