import os

import pytest

from pelton.bench import process
from pelton.bench.memory import role, slots_memory


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("worker-12", "worker"),
        ("worker-1-fork", "fork server"),
        ("pelton-libs", "fork server"),
        ("tritonserver", "tritonserver"),
        ("", "?"),
    ],
)
def test_processes_are_known_by_what_they_call_themselves(name: str, what: str) -> None:
    assert role(process.Process(1, name, "python -P boot.py --template", 1, 1, 0.0)) == what


def test_this_process_is_measured() -> None:
    first = slots_memory(os.getpid())[0]
    assert first["name"] == "server"
    assert 0 < first["pss_mb"] <= first["rss_mb"]


def test_a_tree_holds_its_children() -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(read, 1)
        os._exit(0)
    try:
        assert process.tree_pids(os.getpid())[0] == os.getpid()
        assert child in process.tree_pids(os.getpid())
        assert process.tree_cpu_s(os.getpid()) > 0
        assert process.machine_busy_s() > 0
    finally:
        os.write(write, b"x")
        os.waitpid(child, 0)
        os.close(read)
        os.close(write)


def test_a_process_that_is_gone_is_left_out() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert process.tree(child) == []
