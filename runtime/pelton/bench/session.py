"""A run from its first request to its last: learn, warm up, step by step, search.

Partial results are results: whatever stops the run (Ctrl-C, a target that goes away), what was
measured until then is in :attr:`Session.steps`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any, Final, Protocol

from pelton.bench import quantity, scrape
from pelton.bench.answer import Expectation
from pelton.bench.arrival import Arrivals
from pelton.bench.caller import Answer, Caller
from pelton.bench.floor import Ceiling, measure_ceiling
from pelton.bench.interruption import unless
from pelton.bench.load import Load
from pelton.bench.request import Mix, Request
from pelton.bench.search import Search
from pelton.bench.slo import Objective
from pelton.bench.step import ClosedStep, OpenStep, Step, StepResult
from pelton.bench.tally import Interval, Tally
from pelton.bench.target import Target
from pelton.errors import PeltonError

_LEARN_S: Final = 15.0  # for the right answers; later requests of a large mix go unchecked
_SCRAPE_S: Final = 1.0
_WARM_UP_CONCURRENCY: Final = 4
_GUESS_CONCURRENCY: Final = 16
_CEILING_SHARE: Final = 0.7
_PROBE_LIMIT: Final = 6  # a probe is stretched for samples, up to so many times its duration


class TargetError(PeltonError):
    """The target cannot be measured: it is down, or does not answer what it is asked."""

    code = "TARGET_ERROR"


class Display(Protocol):
    """Who is told of the run's progress."""

    def note(self, text: str) -> None:
        """Take a remark that also stands in the report."""

    def begin(self, step: Step, title: str) -> None:
        """Hear that a step begins."""

    def interval(self, interval: Interval, tally: Tally) -> None:
        """Hear how it goes."""

    def end(self, result: StepResult) -> None:
        """Hear what came of it."""


@dataclass
class Options:
    """How to measure.

    Attributes:
        warm_up_s: load before the first step, not counted.
        timeout_s: after so long from its intended time a request has failed.
        connections: most connections at once.
        check: compare answers under load with the same request's answer alone.
        poisson: arrivals of the search.
        probe_s: length of one measurement of the search.
        ceiling_s: how long to measure the generator itself; 0 = not.
        highest_rate: the search goes no higher.
    """

    warm_up_s: float = 2.0
    timeout_s: float = 30.0
    connections: int = 256
    check: bool = True
    poisson: bool = True
    probe_s: float = 5.0
    ceiling_s: float = 1.0
    highest_rate: float = float("inf")


class Session:
    """One target, one mix of requests, measured step by step. Owned by one event loop.

    Args:
        target: where to.
        mix: which requests.
        options: how.
        display: told of progress.
        stop: set to end the run early.
        memory: called after each step for the served processes' memory.
    """

    def __init__(
        self,
        target: Target,
        mix: Mix,
        options: Options,
        display: Display,
        stop: asyncio.Event,
        memory: Callable[[], list[dict[str, Any]]] = list,
    ) -> None:
        self._target = target
        self._mix = mix
        self._options = options
        self._display = display
        self._stop = stop
        self._memory = memory
        self._server: dict[str, float] = {}
        self._tally = Tally()
        self.steps: list[StepResult] = []
        self.ceiling: Ceiling | None = None
        self.notes: list[str] = []
        self.best: float | None = None
        self.is_confirmed = False
        self.alone_s = float("nan")

    async def run(self, steps: Sequence[Step], objective: Objective | None) -> None:
        """Measure every step; with an objective, search for the highest rate meeting it as well.

        Raises:
            TargetError: the target does not answer at all.
        Interrupted: stopped before the first step.
        """
        answer = await unless(self._stop, self._learn())
        if self._options.ceiling_s > 0:
            self.ceiling = await unless(
                self._stop,
                measure_ceiling(
                    self._mix.requests[0].body, len(answer.body), self._options.ceiling_s
                ),
            )
        gc.collect()
        gc.freeze()  # a collection of all that is loaded would delay requests by milliseconds
        async with asyncio.TaskGroup() as tasks:
            load = Load(
                self._target,
                self._mix,
                tasks,
                connections=self._options.connections,
                timeout_s=self._options.timeout_s,
                stop=self._stop,
                on_interval=self._on_interval,
            )
            scraper = tasks.create_task(self._scrape()) if not self._target.tls else None
            try:
                if self._options.warm_up_s > 0 and not self._stop.is_set():
                    self._tally = Tally()
                    await load.run_closed(
                        _WARM_UP_CONCURRENCY, self._options.warm_up_s, self._tally
                    )
                for step in steps:
                    if not self._stop.is_set() and not self._is_gone():
                        await self._measure(load, step, step.title)
                if objective is not None and not self._is_gone():
                    await self._search(load, objective)
            finally:
                if scraper is not None:
                    scraper.cancel()
                load.close()
        self._remark()

    # -- before ----------------------------------------------------------------------------

    async def _learn(self) -> Answer:
        """Ask each distinct request alone, twice, and keep what is its right answer."""
        caller = Caller(self._target, timeout_s=self._options.timeout_s)
        first: Answer | None = None
        unsteady = unlearnt = 0
        begun = perf_counter()
        requests = self._mix.requests
        if not self._options.check:
            for request in requests:
                request.expectation = None
            requests = requests[:1]
        try:
            for request in requests:
                if first is not None and (self._stop.is_set() or perf_counter() - begun > _LEARN_S):
                    unlearnt += 1
                    continue
                answer = await self._ask(caller, request)
                first = first or answer
                if not self._options.check or request.expectation is not None:
                    continue  # not wanted, or a file said what is right
                expectation = Expectation(answer.body)
                asked = perf_counter()
                again = await self._ask(caller, request)
                self.alone_s = min(perf_counter() - asked, self.alone_s, key=_nan_last)
                if expectation.met_by(again.body):
                    request.expectation = expectation
                else:
                    unsteady += 1
        finally:
            caller.close()
        assert first is not None
        if unsteady:
            self._note(
                f"{unsteady} of {len(self._mix.requests)} requests are answered differently each "
                "time; their answers are not checked"
            )
        if unlearnt:
            self._note(f"the answers to {unlearnt} requests are not checked: too many to learn")
        if self._options.check and len(self._mix.requests) == 1:
            self._note(
                "one distinct request: an answer that went to the wrong caller would not be "
                "noticed; send different ones with --input FILE.jsonl or --generate"
            )
        return first

    async def _ask(self, caller: Caller, request: Request) -> Answer:
        try:
            answer = await caller.call(request)
        except TimeoutError as error:
            limit = quantity.show_duration(self._options.timeout_s)
            raise TargetError(f"{self._target.url} did not answer within {limit}") from error
        except OSError as error:
            raise TargetError(f"{self._target.url} cannot be reached: {error}") from error
        if not 200 <= answer.status < 300:
            said = answer.body[:300].decode("utf-8", "replace").strip()
            raise TargetError(f"{self._target.url} answers {answer.status} to a request: {said}")
        return answer

    # -- one step --------------------------------------------------------------------------

    async def _measure(self, load: Load, step: Step, title: str) -> StepResult:
        tally = self._tally = Tally()
        self._display.begin(step, title)
        cpu_before, begun = process_time(), perf_counter()
        if isinstance(step, OpenStep):
            sent_s = await load.run_open(step.arrivals, tally)
        else:
            sent_s = await load.run_closed(step.concurrency, step.duration_s, tally)
        cpu = (process_time() - cpu_before) / (perf_counter() - begun)
        result = StepResult(step, tally, sent_s, cpu, self._memory())
        self.steps.append(result)
        self._display.end(result)
        return result

    async def _search(self, load: Load, objective: Objective) -> None:
        options = self._options
        closed = ClosedStep(_GUESS_CONCURRENCY, options.probe_s)
        guess = (await self._measure(load, closed, f"guess, {closed.title}")).throughput
        if guess <= 0 and not self._stop.is_set():
            self._note("nothing was answered rightly: there is no rate to search for")
            return
        highest = options.highest_rate
        if self.ceiling is not None:
            highest = min(highest, self.ceiling.core_rate * _CEILING_SHARE)
        search = Search(guess * 0.8, highest)
        while not self._stop.is_set() and (rate := search.next_rate()) is not None:
            length = min(
                max(options.probe_s, objective.samples / rate), options.probe_s * _PROBE_LIMIT
            )
            arrivals = Arrivals(rate, rate, length, options.poisson, seed=search.tries + 1)
            step = OpenStep(arrivals)
            result = await self._measure(load, step, f"search, {step.title}")
            if not self._stop.is_set():
                search.observe(rate, met=objective.is_met(result.tally.latency, result.missed))
        self.best, self.is_confirmed = search.best, search.is_confirmed
        if self.best is None and not self._stop.is_set():
            self._note(
                f"no rate meets {objective}: alone, without load, a request takes "
                f"{quantity.show_duration(self.alone_s)}"
            )
        elif self.best is not None and self.best >= highest:
            self._note("the search ended at the generator's own limit, not at the target's")

    def _is_gone(self) -> bool:
        """Tell whether the last step found nobody at the other end any more."""
        if not self.steps or self.steps[-1].tally.good:
            return False
        errors = self.steps[-1].tally.errors
        gone = errors.total() > 0 and errors.keys() <= {"connect", "reset"}
        if gone:
            self._note("the target went away; the rest of the run was left out")
        return gone

    # -- beside ----------------------------------------------------------------------------

    def _on_interval(self, interval: Interval) -> None:
        interval.server = dict(self._server)
        self._display.interval(interval, self._tally)

    async def _scrape(self) -> None:
        caller = Caller(self._target, timeout_s=5.0)
        try:
            while True:
                answer = await caller.get("/metrics")
                if answer.status != 200 or b"\n# TYPE " not in b"\n" + answer.body:
                    return  # no metrics here; asking again would only disturb
                self._server = scrape.read(answer.body.decode("utf-8", "replace"))
                await asyncio.sleep(_SCRAPE_S)
        except (OSError, TimeoutError):
            return
        finally:
            caller.close()

    def _remark(self) -> None:
        """Note what a reader of the figures must know."""
        if self.steps:
            served_by = sorted({name for s in self.steps for name in s.tally.served_by})
            if len(served_by) > 1:
                self._note(f"the target changed during the run: {', '.join(served_by)} answered")
        wrong = sum(step.tally.errors["wrong"] for step in self.steps)
        if wrong:
            self._note(f"{wrong} answers under load differ from the same request's answer alone")
        with contextlib.suppress(ZeroDivisionError):
            limited = [s.step.title for s in self.steps if s.limits(self.ceiling)]
            if limited:
                self._note("the generator may have been the bottleneck at " + ", ".join(limited))
        if self._stop.is_set():
            self._note("stopped early: what follows is what was measured until then")

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self._display.note(text)


def _nan_last(value: float) -> float:
    return float("inf") if value != value else value
