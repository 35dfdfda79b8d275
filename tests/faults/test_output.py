"""What a model writes reaches the log, named and bounded, and never the channel."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tests.e2e.endpoint import until
from tests.faults.faulty import Faulty

pytestmark = pytest.mark.xdist_group("output")

MIB = 32
"""Much more than any pipe or socket holds."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Faulty]:
    with Faulty("--concurrency", "1") as endpoint:
        yield endpoint


@pytest.mark.parametrize("fault", ["print", "print_stderr", "print_endless_line"])
def test_model_that_prints_without_end(fault: str, endpoint: Faulty) -> None:
    worker = endpoint.worker()

    answer = endpoint.do(fault, MIB)

    assert answer.status_code == 200
    endpoint.until_log(r"worker\.output_left_out worker=worker-\d+ .*lines=\d+")
    assert len(endpoint.log()) < MIB * 1024 * 1024
    endpoint.assert_well()
    assert endpoint.worker() == worker


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_bytes_that_are_no_text(stream: str, endpoint: Faulty) -> None:
    pattern = rf"worker\.output worker=worker-\d+ stream={stream} text=.*raw"

    def is_logged() -> bool:  # in a second with much other output it may be left out
        assert endpoint.do("write_raw").status_code == 200
        return re.search(pattern, endpoint.log()) is not None

    until(is_logged, pattern)
    endpoint.assert_well()


def test_model_that_reads_its_input(endpoint: Faulty) -> None:
    """There is none, so it does not wait."""
    assert endpoint.do("read_stdin").status_code == 200
    endpoint.assert_well()


def test_model_that_closes_its_output(endpoint: Faulty) -> None:
    assert endpoint.do("close_output").status_code == 200
    endpoint.assert_well()
