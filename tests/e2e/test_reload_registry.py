"""A watched alias is followed, and its registry may go away meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from tests.conftest import Serve
from tests.e2e.endpoint import Endpoint, pelton, until
from tests.e2e.reload_support import ROW, Line, load_on
from tests.registry import Registry

pytestmark = pytest.mark.xdist_group("registry")


def served(endpoint: Endpoint) -> str:
    """The name of the served entity that answers."""
    return endpoint.ask(ROW).headers["served-model-name"]


def set_champion(at: Registry, version: int) -> None:
    alias = {"name": "echo", "alias": "champion", "version": str(version)}
    url = f"{at.uri}/api/2.0/mlflow/registered-models/alias"
    httpx.post(url, json=alias).raise_for_status()


@contextmanager
def restored_champion(at: Registry) -> Iterator[None]:
    """Other tests use the same registry."""
    try:
        yield
    finally:
        set_champion(at, 1)


def test_watched_alias_through_an_outage_of_its_registry(
    live_endpoint: Serve,
    registry: Registry,
) -> None:
    with Line(registry.uri) as line, restored_champion(registry):
        endpoint = live_endpoint(
            *("models:/echo@champion", "--watch", "0.3", "--concurrency", "1"),
            variables={"MLFLOW_TRACKING_URI": line.uri, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"},
        )
        assert served(endpoint) == "echo-1"
        with load_on(endpoint, callers=1) as load:
            line.cut()
            endpoint.until_log("watch.failed ")
            set_champion(registry, 2)
            load.until_answered(10)
            assert served(endpoint) == "echo-1"

            line.mend()
            until(lambda: served(endpoint) == "echo-2", "the new champion serves")
            endpoint.until_log("watch.recovered")

            # The alias still means version 2: going back is not undone by the watcher.
            rolled_back = pelton("rollback", "--wait", "--url", endpoint.url, cwd=endpoint.folder)
            assert rolled_back.returncode == 0, rolled_back.stderr
            load.until_answered(10)
            assert served(endpoint) == "echo-1"

        assert set(load.outcomes) == {"{'x': [1.0]}"}, load.outcomes
        assert endpoint.log().count("watch.failed ") == 1
