"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.e2e.endpoint import Endpoint

Serve = Callable[..., Endpoint]
"""Starts a server: ``serve(model, *arguments, variables={...})``."""


@pytest.fixture
def live_endpoint() -> Iterator[Serve]:
    """Servers of one test, each ready; after it they must end cleanly and leave nothing behind."""
    with ExitStack() as endpoints:

        def serve(*args: Any, **options: Any) -> Endpoint:
            return endpoints.enter_context(Endpoint(*args, **options))

        yield serve
