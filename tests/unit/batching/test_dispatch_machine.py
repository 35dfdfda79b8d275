"""Promise 3 as a state machine: every admitted entry ends exactly once, whatever happens."""

from __future__ import annotations

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from tests.unit.puppet import OK, Desk, FakeClock, Puppet

from pelton.batching.entry import Entry, Stage
from pelton.batching.lane import Lane
from pelton.batching.policy import BatchLimits
from pelton.errors import Draining, NotReady, RejectedError, WorkerCrashed


class Worker:
    """A lane, its puppet, and what the puppet has been given and not answered yet."""

    def __init__(self, desk: Desk, limits: BatchLimits, in_order: bool) -> None:
        self.puppet = Puppet()
        self.limits = limits
        self.in_order = in_order
        self.is_closed = self.is_failed = False
        self.idle_calls = 0
        self.batches: list[list[int]] = []
        self.returning: list[int] = []
        """The batch that it has given back; the lane has not heard of it."""
        self._began_before: list[int] | None = None
        self._seen = 0
        self.lane: Lane = desk.dispatcher.open_lane(self.puppet, limits, in_order=in_order)

    @property
    def unanswered(self) -> list[int]:
        """What is left of the batch that runs, and may be answered now."""
        batch = self.batches[0] if self.batches else []
        return [] if self.returning and batch is not self._began_before else batch

    @property
    def may_give_back(self) -> bool:
        """Whether it was asked for a batch that it has not begun."""
        firsts = [batch[0] for batch in self.puppet.recalled]
        waiting = self.batches[1:]
        return not self.returning and bool(waiting) and waiting[0][0] in firsts

    def give_back(self) -> None:
        """It will not begin the batch that waits."""
        self._began_before = self.batches[0]
        self.returning = self.batches.pop(1)

    def answer(self, id: int) -> None:
        """The puppet answers ``id``."""
        self.batches[0].remove(id)
        if not self.batches[0]:
            del self.batches[0]

    def new_batches(self) -> list[list[Entry]]:
        """Return the batches that came since the last call."""
        batches = self.puppet.batches[self._seen :]
        self._seen = len(self.puppet.batches)
        return batches


class DispatcherMachine(RuleBasedStateMachine):
    workers = Bundle("workers")

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.desk = Desk(self.clock, queue_limit=6, queue_limit_bytes=400)
        self.dispatcher = self.desk.dispatcher
        self.admitted: list[Entry] = []
        self.all_workers: list[Worker] = []
        self.started: list[int] = []
        self.refusing = False

    # What happens

    @initialize(target=workers, each_s=st.sampled_from([0.0, 0.5]), lanes=st.integers(0, 2))
    def begin(self, each_s: float, lanes: int) -> object:
        """Have slots, and have it known what batches cost: else nothing is sent ahead."""
        for requests in (1, 2, 3) * 4 if each_s else ():
            self.dispatcher.batch_done(requests, requests * each_s, 20 * requests)
        return multiple(*[self.open_lane(3, 1000, True) for _ in range(lanes)])

    @rule(
        target=workers,
        requests=st.integers(1, 3),
        body_bytes=st.sampled_from([50, 1000]),
        in_order=st.booleans(),
    )
    def open_lane(self, requests: int, body_bytes: int, in_order: bool) -> object:
        if sum(not w.is_closed and not w.is_failed for w in self.all_workers) >= 4:
            return multiple()
        worker = Worker(self.desk, BatchLimits(requests, body_bytes), in_order)
        self.all_workers.append(worker)
        self._look()
        return worker

    @rule(timeout_s=st.sampled_from([0.5, 2.0, 30.0]), body=st.sampled_from([0, 20, 90]))
    def submit(self, timeout_s: float, body: int) -> None:
        before = self.dispatcher.statistics()
        try:
            entry = self.desk.submit(timeout_s=timeout_s, body=b"x" * body)
        except RejectedError:
            assert before == self.dispatcher.statistics(), "a refused entry leaves no trace"
            assert self.refusing or before.idle == 0, "an idle slot never refuses"
        else:
            assert not self.refusing
            self.admitted.append(entry)
        self._look()

    @rule(several=st.integers(1, 5))
    def submit_several_when_a_slot_may_be_sent_more(self, several: int) -> None:
        due_at = self.dispatcher.ahead.due_at
        if self.clock.now < due_at < math.inf:
            self.clock.advance(due_at - self.clock.now)
        for _ in range(several):
            self.submit(30.0, 20)

    @precondition(lambda self: any(w.lane.has_ahead for w in self.all_workers))
    @rule()
    def a_batch_takes_long(self) -> None:
        self.clock.advance(4.0)
        self._look()

    @precondition(lambda self: any(w.unanswered for w in self.all_workers))
    @rule(data=st.data(), cancelled=st.booleans())
    def answer(self, data: st.DataObject, cancelled: bool) -> None:
        worker = data.draw(st.sampled_from([w for w in self.all_workers if w.unanswered]))
        id = data.draw(st.sampled_from(worker.unanswered))
        worker.answer(id)
        worker.lane.answered([(id, None if cancelled else OK)])
        self._look()

    @rule(worker=workers, id=st.integers(1, 50))
    def answer_nonsense(self, worker: Worker, id: int) -> None:
        if not any(id in batch for batch in worker.batches):
            before = self.desk.ended_ids
            worker.lane.answered([(id, OK)])
            assert before == self.desk.ended_ids

    @rule(worker=consumes(workers))
    def fail_lane(self, worker: Worker) -> None:
        self._fail(worker)

    def _fail(self, worker: Worker) -> None:
        worker.is_failed = True
        ahead = [e.id for e in self.admitted if e.stage is Stage.SENT and e.lane is worker.lane]
        worker.batches = []
        worker.returning = []
        ended = self.desk.ended_ids
        self.started = [id for id in self.started if id not in ahead or id in ended]
        worker.lane.fail(WorkerCrashed("gone"))
        assert not set(ahead) & set(self.desk.ended_ids[len(ended) :]), "they had not begun"
        self._look()

    @precondition(lambda self: any(w.may_give_back for w in self.all_workers))
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from([w for w in self.all_workers if w.may_give_back])).give_back()

    @precondition(lambda self: any(w.returning for w in self.all_workers))
    @rule(data=st.data())
    def hear_of_what_came_back(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from([w for w in self.all_workers if w.returning]))
        returned, worker.returning = worker.returning, []
        ended = self.desk.ended_ids
        self.started = [id for id in self.started if id not in returned or id in ended]
        worker.lane.returned(worker.lane.sent(returned[0]))
        assert ended == self.desk.ended_ids, "coming back is no end"
        self._look()

    @rule(worker=consumes(workers))
    def close_lane(self, worker: Worker) -> None:
        def on_idle() -> None:
            worker.idle_calls += 1

        worker.is_closed = True
        worker.lane.close(on_idle)
        self._look()

    @precondition(lambda self: any(w.is_closed and not w.is_failed for w in self.all_workers))
    @rule(data=st.data())
    def fail_a_closed_lane(self, data: st.DataObject) -> None:
        closed = [w for w in self.all_workers if w.is_closed and not w.is_failed]
        self._fail(data.draw(st.sampled_from(closed)))

    @precondition(lambda self: self.admitted)
    @rule(data=st.data())
    def client_leaves(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.admitted[-12:]))
        self.dispatcher.drop(entry)
        assert entry.is_done
        self._look()

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.6, 4.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self._look()

    @rule()
    def time_passes_but_the_timer_is_late(self) -> None:
        self.clock.now += 1.0

    @rule(refuse=st.booleans())
    def refuse(self, refuse: bool) -> None:
        self.refusing = refuse
        self.dispatcher.refuse_with((lambda: NotReady("no")) if refuse else None)

    @rule()
    def reject_queued(self) -> None:
        stages = [entry.stage for entry in self.admitted]
        rejected = self.dispatcher.reject_queued(lambda: Draining("leaving"))
        assert stages.count(Stage.QUEUED) == rejected
        assert self.dispatcher.statistics().queued == stages.count(Stage.SENT)
        self._look()

    def _look(self) -> None:
        """Take note of the batches that the last step started."""
        statistics = self.dispatcher.statistics()
        if statistics.idle and statistics.queued:  # may wait for company, but not for long
            self.clock.advance(0.04)
        order = {entry.id: place for place, entry in enumerate(self.admitted)}
        for worker in self.all_workers:
            for batch in worker.new_batches():
                assert len(worker.batches) <= worker.in_order, "a lane was given too many batches"
                assert not worker.is_failed
                assert 1 <= len(batch) <= worker.limits.requests
                worker.batches.append([entry.id for entry in batch])
                self.started += worker.batches[-1]
                # `submit` runs before the entry is noted as admitted: it is the newest then.
                places = [order.get(entry.id, len(order)) for entry in batch]
                assert sorted(places) == places, "a batch keeps the order of the queue"
                for entry in batch:
                    assert entry.started_at < entry.deadline, "what is late never runs"
                waiting = [e for e in self.admitted if e.stage is Stage.QUEUED]
                assert all(order[e.id] > max(places) for e in waiting), "first come, first served"

    # What always holds

    @invariant()
    def every_entry_ends_at_most_once(self) -> None:
        ended = self.desk.ended_ids
        assert len(set(ended)) == len(ended)
        assert {e.id for e in self.admitted if e.is_done} == set(ended)

    @invariant()
    def every_entry_runs_at_most_once(self) -> None:
        assert len(set(self.started)) == len(self.started)

    @invariant()
    def counts_are_true(self) -> None:
        waiting = [e for e in self.admitted if e.stage in (Stage.QUEUED, Stage.SENT)]
        statistics = self.dispatcher.statistics()
        assert len(waiting) == statistics.queued
        assert sum(len(e.body) for e in waiting) == statistics.queued_bytes
        lanes = [w for w in self.all_workers if not w.is_failed and not w.is_closed]
        assert len(lanes) == statistics.lanes
        assert sum(w.lane.is_busy for w in lanes) == statistics.running
        assert len(lanes) == statistics.idle + statistics.running
        if statistics.idle:
            stages = [entry.stage for entry in self.admitted]
            assert Stage.QUEUED not in stages, "nothing waits while a slot is idle"

    @invariant()
    def a_slot_is_busy_while_the_worker_is(self) -> None:
        for worker in self.all_workers:
            if worker.returning:  # until it hears of it, the lane may think that it runs
                continue
            assert bool(worker.unanswered) == worker.lane.is_busy
            if worker.is_closed:
                assert int(not worker.lane.is_busy) == worker.idle_calls

    @invariant()
    def a_batch_is_cancelled_at_most_once(self) -> None:
        for worker in self.all_workers:
            firsts = [batch[0] for batch in worker.puppet.cancelled]
            assert len(set(firsts)) == len(firsts)
            assert set(firsts) <= {batch[0].id for batch in worker.puppet.batches}

    def teardown(self) -> None:
        """Past every deadline nothing waits, and every slot that runs has been told to stop."""
        self.clock.advance(100.0)
        assert {e.id for e in self.admitted} == set(self.desk.ended_ids)
        assert len(self.admitted) == len(self.desk.ended)
        for worker in self.all_workers:
            if worker.lane.is_busy and not worker.returning:
                left = set(worker.unanswered)
                running = next(ids for ids in reversed(worker.puppet.ids) if left <= set(ids))
                assert running in worker.puppet.cancelled
        for entry in self.admitted:
            assert (entry.answer is None) or (entry.error is None)


class BusyMachine(DispatcherMachine):
    """The same with little else than requests and answers: much is sent ahead, and comes back."""

    refuse = reject_queued = close_lane = answer_nonsense = None  # type: ignore[assignment]

    @initialize(target=DispatcherMachine.workers)
    def begin(self) -> object:  # type: ignore[override]
        return DispatcherMachine.begin(self, 0.5, 2)

    def submit(self, timeout_s: float, body: int) -> None:
        DispatcherMachine.submit(self, timeout_s, body)


DispatcherMachine.TestCase.settings = settings(
    max_examples=120, stateful_step_count=40, derandomize=True, deadline=None
)
TestDispatcher = DispatcherMachine.TestCase
BusyMachine.TestCase.settings = settings(DispatcherMachine.TestCase.settings, max_examples=400)
TestBusyDispatcher = BusyMachine.TestCase
