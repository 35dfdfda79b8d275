"""Overlap and company: what is sent before the present batch is through, and who waits for whom."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.puppet import OK, Desk, FakeClock, Puppet

from pelton.admission.limits import Limits, Load
from pelton.batching.dispatch import Dispatcher
from pelton.batching.entry import Entry, Stage
from pelton.batching.lane import Lane
from pelton.batching.policy import BatchLimits
from pelton.errors import RejectedError, WorkerCrashed

IN_EIGHTS = BatchLimits(requests=8)
LARGE = b"x" * 100_000


@pytest.fixture
def desk(clock: FakeClock) -> Desk:
    return Desk(clock, queue_limit_bytes=10**6)


def answer(lane: Lane, ids: list[int]) -> None:
    lane.answered([(id, OK) for id in ids])


def teach(desk: Desk, fixed_s: float, each_s: float) -> None:
    """Have the cost model learn T(n) = fixed_s + n * each_s."""
    for requests in (1, 4, 2, 3) * 4:
        desk.dispatcher.batch_done(requests, fixed_s + requests * each_s, 4 * requests)


def test_next_batch_is_given_before_answers_are_written(desk: Desk) -> None:
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet)
    batches_when_ended: list[int] = []
    first = desk.submit()
    first.on_done = lambda _: batches_when_ended.append(len(puppet.batches))
    desk.submit()
    answer(lane, [first.id])
    assert batches_when_ended == [2]


def test_batch_is_sent_ahead_late_in_the_present_one(desk: Desk, clock: FakeClock) -> None:
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet, IN_EIGHTS, in_order=True)
    teach(desk, 0.0, 1.1)  # a batch of one: 1.1 s
    first = desk.submit()
    early = desk.submit()
    assert puppet.ids == [[first.id]]
    clock.advance(0.8)
    late = desk.submit()
    assert puppet.ids == [[first.id], [early.id, late.id]]
    assert [early.stage, late.stage] == [Stage.SENT, Stage.SENT]
    assert desk.dispatcher.statistics().queued == 2, "they have not begun"
    after = desk.submit()
    assert len(puppet.batches) == 2, "one batch ahead is enough"
    clock.advance(0.1)
    answer(lane, [first.id])
    assert [early.stage, after.stage] == [Stage.RUNNING, Stage.QUEUED]
    assert (early.started_at, late.started_at) == (clock.now, clock.now)
    answer(lane, [early.id, late.id])
    clock.advance(0.03)  # for the callers who might come back
    assert puppet.ids[2:] == [[after.id]]
    assert desk.ended_ids == [first.id, early.id, late.id]


def test_answers_of_both_batches_may_come_together(desk: Desk, clock: FakeClock) -> None:
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet, IN_EIGHTS, in_order=True)
    teach(desk, 0.0, 1.1)
    first = desk.submit()
    clock.advance(0.8)
    second = desk.submit()
    answer(lane, [first.id, second.id])
    assert desk.ended_ids == [first.id, second.id]
    assert not lane.is_busy
    assert desk.dispatcher.statistics().idle == 1


def test_what_was_ahead_of_a_worker_that_dies_is_queued_again(desk: Desk, clock: FakeClock) -> None:
    puppet, other = Puppet(), Puppet()
    lane = desk.dispatcher.open_lane(puppet, IN_EIGHTS, in_order=True)
    teach(desk, 0.0, 1.1)
    first = desk.submit()
    clock.advance(0.8)
    second, third = desk.submit(), desk.submit()
    assert puppet.ids == [[first.id], [second.id]]
    lane.fail(WorkerCrashed("gone"))
    assert desk.ended_ids == [first.id]
    assert [second.stage, third.stage] == [Stage.QUEUED, Stage.QUEUED]
    desk.dispatcher.open_lane(other, IN_EIGHTS)
    assert other.ids == [[second.id, third.id]]


def test_what_is_ahead_keeps_its_deadline(desk: Desk, clock: FakeClock) -> None:
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet, IN_EIGHTS, in_order=True)
    teach(desk, 0.0, 1.1)
    first = desk.submit()
    clock.advance(0.8)
    second = desk.submit(timeout_s=1.5)
    clock.advance(2.0)
    assert desk.ended == [second]
    assert "waiting for a slot" in str(second.error)
    answer(lane, [first.id])
    assert lane.is_busy, "the worker has it, and may be at it"
    clock.advance(0.1)
    assert puppet.cancelled == [[second.id]]
    lane.answered([(second.id, None)])
    assert not lane.is_busy


def test_without_batching_one_slot_gets_its_next_request_at_once(desk: Desk) -> None:
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet, in_order=True)
    teach(desk, 0.0, 1.1)
    first, second, third = (desk.submit() for _ in range(3))
    assert puppet.ids == [[first.id], [second.id]]
    assert desk.dispatcher.statistics().queued == 2
    answer(lane, [first.id])
    assert puppet.ids[2:] == [[third.id]]
    assert [second.stage, third.stage] == [Stage.RUNNING, Stage.SENT]


def test_without_batching_nothing_waits_behind_one_of_several_slots(desk: Desk) -> None:
    puppets = Puppet(), Puppet()
    for puppet in puppets:
        desk.dispatcher.open_lane(puppet, in_order=True)
    teach(desk, 0.0, 1.1)
    entries = [desk.submit() for _ in range(3)]
    assert sum(len(puppet.batches) for puppet in puppets) == 2
    assert entries[2].stage is Stage.QUEUED


def test_client_of_what_is_ahead_leaves_and_the_worker_is_told(desk: Desk) -> None:
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet, in_order=True)
    teach(desk, 0.0, 1.1)
    first, second = desk.submit(), desk.submit()
    desk.dispatcher.drop(second)
    assert puppet.dropped == [second.id]
    assert desk.dispatcher.statistics().queued == 0
    desk.dispatcher.drop(first)
    assert puppet.dropped == [second.id], "it runs: what has begun is not dropped"
    lane.answered([(first.id, OK), (second.id, None)])
    assert not lane.is_busy


def test_what_is_ahead_counts_against_the_limit_of_the_queue(clock: FakeClock) -> None:
    desk = Desk(clock, queue_limit=1)
    desk.dispatcher.open_lane(Puppet(), in_order=True)
    teach(desk, 0.001, 0.0)
    desk.submit()
    assert desk.submit().stage is Stage.SENT
    with pytest.raises(RejectedError):
        desk.submit()


def test_nothing_is_sent_ahead_of_a_batch_that_is_late(desk: Desk, clock: FakeClock) -> None:
    puppet = Puppet()
    desk.dispatcher.open_lane(puppet, IN_EIGHTS, in_order=True)
    teach(desk, 0.0, 1.1)
    desk.submit()
    clock.advance(2.5)  # 1.1 s were expected
    desk.submit()
    assert len(puppet.batches) == 1


def test_nothing_is_sent_ahead_of_a_batch_unlike_any_other(desk: Desk, clock: FakeClock) -> None:
    puppet = Puppet()
    desk.dispatcher.open_lane(puppet, IN_EIGHTS, in_order=True)
    teach(desk, 0.0, 1.1)
    desk.submit(body=LARGE)
    clock.advance(0.8)
    desk.submit()
    assert len(puppet.batches) == 1


def test_slots_that_share_a_worker_get_one_batch_at_a_time(desk: Desk, clock: FakeClock) -> None:
    puppet = Puppet()
    desk.dispatcher.open_lane(puppet, IN_EIGHTS)
    teach(desk, 0.0, 1.1)
    desk.submit()
    clock.advance(0.8)
    desk.submit()
    assert len(puppet.batches) == 1


# What comes back


@pytest.fixture
def stuck(desk: Desk, clock: FakeClock) -> tuple[Lane, Puppet, list[Entry]]:
    """A slot whose batch takes far longer than the 1.1 s expected, and what was sent ahead to it.

    The first of the entries runs; the others are ahead.
    """
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet, IN_EIGHTS, in_order=True)
    teach(desk, 0.0, 1.1)
    entries = [desk.submit()]
    clock.advance(0.8)
    entries += [desk.submit(), desk.submit()]
    assert [entry.stage for entry in entries] == [Stage.RUNNING, Stage.SENT, Stage.QUEUED]
    return lane, puppet, entries


def test_what_is_ahead_of_a_late_batch_is_asked_for_and_runs_elsewhere(
    desk: Desk, clock: FakeClock, stuck: tuple[Lane, Puppet, list[Entry]]
) -> None:
    lane, puppet, (first, second, third) = stuck
    other = Puppet()
    other_lane = desk.dispatcher.open_lane(other, IN_EIGHTS)
    assert other.ids == [[third.id]], "it came later and runs: the other one is stuck"
    clock.advance(1.3)  # 2.1 s after the beginning
    assert puppet.recalled == []
    clock.advance(0.2)
    assert puppet.recalled == [[second.id]]
    assert second.stage is Stage.SENT, "the worker may have begun"
    lane.returned(lane.sent(second.id))
    assert second.stage is Stage.QUEUED
    assert desk.dispatcher.statistics().queued == 1
    answer(other_lane, [third.id])
    clock.advance(0.03)
    assert other.ids[1:] == [[second.id]]
    answer(other_lane, [second.id])
    answer(lane, [first.id])
    assert desk.ended_ids == [third.id, second.id, first.id]
    assert not lane.is_busy
    assert min(clock.pending) > clock.now + 1.0, "nothing is watched that is not ahead"


def test_what_is_ahead_stays_where_there_is_no_other_slot(
    desk: Desk, clock: FakeClock, stuck: tuple[Lane, Puppet, list[Entry]]
) -> None:
    _, puppet, (_, second, _) = stuck
    clock.advance(10.0)
    assert puppet.recalled == []
    desk.dispatcher.open_lane(Puppet(), IN_EIGHTS)
    clock.advance(0.02)
    assert puppet.recalled == [[second.id]]
    clock.advance(10.0)
    assert len(puppet.recalled) == 1, "once is enough"


def test_short_batch_that_is_a_little_late_keeps_what_is_ahead(
    desk: Desk, clock: FakeClock
) -> None:
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet, IN_EIGHTS, in_order=True)
    teach(desk, 0.0, 0.001)
    first = desk.submit()
    clock.advance(0.0008)
    second = desk.submit()
    desk.dispatcher.open_lane(Puppet())
    clock.advance(0.018)
    answer(lane, [first.id])
    clock.advance(0.03)
    assert second.stage is Stage.RUNNING
    assert puppet.recalled == []


def test_what_came_back_was_thought_to_run(
    desk: Desk, clock: FakeClock, stuck: tuple[Lane, Puppet, list[Entry]]
) -> None:
    """The answers to the batch before were on their way when the worker gave it back."""
    lane, puppet, (first, second, third) = stuck
    answer(lane, [first.id])
    assert second.stage is Stage.RUNNING
    clock.advance(0.8)
    fourth = desk.submit()
    assert puppet.ids[2:] == [[third.id, fourth.id]], "it is ahead of what is thought to run"
    lane.returned(lane.sent(second.id))
    assert [e.stage for e in (second, third, fourth)] == [Stage.QUEUED, *[Stage.RUNNING] * 2]
    answer(lane, [third.id, fourth.id])
    clock.advance(0.03)
    assert puppet.ids[3:] == [[second.id]]
    answer(lane, [second.id])
    assert desk.ended_ids == [first.id, third.id, fourth.id, second.id]
    assert desk.dispatcher.statistics().idle == 1


def test_what_came_back_and_was_thought_to_run_leaves_the_slot_idle(
    desk: Desk, stuck: tuple[Lane, Puppet, list[Entry]]
) -> None:
    lane, puppet, (first, second, third) = stuck
    desk.dispatcher.drop(third)
    answer(lane, [first.id])
    desk.dispatcher.drop(second)
    lane.returned(lane.sent(second.id))
    assert not lane.is_busy
    assert lane.sent(second.id) == []
    assert desk.dispatcher.statistics().idle == 1
    assert len(puppet.batches) == 2
    assert desk.ended_ids == [third.id, first.id, second.id]


def test_closed_slot_is_through_when_the_last_has_come_back(
    desk: Desk, stuck: tuple[Lane, Puppet, list[Entry]]
) -> None:
    lane, _, (first, second, _) = stuck
    idle: list[bool] = []
    lane.close(lambda: idle.append(True))
    answer(lane, [first.id])
    assert idle == []
    lane.returned(lane.sent(second.id))
    assert idle == [True]
    assert second.stage is Stage.QUEUED


def test_nothing_waits_when_what_was_ahead_has_begun_too(
    desk: Desk, stuck: tuple[Lane, Puppet, list[Entry]]
) -> None:
    """Else a shutdown would wait for ever, or not long enough."""
    lane, _, (first, _, third) = stuck
    calls: list[int] = []
    desk.dispatcher.on_drained = lambda: calls.append(desk.dispatcher.statistics().queued)
    desk.dispatcher.drop(third)
    assert calls == []
    answer(lane, [first.id])
    assert calls == [0]


def test_what_came_back_keeps_its_place(desk: Desk, clock: FakeClock) -> None:
    puppets = Puppet(), Puppet()
    lanes = [desk.dispatcher.open_lane(p, IN_EIGHTS, in_order=True) for p in puppets]
    teach(desk, 0.0, 1.1)
    running = [desk.submit(), desk.submit()]
    clock.advance(0.8)
    ahead = [desk.submit()]
    clock.advance(0.001)
    ahead.append(desk.submit())
    assert [entry.stage for entry in ahead] == [Stage.SENT, Stage.SENT]
    clock.advance(2.0)
    waiting = desk.submit()
    for lane, puppet in zip(lanes, puppets, strict=True):
        lane.returned(lane.sent(puppet.recalled[0][0]))
    last = Puppet()
    desk.dispatcher.open_lane(last, IN_EIGHTS)
    assert last.ids == [[entry.id for entry in (*ahead, waiting)][: len(last.ids[0])]]
    assert desk.ended == []
    assert all(entry.stage is Stage.RUNNING for entry in running)


# Company


class Soon:
    """What an event loop does after the events that are being handled."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []

    def __call__(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def run(self) -> None:
        callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            callback()


@pytest.fixture
def soon(desk: Desk, clock: FakeClock) -> Soon:
    soon = Soon()
    desk.dispatcher = Dispatcher(Limits(100, 10**6), clock, clock.call_at, soon)
    return soon


def test_requests_that_arrive_together_are_one_batch(desk: Desk, soon: Soon) -> None:
    puppet = Puppet()
    desk.dispatcher.open_lane(puppet, IN_EIGHTS)
    entries = [desk.submit() for _ in range(3)]
    assert puppet.ids == []
    soon.run()
    assert puppet.ids == [[entry.id for entry in entries]]


def test_without_batching_all_who_arrive_together_begin_together(desk: Desk, soon: Soon) -> None:
    puppets = Puppet(), Puppet(), Puppet()
    for puppet in puppets:
        desk.dispatcher.open_lane(puppet)
    waited: list[int] = []
    desk.dispatcher.on_waiting = lambda: waited.append(desk.dispatcher.statistics().queued)
    desk.submit(), desk.submit()
    soon.run()
    assert sorted(len(puppet.batches) for puppet in puppets) == [0, 1, 1]
    assert waited == []
    desk.submit(), desk.submit()
    soon.run()
    assert [len(puppet.batches) for puppet in puppets] == [1, 1, 1]
    assert waited == [1]


def test_who_leaves_in_the_turn_it_came_in_is_never_run(desk: Desk, soon: Soon) -> None:
    puppet = Puppet()
    desk.dispatcher.open_lane(puppet, IN_EIGHTS)
    gone, stays = desk.submit(), desk.submit()
    desk.dispatcher.drop(gone)
    soon.run()
    assert puppet.ids == [[stays.id]]
    assert desk.ended_ids == [gone.id]


def test_those_who_come_in_one_turn_have_one_instant(
    desk: Desk, soon: Soon, clock: FakeClock
) -> None:
    desk.dispatcher.open_lane(Puppet(), IN_EIGHTS)
    first = desk.submit()
    clock.advance(0.001)
    second = desk.submit()
    soon.run()
    assert first.queued_at == second.queued_at < first.started_at
    assert desk.dispatcher.turn_at() == clock()


def test_what_comes_late_in_a_batch_is_sent_ahead_before_its_turn_ends(
    desk: Desk, soon: Soon, clock: FakeClock
) -> None:
    puppet = Puppet()
    desk.dispatcher.open_lane(puppet, IN_EIGHTS, in_order=True)
    teach(desk, 0.0, 1.1)  # a batch of one: 1.1 s
    first = desk.submit()
    soon.run()
    clock.advance(0.8)
    second = desk.submit()
    assert puppet.ids == [[first.id], [second.id]]
    soon.run()
    assert puppet.ids == [[first.id], [second.id]]


def test_many_callers_of_a_quick_model_are_two_groups(desk: Desk, soon: Soon) -> None:
    """One is answered and asks again while the other is predicted."""
    desk.dispatcher = Dispatcher(Limits(1000, 10**6), desk.clock, desk.clock.call_at, soon)
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet, BatchLimits(requests=256))
    teach(desk, 0.0003, 0.00001)
    for _ in range(128):
        desk.submit()
    soon.run()
    for _ in range(3):
        answer(lane, puppet.ids[-1])
        for _ in puppet.ids[-2]:
            desk.submit()
        soon.run()
    assert [len(batch) for batch in puppet.batches] == [64, 64, 64, 64]


def three_answered_and_one_waiting(desk: Desk, soon: Soon) -> tuple[Puppet, Entry]:
    """A model whose batches cost 20 ms whatever their size, and a slot that is just through."""
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet, IN_EIGHTS)
    teach(desk, 0.02, 0.0005)
    first = [desk.submit().id for _ in range(3)]
    soon.run()
    straggler = desk.submit()
    answer(lane, first)
    return puppet, straggler


def test_slow_batch_waits_for_the_callers_it_has_answered(
    desk: Desk, soon: Soon, clock: FakeClock
) -> None:
    puppet, straggler = three_answered_and_one_waiting(desk, soon)
    assert len(puppet.batches) == 1, "they come back at once"
    back = [desk.submit().id for _ in range(3)]
    soon.run()
    assert puppet.ids[1:] == [[straggler.id, *back]]


def test_slow_batch_does_not_wait_for_callers_who_stay_away(
    desk: Desk, soon: Soon, clock: FakeClock
) -> None:
    puppet, straggler = three_answered_and_one_waiting(desk, soon)
    clock.advance(0.003)
    assert puppet.ids[1:] == [[straggler.id]]


def test_lone_caller_is_never_kept_waiting(desk: Desk, soon: Soon, clock: FakeClock) -> None:
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet, IN_EIGHTS)
    teach(desk, 0.02, 0.0005)
    desk.dispatcher.batch_done(1, 0.0205, 4)
    for _ in range(3):
        entry = desk.submit()
        soon.run()
        assert puppet.ids[-1] == [entry.id]
        answer(lane, [entry.id])


@pytest.mark.parametrize(
    ("each_s", "at_once", "sizes"),
    [(0.1, 2, [3, 2]), (0.1, 1, [5]), (0.1, 9, [2, 2, 1]), (0.0001, 9, [5])],
)
def test_idle_slots_that_have_cores_divide_what_costs_much(
    desk: Desk, soon: Soon, each_s: float, at_once: int, sizes: list[int]
) -> None:
    puppets = Puppet(), Puppet(), Puppet()
    for puppet in puppets:
        desk.dispatcher.open_lane(puppet, IN_EIGHTS)
    teach(desk, 0.001, each_s)
    desk.dispatcher.company.at_once = at_once
    for _ in range(5):
        desk.submit()
    soon.run()
    batches = [batch for puppet in puppets for batch in puppet.batches]
    assert sorted(map(len, batches), reverse=True) == sizes


def test_no_second_batch_where_cores_are_used_up_and_company_pays(
    desk: Desk, soon: Soon, clock: FakeClock
) -> None:
    puppets = Puppet(), Puppet()
    for puppet in puppets:
        desk.dispatcher.open_lane(puppet, IN_EIGHTS)
    teach(desk, 0.001, 0.00001)
    desk.dispatcher.company.at_once = 1
    first = desk.submit()
    soon.run()
    waiting = desk.submit()
    soon.run()
    assert puppets[0].ids + puppets[1].ids == [[first.id]]
    clock.advance(0.0045)
    assert waiting.stage is Stage.RUNNING, "not for long"


def test_much_larger_request_goes_alone(desk: Desk) -> None:
    puppet = Puppet()
    desk.dispatcher.open_lane(Puppet())
    teach(desk, 0.001, 0.00001)
    desk.submit()
    waiting = [desk.submit(), desk.submit(body=LARGE), desk.submit(), desk.submit()]
    lane = desk.dispatcher.open_lane(puppet, IN_EIGHTS)
    for _ in range(3):
        answer(lane, puppet.ids[-1])
    small, large, *others = [entry.id for entry in waiting]
    assert puppet.ids == [[small], [large], others]


def test_nobody_is_held_for_a_slot_that_runs_something_large(
    desk: Desk, soon: Soon, clock: FakeClock
) -> None:
    puppets = Puppet(), Puppet()
    for puppet in puppets:
        desk.dispatcher.open_lane(puppet, IN_EIGHTS)
    teach(desk, 0.001, 0.00001)
    desk.dispatcher.company.at_once = 1
    desk.submit(body=LARGE)
    soon.run()
    small = desk.submit()
    soon.run()
    assert small.stage is Stage.RUNNING


def test_what_large_ones_take_is_not_what_usual_ones_cost(
    desk: Desk, soon: Soon, clock: FakeClock
) -> None:
    """Else a quick model would seem to have slow batches, and small requests wait for company."""
    puppets = Puppet(), Puppet()
    lanes = [desk.dispatcher.open_lane(puppet, IN_EIGHTS) for puppet in puppets]
    teach(desk, 0.0, 0.002)
    for _ in range(8):
        desk.submit(body=LARGE)
        soon.run()
        clock.advance(0.06)
        for lane, puppet in zip(lanes, puppets, strict=True):
            if lane.is_busy:
                answer(lane, puppet.ids[-1])
    assert not desk.dispatcher.company.may_linger
    assert desk.dispatcher.cost.fit() == pytest.approx((0.0, 0.002))


def test_nobody_is_refused_while_a_slot_is_idle(desk: Desk, soon: Soon, clock: FakeClock) -> None:
    desk.dispatcher = Dispatcher(Limits(1, 10_000), clock, clock.call_at, soon)
    puppets = Puppet(), Puppet()
    for puppet in puppets:
        desk.dispatcher.open_lane(puppet, IN_EIGHTS)
    teach(desk, 0.001, 0.00001)
    desk.dispatcher.company.at_once = 1
    entries = []
    for _ in range(3):
        entries.append(desk.submit())
        soon.run()
    assert [entry.stage for entry in entries] == [Stage.RUNNING, Stage.RUNNING, Stage.QUEUED]


# Admission without a snapshot


@given(
    queue_limit=st.integers(0, 5),
    limit_bytes=st.integers(0, 50),
    waiting=st.integers(0, 5),
    pace_s=st.one_of(st.none(), st.floats(0.01, 5.0)),
    remaining_s=st.floats(0.0, 20.0),
    idle=st.integers(0, 1),
)
def test_common_cases_are_decided_as_the_rule_says(
    queue_limit: int,
    limit_bytes: int,
    waiting: int,
    pace_s: float | None,
    remaining_s: float,
    idle: int,
) -> None:
    clock = FakeClock()
    desk = Desk(clock, queue_limit=100, queue_limit_bytes=1000)
    limits = Limits(queue_limit, limit_bytes)
    lane = desk.dispatcher.open_lane(Puppet())
    if not idle:
        desk.submit()
        for _ in range(waiting):
            desk.submit(body=b"x" * 10)
    if pace_s is not None:
        desk.dispatcher.batch_done(1, pace_s, 4)
    desk.dispatcher._limits = limits
    queued = desk.dispatcher.statistics().queued
    pace = None if pace_s is None else desk.dispatcher.pace.drained_per_s(1)
    deadline = clock.now + remaining_s
    load = Load(queued, 10 * queued, int(not lane.is_busy), pace)
    expected = limits.decide(load, deadline - clock.now)
    try:
        desk.dispatcher.check_nowait(deadline)
    except RejectedError:
        assert expected is not None
    else:
        assert expected is None


def two_slots(desk: Desk) -> tuple[list[Puppet], list[Lane]]:
    puppets = [Puppet(), Puppet()]
    limits = BatchLimits(requests=64)
    return puppets, [desk.dispatcher.open_lane(one, limits, in_order=True) for one in puppets]


def test_expensive_batches_are_equal(desk: Desk, clock: FakeClock) -> None:
    puppets, lanes = two_slots(desk)
    busy = [desk.submit() for _ in range(2)]
    teach(desk, 1.0, 0.1)
    waiting = [desk.submit().id for _ in range(10)]
    for lane, entry in zip(lanes, reversed(busy), strict=True):
        answer(lane, [entry.id])
    clock.advance(0.01)  # nobody comes back
    # Twelve are there, and two slots.
    assert puppets[0].ids[1:] == [waiting[:6]]
    assert puppets[1].ids[1:] == [waiting[6:]]


def test_cheap_batches_are_as_large_as_they_come(desk: Desk) -> None:
    puppets, lanes = two_slots(desk)
    busy = [desk.submit() for _ in range(2)]
    teach(desk, 0.004, 0.0)
    waiting = [desk.submit().id for _ in range(10)]
    answer(lanes[0], [busy[1].id])
    assert puppets[0].ids[1:] == [waiting]


def test_expensive_batches_are_sent_ahead_only_whole(desk: Desk, clock: FakeClock) -> None:
    puppets, lanes = two_slots(desk)
    first = [desk.submit() for _ in range(2)]
    teach(desk, 1.0, 0.1)
    more = [desk.submit().id for _ in range(8)]
    answer(lanes[0], [first[1].id])
    answer(lanes[1], [first[0].id])
    clock.advance(0.01)
    assert [puppet.ids[1:] for puppet in puppets] == [[more[:5]], [more[5:]]]
    clock.advance(1.2)
    late = [desk.submit() for _ in range(7)]
    assert {entry.stage for entry in late} == {Stage.QUEUED}
    clock.advance(0.001)
    late.append(desk.submit())  # half of the sixteen that are there
    assert {entry.stage for entry in late} == {Stage.SENT}
