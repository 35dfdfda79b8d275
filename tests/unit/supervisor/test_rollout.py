from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pelton.supervisor.rollout import plan

MB = 1024**2


def test_with_room_the_whole_new_set_starts_beside_the_old() -> None:
    rollout = plan(4, 100 * MB, 400 * MB)
    assert rollout.step == 4
    assert rollout.reason == "4 workers x 100 MB = 400 MB of 400 MB free"


def test_without_room_as_many_as_fit_at_a_time() -> None:
    assert plan(4, 100 * MB, 250 * MB).step == 2


def test_at_least_one_is_exchanged() -> None:
    assert plan(4, 100 * MB, 0).step == 1


def test_unknown_memory_is_no_reason_to_break_before_make() -> None:
    assert plan(4, None, 0).step == 4
    assert plan(4, 100 * MB, None).step == 4


@given(
    workers=st.integers(1, 64),
    worker_bytes=st.integers(1, 10**12),
    free_bytes=st.integers(0, 10**13),
)
def test_step_fits_into_what_is_free(workers: int, worker_bytes: int, free_bytes: int) -> None:
    step = plan(workers, worker_bytes, free_bytes).step
    assert 1 <= step <= workers
    assert step == 1 or step * worker_bytes <= free_bytes
