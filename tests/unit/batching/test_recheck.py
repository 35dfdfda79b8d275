"""Slots that check an answer again once it has left: nobody is sent to them meanwhile."""

from __future__ import annotations

import pytest
from tests.unit.puppet import OK, Desk, FakeClock, Puppet

from pelton.batching.entry import Entry, Stage
from pelton.batching.lane import Lane
from pelton.batching.policy import BatchLimits
from pelton.errors import WorkerCrashed

IN_EIGHTS = BatchLimits(requests=8)


@pytest.fixture
def desk(clock: FakeClock) -> Desk:
    return Desk(clock)


def answer(lane: Lane, *entries: Entry) -> None:
    lane.answered([(entry.id, OK) for entry in entries])


@pytest.fixture
def ahead(desk: Desk, clock: FakeClock) -> tuple[Lane, Puppet, Entry, Entry]:
    """A slot that runs a request and will check it again, and the one that was sent ahead."""
    puppet = Puppet()
    lane = desk.dispatcher.open_lane(puppet, IN_EIGHTS, in_order=True)
    for requests in (1, 4, 2, 3) * 4:
        desk.dispatcher.batch_done(requests, requests * 1.1, 4 * requests)
    first = desk.submit()
    clock.advance(0.8)
    second = desk.submit()
    assert second.stage is Stage.SENT
    lane.rechecks(first.id)
    return lane, puppet, first, second


def test_another_idle_slot_is_preferred(desk: Desk) -> None:
    puppets = Puppet(), Puppet()
    lanes = [desk.dispatcher.open_lane(puppet) for puppet in puppets]
    first = desk.submit()
    checks = lanes[1]
    assert puppets[1].ids == [[first.id]]
    checks.rechecks(first.id)
    answer(checks, first)
    assert desk.ended == [first], "its caller does not wait for that"
    assert desk.dispatcher.statistics().running == 1
    second, third = desk.submit(), desk.submit()
    assert puppets[0].ids == [[second.id]]
    assert third.stage is Stage.QUEUED
    checks.through(first.id)
    assert puppets[1].ids == [[first.id], [third.id]]


def test_with_nothing_waiting_it_is_idle_afterwards(desk: Desk) -> None:
    lane = desk.dispatcher.open_lane(Puppet())
    entry = desk.submit()
    lane.rechecks(entry.id)
    answer(lane, entry)
    assert (lane.is_busy, desk.dispatcher.statistics().idle) == (True, 0)
    lane.through(77)  # of another batch: a timer that is late
    assert lane.is_busy
    lane.through(entry.id)
    lane.through(entry.id)
    assert (lane.is_busy, desk.dispatcher.statistics().idle) == (False, 1)


def test_it_may_be_through_before_its_answers_are_read(desk: Desk) -> None:
    lane = desk.dispatcher.open_lane(Puppet())
    entry = desk.submit()
    lane.rechecks(entry.id)
    lane.through(entry.id)
    answer(lane, entry)
    assert not lane.is_busy
    assert desk.dispatcher.statistics().idle == 1


def test_what_is_ahead_has_not_begun_until_it_is_through(
    ahead: tuple[Lane, Puppet, Entry, Entry], clock: FakeClock
) -> None:
    lane, _, first, second = ahead
    answer(lane, first)
    assert second.stage is Stage.SENT
    clock.advance(0.1)
    lane.through(first.id)
    assert (second.stage, second.started_at) == (Stage.RUNNING, clock.now)


def test_what_is_ahead_can_be_asked_for_meanwhile(
    desk: Desk, ahead: tuple[Lane, Puppet, Entry, Entry], clock: FakeClock
) -> None:
    lane, puppet, first, second = ahead
    answer(lane, first)
    other = Puppet()
    desk.dispatcher.open_lane(other, IN_EIGHTS)
    clock.advance(1.5)  # far longer than the 1.1 s expected
    assert puppet.recalled == [[second.id]]
    lane.returned(lane.sent(second.id))
    assert other.ids == [[second.id]]
    assert lane.is_busy
    lane.through(first.id)
    assert desk.dispatcher.statistics().idle == 1


def test_the_batch_ahead_may_be_announced_before_the_present_one_is_answered(
    desk: Desk, ahead: tuple[Lane, Puppet, Entry, Entry]
) -> None:
    """All of it in one read: what is no answer is looked at first."""
    lane, _, first, second = ahead
    lane.through(first.id)
    lane.rechecks(second.id)
    answer(lane, first, second)
    assert desk.ended == [first, second]
    assert lane.is_busy
    lane.through(second.id)
    assert not lane.is_busy


def test_leaving_does_not_wait_for_it(desk: Desk) -> None:
    lane = desk.dispatcher.open_lane(Puppet())
    entry = desk.submit()
    idle: list[bool] = []
    lane.rechecks(entry.id)
    lane.close(lambda: idle.append(True))
    answer(lane, entry)
    assert idle == [True]
    lane.through(entry.id)
    assert desk.dispatcher.statistics().idle == 0


def test_worker_may_die_of_it(desk: Desk, ahead: tuple[Lane, Puppet, Entry, Entry]) -> None:
    lane, _, first, second = ahead
    answer(lane, first)
    lane.fail(WorkerCrashed("gone"))
    assert second.stage is Stage.QUEUED
    assert not lane.is_busy
    lane.through(first.id)
    assert desk.dispatcher.statistics().idle == 0
