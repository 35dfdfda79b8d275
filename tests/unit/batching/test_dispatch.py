"""The queue and its lanes, with slots that the test answers for."""

from __future__ import annotations

import pytest
from tests.unit.puppet import OK, Desk, FakeClock, Puppet

from pelton.batching.entry import Stage
from pelton.batching.policy import BatchLimits
from pelton.errors import (
    DeadlineExceeded,
    DeadlineUnmeetable,
    Draining,
    InternalError,
    NotReady,
    QueueFull,
    WorkerCrashed,
)

IN_FOURS = BatchLimits(requests=4, body_bytes=1000)


@pytest.fixture
def desk(clock: FakeClock) -> Desk:
    return Desk(clock)


def test_idle_slot_runs_an_entry_at_once(desk: Desk, clock: FakeClock) -> None:
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet)
    clock.advance(1.0)
    entry = desk.submit()
    assert [[entry.id]] == puppet.ids
    assert Stage.RUNNING is entry.stage
    assert (clock.now, clock.now) == (entry.queued_at, entry.started_at)
    assert lane.is_busy


def test_answer_ends_its_entry_and_frees_the_slot(desk: Desk, clock: FakeClock) -> None:
    lane = desk.dispatcher.open_lane(Puppet())
    entry = desk.submit()
    clock.advance(0.25)
    lane.answered([(entry.id, OK)])
    assert [entry] == desk.ended
    assert OK is entry.answer
    assert clock.now == entry.done_at
    assert not lane.is_busy
    assert desk.dispatcher.statistics().drained_per_s == 4.0


def test_waiting_entries_run_in_the_order_they_came(desk: Desk) -> None:
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet)
    entries = [desk.submit() for _ in range(4)]
    for entry in entries:
        lane.answered([(entry.id, OK)])
    assert puppet.ids == [[1], [2], [3], [4]]
    assert desk.ended_ids == [1, 2, 3, 4]


def test_lane_opened_late_pulls_what_waits(desk: Desk) -> None:
    for _ in range(6):
        desk.submit()
    puppet = Puppet()
    desk.dispatcher.open_lane(puppet, IN_FOURS)
    assert puppet.ids == [[1, 2, 3, 4]]
    assert desk.dispatcher.statistics().queued == 2


def test_batch_is_bounded_by_bytes_but_takes_one_large_body(desk: Desk) -> None:
    for body in (600, 300, 200, 5000, 10):
        desk.submit(body=b"x" * body)
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet, IN_FOURS)
    for _ in range(3):
        for entry in puppet.batches[-1]:
            lane.answered([(entry.id, OK)])
    assert puppet.ids == [[1, 2], [3], [4], [5]]


def test_last_idle_slot_is_used_first(desk: Desk) -> None:
    puppets = [Puppet(), Puppet()]
    for puppet in puppets:
        desk.dispatcher.open_lane(puppet)
    desk.submit()
    assert [puppet.ids for puppet in puppets] == [[], [[1]]]


def test_slot_is_busy_until_the_whole_batch_is_answered(desk: Desk) -> None:
    for _ in range(3):
        desk.submit()
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet, BatchLimits(requests=2))
    lane.answered([(1, OK)])
    assert puppet.ids == [[1, 2]]
    lane.answered([(2, OK)])
    assert puppet.ids == [[1, 2], [3]]


def test_answer_for_an_unknown_id_changes_nothing(desk: Desk) -> None:
    lane = desk.dispatcher.open_lane(Puppet())
    entry = desk.submit()
    lane.answered([(99, OK)])
    assert desk.ended == []
    lane.answered([(entry.id, OK)])
    lane.answered([(entry.id, OK)])
    assert desk.ended_ids == [1]


def test_entry_cannot_end_twice(desk: Desk, clock: FakeClock) -> None:
    lane = desk.dispatcher.open_lane(Puppet())
    entry = desk.submit()
    lane.answered([(entry.id, OK)])
    with pytest.raises(InternalError, match="ended twice"):
        entry.finish(clock(), OK)


# Deadlines


def test_waiting_entry_expires_at_its_deadline(desk: Desk, clock: FakeClock) -> None:
    desk.dispatcher.open_lane(Puppet())
    desk.submit()
    waiting = desk.submit(timeout_s=2.0)
    clock.advance(1.98)
    assert desk.ended == []
    clock.advance(0.03)
    assert [waiting] == desk.ended
    assert isinstance(waiting.error, DeadlineExceeded)
    assert waiting.error.stage == "queue"
    assert desk.dispatcher.statistics().queued == 0


def test_expired_entry_is_dropped_when_the_batch_is_built(clock: FakeClock) -> None:
    """Even if the timer is late: what is past its deadline never runs."""
    desk = Desk(clock)
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet)
    first = desk.submit()
    late = desk.submit(timeout_s=1.0)
    next_one = desk.submit()
    clock.now += 1.5  # no timer fires
    lane.answered([(first.id, OK)])
    assert [[first.id], [next_one.id]] == puppet.ids
    assert isinstance(late.error, DeadlineExceeded)


def test_running_entry_is_answered_at_its_deadline_and_the_slot_interrupted(
    desk: Desk, clock: FakeClock
) -> None:
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet)
    entry = desk.submit(timeout_s=1.0)
    clock.advance(1.01)
    assert isinstance(entry.error, DeadlineExceeded)
    assert entry.error.stage == "predict"
    assert [[entry.id]] == puppet.cancelled
    assert lane.is_busy, "the slot is free only when the worker says so"
    later = desk.submit()
    assert desk.dispatcher.statistics().queued == 1
    lane.answered([(entry.id, None)])
    assert [[entry.id], [later.id]] == puppet.ids
    assert [entry] == desk.ended


def test_batch_is_interrupted_only_when_nobody_waits_for_it(desk: Desk, clock: FakeClock) -> None:
    desk.submit(timeout_s=1.0)
    desk.submit(timeout_s=2.0)
    puppet = Puppet()
    desk.dispatcher.open_lane(puppet, IN_FOURS)
    clock.advance(1.5)
    assert desk.ended_ids == [1]
    assert puppet.cancelled == []
    clock.advance(1.0)
    assert desk.ended_ids == [1, 2]
    assert puppet.cancelled == [[1, 2]]


def test_batch_is_interrupted_when_only_the_late_are_left_in_it(
    desk: Desk, clock: FakeClock
) -> None:
    """The neighbour was answered after the other's deadline: now nobody waits any more."""
    desk.submit(timeout_s=9.0)
    desk.submit(timeout_s=1.0)
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet, IN_FOURS)
    clock.advance(2.0)
    lane.answered([(1, OK)])
    assert puppet.cancelled == [[1, 2]]
    lane.answered([(2, None)])
    assert not lane.is_busy


def test_batch_is_interrupted_once(desk: Desk, clock: FakeClock) -> None:
    for _ in range(3):
        desk.submit(timeout_s=1.0)
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet, IN_FOURS)
    clock.advance(5.0)
    lane.answered([(1, None)])
    lane.answered([(2, None)])
    assert puppet.cancelled == [[1, 2, 3]]


def test_cancelled_answer_ends_an_entry_that_still_waits(desk: Desk) -> None:
    lane = desk.dispatcher.open_lane(Puppet())
    entry = desk.submit()
    lane.answered([(entry.id, None)])
    assert isinstance(entry.error, DeadlineExceeded)
    assert entry.error.stage == "predict"


# Clients that leave


def test_dropped_entry_never_runs(desk: Desk) -> None:
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet)
    first, gone, last = (desk.submit() for _ in range(3))
    desk.dispatcher.drop(gone)
    assert (gone.answer, gone.error) == (None, None)
    lane.answered([(first.id, OK)])
    assert [[first.id], [last.id]] == puppet.ids


def test_slot_whose_client_has_left_is_interrupted_at_the_deadline(
    desk: Desk, clock: FakeClock
) -> None:
    """Else a model that never returns would keep the slot for ever."""
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet)
    entry = desk.submit(timeout_s=5.0)
    desk.dispatcher.drop(entry)
    clock.advance(4.9)
    assert puppet.cancelled == []
    clock.advance(0.2)
    assert [[entry.id]] == puppet.cancelled
    lane.answered([(entry.id, None)])
    assert [entry] == desk.ended


def test_late_answer_for_a_client_that_has_left_frees_the_slot(
    desk: Desk, clock: FakeClock
) -> None:
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet)
    entry = desk.submit(timeout_s=5.0)
    desk.dispatcher.drop(entry)
    lane.answered([(entry.id, OK)])
    assert not lane.is_busy
    desk.submit()
    clock.advance(10.0)
    assert puppet.cancelled == []


def test_dropping_what_has_ended_changes_nothing(desk: Desk) -> None:
    lane = desk.dispatcher.open_lane(Puppet())
    entry = desk.submit()
    lane.answered([(entry.id, OK)])
    desk.dispatcher.drop(entry)
    assert [entry] == desk.ended


def test_queue_does_not_keep_what_has_left_it(desk: Desk) -> None:
    desk.dispatcher.open_lane(Puppet())
    desk.submit()
    for _ in range(500):
        desk.dispatcher.drop(desk.submit())
    assert len(desk.dispatcher._queue) <= 70


# Workers that fail, drain and come


def test_failed_lane_ends_only_what_ran_in_it(desk: Desk) -> None:
    puppets = [Puppet(), Puppet()]
    lanes = [desk.dispatcher.open_lane(puppet) for puppet in puppets]
    running = [desk.submit(), desk.submit()]
    waiting = desk.submit()
    error = WorkerCrashed("gone")
    lanes[1].fail(error)
    assert [running[0]] == desk.ended
    assert error is running[0].error
    lanes[0].answered([(running[1].id, OK)])
    assert [[running[1].id], [waiting.id]] == puppets[0].ids
    assert desk.dispatcher.statistics().lanes == 1


def test_failed_lane_pulls_nothing_more(desk: Desk) -> None:
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet)
    lane.fail(WorkerCrashed("gone"))
    desk.submit()
    assert puppet.ids == []
    assert desk.dispatcher.statistics().queued == 1


def test_late_answer_of_a_failed_worker_is_dropped(desk: Desk) -> None:
    lane = desk.dispatcher.open_lane(Puppet())
    entry = desk.submit()
    lane.fail(WorkerCrashed("gone"))
    lane.answered([(entry.id, OK)])
    assert [entry] == desk.ended
    assert entry.answer is None


def test_closed_lane_finishes_what_it_runs_and_pulls_nothing(desk: Desk) -> None:
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet)
    running, waiting = desk.submit(), desk.submit()
    calls: list[str] = []
    lane.close(lambda: calls.append("idle"))
    assert calls == []
    lane.answered([(running.id, OK)])
    assert calls == ["idle"]
    assert [[running.id]] == puppet.ids
    assert Stage.QUEUED is waiting.stage


def test_idle_lane_closes_at_once(desk: Desk) -> None:
    calls: list[str] = []
    desk.dispatcher.open_lane(Puppet()).close(lambda: calls.append("idle"))
    assert calls == ["idle"]
    assert desk.dispatcher.statistics().idle == 0


def test_lane_that_fails_while_it_closes_is_idle_then(desk: Desk) -> None:
    lane = desk.dispatcher.open_lane(Puppet())
    desk.submit()
    calls: list[str] = []
    lane.close(lambda: calls.append("idle"))
    lane.fail(WorkerCrashed("gone"))
    assert calls == ["idle"]


# Admission


def test_full_queue_refuses_with_the_time_to_retry(desk: Desk, clock: FakeClock) -> None:
    desk = Desk(clock, queue_limit=4)
    lane = desk.dispatcher.open_lane(Puppet())
    first = desk.submit()
    clock.advance(2.0)
    lane.answered([(first.id, OK)])  # 2 s a request
    for _ in range(5):
        desk.submit()
    with pytest.raises(QueueFull, match=r"4 are waiting for 1 slots") as refusal:
        desk.submit()
    assert refusal.value.retry_after_s == 8
    assert desk.ended_ids == [1]


def test_queue_is_bounded_by_bytes(clock: FakeClock) -> None:
    desk = Desk(clock, queue_limit_bytes=100)
    desk.submit(body=b"x" * 100)
    with pytest.raises(QueueFull):
        desk.submit()
    assert desk.dispatcher.statistics().queued_bytes == 100


def test_queue_limit_of_zero_serves_what_a_slot_can_take(clock: FakeClock) -> None:
    desk = Desk(clock, queue_limit=0)
    desk.dispatcher.open_lane(Puppet())
    desk.submit()
    with pytest.raises(QueueFull):
        desk.submit()


def test_request_that_cannot_make_its_deadline_is_refused(desk: Desk, clock: FakeClock) -> None:
    lane = desk.dispatcher.open_lane(Puppet())
    first = desk.submit()
    clock.advance(1.0)
    lane.answered([(first.id, OK)])  # 1 s a request
    desk.submit()
    desk.submit()
    with pytest.raises(DeadlineUnmeetable, match="before its deadline"):
        desk.submit(timeout_s=1.5)
    desk.submit(timeout_s=2.5)


def test_refusal_takes_everything_new_and_nothing_old(desk: Desk) -> None:
    lane = desk.dispatcher.open_lane(Puppet())
    running, waiting = desk.submit(), desk.submit()
    desk.dispatcher.refuse_with(lambda: NotReady("loading"))
    with pytest.raises(NotReady):
        desk.submit()
    lane.answered([(running.id, OK)])
    lane.answered([(waiting.id, OK)])
    assert [running, waiting] == desk.ended
    desk.dispatcher.refuse_with(None)
    desk.submit()


def test_rejecting_the_queue_leaves_what_runs(desk: Desk) -> None:
    lane = desk.dispatcher.open_lane(Puppet())
    running, *waiting = (desk.submit() for _ in range(3))
    drained: list[str] = []
    desk.dispatcher.on_drained = lambda: drained.append("drained")
    assert desk.dispatcher.reject_queued(lambda: Draining("leaving")) == 2
    assert waiting == desk.ended
    assert drained == ["drained"]
    lane.answered([(running.id, OK)])
    assert OK is running.answer


def test_scaling_hears_of_entries_that_wait(desk: Desk) -> None:
    calls: list[int] = []
    desk.dispatcher.on_waiting = lambda: calls.append(desk.dispatcher.statistics().queued)
    desk.dispatcher.open_lane(Puppet())
    for _ in range(3):
        desk.submit()
    assert calls == [1, 2]


def test_no_timer_is_left_when_nothing_waits(desk: Desk, clock: FakeClock) -> None:
    lane = desk.dispatcher.open_lane(Puppet())
    entry = desk.submit(timeout_s=1.0)
    lane.answered([(entry.id, OK)])
    clock.advance(2.0)
    assert clock.pending == []
