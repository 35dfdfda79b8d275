"""Fixtures of the unit tests."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import psutil
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
    before, children = _descriptors(), _children()
    yield
    gc.collect()
    left = {fd: target for fd, target in _descriptors().items() if before.get(fd) != target}
    assert left == {}, "descriptors left open"
    assert _children() - children == set(), "child processes left behind"


def _children() -> set[int]:
    """Ids of this process's children; other tests' fixtures may have some running."""
    return {child.pid for child in psutil.Process().children()}


def _descriptors() -> dict[str, str]:
    found = {}
    for fd in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue  # the listing's own
    return found
