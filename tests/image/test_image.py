"""An image is really built, runs as nobody in particular, answers, and ends as it should."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.e2e.endpoint import until
from tests.image.conftest import BASE
from tests.image.container import Container, Store, steps_run
from tests.zoo import build

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("image"), pytest.mark.timeout(7200)]


@pytest.fixture(scope="session")
def image(store: Store) -> str:
    tag = "localhost/pelton-test:1"
    store.pelton_build(build("slow"), tag, "--base-image", BASE)
    return tag


def _ask(container: Container, seconds: float) -> object:
    request = {"dataframe_records": [{"seconds": seconds}]}
    answer = container.client.post("/invocations", json=request)
    return answer.status_code, answer.json()


def _busy_slots(container: Container) -> bool:
    text = container.client.get("/metrics").text
    return any(line.startswith("pelton_busy_slots 1") for line in text.splitlines())


def test_it_serves_as_nobody_and_drains(container: Container) -> None:
    container.run()
    container.until_ready()

    assert _ask(container, 0.01) == (200, {"predictions": [0.01]})
    assert container.client.get("/ping").status_code == 200  # SageMaker's
    assert container.check_health() == 0
    server = container.server()
    assert {p.uid for p in (server, *container.workers())} == {10001}

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(_ask, container, 4.0)
        until(lambda: _busy_slots(container), "the request is being predicted")
        os.kill(server.pid, signal.SIGTERM)
        assert running.result() == (200, {"predictions": [4.0]})
    assert container.until_ended() == 0, container.log()


def test_it_is_process_1_on_a_read_only_root(container: Container) -> None:
    container.run_as_init()
    container.until_ready()
    server = container.server()
    namespaced = _status(server.pid).partition("NSpid:")[2].splitlines()[0]
    assert namespaced.split()[-1] == "1"
    assert _ask(container, 0.01) == (200, {"predictions": [0.01]})

    # The fork server's workers become process 1's, and one that ends then must not stay.
    (fork_server,) = (p for p in container.workers() if p.name.endswith("-fork"))
    orphan = next(p for p in container.workers() if p.parent == fork_server.pid)
    os.kill(fork_server.pid, signal.SIGKILL)
    until(
        lambda: any((p.pid, p.parent) == (orphan.pid, server.pid) for p in container.workers()),
        "process 1 has the orphan",
    )
    os.kill(orphan.pid, signal.SIGKILL)
    until(lambda: not os.path.exists(f"/proc/{orphan.pid}"), "the orphan is reaped")
    container.until_ready()
    assert _ask(container, 0.01) == (200, {"predictions": [0.01]})

    os.kill(server.pid, signal.SIGTERM)
    assert container.until_ended() == 0, container.log()


def test_a_new_version_replaces_the_last_layer(store: Store, image: str) -> None:
    other = "localhost/pelton-test:2"

    output = store.pelton_build(build("versioned-a"), other, "--base-image", BASE)

    assert steps_run(output) == ["COPY model/ /opt/ml/model/"]
    with Container(store, other) as container:
        container.run()
        container.until_ready()
        answer = container.client.post("/invocations", json={"dataframe_records": [{"x": 1}]})
        assert answer.json() == {"predictions": ["a"]}
        os.kill(container.server().pid, signal.SIGTERM)
        assert container.until_ended() == 0, container.log()


def test_what_needs_no_gpu_of_the_gpu_image(store: Store) -> None:
    """Its base is NVIDIA's; every step is done on Debian's instead, with Debian's Python."""
    tag = "localhost/pelton-test:gpu"
    store.pelton_build(
        build("slow"),
        tag,
        *("--gpu", "--base-image", BASE),
        "--builder-option=--build-arg=PYTHON_PREFERENCE=system",
    )
    with Container(store, tag) as container:
        container.run()
        container.until_ready()
        assert _ask(container, 0.01) == (200, {"predictions": [0.01]})
        assert container.check_health() == 0
        os.kill(container.server().pid, signal.SIGTERM)
        assert container.until_ended() == 0, container.log()


def _status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()
