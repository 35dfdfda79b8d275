"""Fixtures of the unit tests."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.unit.puppet import FakeClock

# The same examples every time: a red test must be one that anybody can repeat.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fail a test that leaves a descriptor or a child process behind."""
    before = _descriptors()
    yield
    gc.collect()
    left = {fd: target for fd, target in _descriptors().items() if before.get(fd) != target}
    assert left == {}, "descriptors left open"
    try:
        pid, _ = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return
    raise AssertionError(f"a child process was left behind ({pid or 'running'})")


def _descriptors() -> dict[str, str]:
    found = {}
    for fd in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue  # the listing's own
    return found
