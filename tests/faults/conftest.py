"""Endpoints to hurt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.faults.faulty import Faulty

ServeFaults = Callable[..., Faulty]


@pytest.fixture
def faulty_endpoint() -> Iterator[ServeFaults]:
    """Endpoints of one test: ``faulty_endpoint(*arguments)``."""
    with ExitStack() as endpoints:

        def serve(*args: Any, **options: Any) -> Faulty:
            return endpoints.enter_context(Faulty(*args, **options))

        yield serve


@pytest.fixture(scope="module")
def raising() -> Iterator[Faulty]:
    """One server for the tests of a module that leave its worker as it was."""
    with Faulty("--concurrency", "1") as endpoint:
        yield endpoint
