"""Fixtures that every test may use."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.e2e.endpoint import Endpoint
from tests.registry import registry  # noqa: F401 - a fixture; imported elsewhere it would be another

Serve = Callable[..., Endpoint]
"""Starts a server: ``serve(model, *arguments, variables={...})``."""


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Undo the logging that a command sets up when a test runs it in this process."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def live_endpoint() -> Iterator[Serve]:
    """Servers of one test, each ready; after it they must end cleanly and leave nothing behind."""
    with ExitStack() as endpoints:

        def serve(*args: Any, **options: Any) -> Endpoint:
            return endpoints.enter_context(Endpoint(*args, **options))

        yield serve


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let ``--dist loadgroup`` group: xdist 3.8 writes to an attribute pytest 9.2 has renamed."""
    if not config.getoption("loadgroup", default=False):
        return
    for item in items:
        groups = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
        suffix = "@" + "_".join(groups)
        if groups and not item.nodeid.endswith(suffix) and hasattr(item, "_id"):
            item._id = type(item._id).parse(item.nodeid + suffix)
