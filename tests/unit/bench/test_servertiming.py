import pytest

from pelton.bench.servertiming import Stages, parse


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("queue;dur=0.1, predict;dur=12.5", {"queue": (0.1, None), "predict": (12.5, None)}),
        ('Batch;desc="32"', {"batch": (None, "32")}),
        ("batch; desc = 7 ;dur=2", {"batch": (2.0, "7")}),
        ("miss, , db;dur=oops", {"miss": (None, None), "db": (None, None)}),
        ("", {}),
        (";;,=,", {"=": (None, None)}),
    ],
)
def test_headers_are_read_leniently(header: str, found: dict[str, object]) -> None:
    assert parse(header) == found


def settled(*answers: tuple[float, bytes]) -> Stages:
    stages = Stages()
    for latency_s, header in answers:
        stages.take(latency_s, header)
    stages.settle()
    stages.settle()  # nothing is counted twice
    return stages


def test_stages_and_batch_sizes_are_told_apart() -> None:
    stages = settled(
        (0.012, b"queue;dur=1.0, predict;dur=10, batch;desc=4"),
        (0.025, b"predict;dur=20, batch;dur=8"),
        (0.9, b"queue;dur=1.0"),
    )
    assert stages.stages["predict"].mean_s == pytest.approx(0.015)
    assert stages.stages["queue"].total == 2
    assert stages.added.total == 2
    assert stages.added.mean_s == pytest.approx(0.0035)
    assert stages.batch_sizes == {4: 1, 8: 1}


def test_a_batch_without_a_size_is_left_out() -> None:
    headers = [b"batch", b"batch;desc=many", b"batch;desc=0", b"\xff;dur=1"]
    stages = settled(*((0.1, header) for header in headers))
    assert stages.batch_sizes == {}


def test_what_a_server_adds_by_its_own_account() -> None:
    stages = settled((0.01, b"predict;dur=2, total;dur=5"), (0.01, b"total;dur=5"), (0.01, b""))
    assert stages.inside.total == 1
    assert stages.inside.mean_s == pytest.approx(0.003)
