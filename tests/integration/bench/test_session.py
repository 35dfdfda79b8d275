"""Sessions against a server that behaves as each test wants."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest
from tests.integration.bench.puppet import Puppet, answer

from pelton.bench.arrival import Arrivals
from pelton.bench.request import Body, Mix, Request
from pelton.bench.session import Options, Session, TargetError
from pelton.bench.slo import Objective
from pelton.bench.step import ClosedStep, OpenStep, Step, StepResult
from pelton.bench.tally import Interval, Tally
from pelton.bench.target import Target


class Silent:
    """A display that keeps only the remarks."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def begin(self, step: Step, title: str) -> None: ...

    def interval(self, interval: Interval, tally: Tally) -> None: ...

    def end(self, result: StepResult) -> None: ...


def session_for(
    url: str,
    bodies: Sequence[bytes] = (b"[1]", b"[2]"),
    stop: asyncio.Event | None = None,
    **options: Any,
) -> Session:
    target = Target.parse(url)
    mix = Mix([Request(target, Body(body)) for body in bodies])
    chosen = Options(**{"warm_up_s": 0.0, "ceiling_s": 0.0, "timeout_s": 10.0, **options})
    return Session(target, mix, chosen, Silent(), stop or asyncio.Event())


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(main)


def constant(rate: float, duration_s: float) -> OpenStep:
    return OpenStep(Arrivals(rate, rate, duration_s, poisson=False))


def test_every_request_of_both_loops_is_accounted_for() -> None:
    async def main() -> None:
        async with Puppet() as puppet:
            session = session_for(puppet.url)
            await session.run([constant(200, 0.5), ClosedStep(4, 0.3)], None)
            opened, closed = session.steps
            assert opened.tally.sent == opened.tally.good == 100
            assert closed.tally.sent == closed.tally.good > 4
            learnt = 4  # two requests, each twice
            assert puppet.requests == learnt + opened.tally.sent + closed.tally.sent

    run(main())


def test_a_stall_shows_in_an_open_loop_and_hides_in_a_closed_one() -> None:
    """A stall of one second: due meanwhile were 50 requests; a single caller asks once."""

    async def main() -> None:
        stalled = asyncio.Event()
        until = 0.0

        async def behave(number: int, body: bytes) -> bytes:
            nonlocal until
            if stalled.is_set():
                now = asyncio.get_running_loop().time()
                until = until or now + 1.0
                await asyncio.sleep(max(0.0, until - now))
            return answer()

        async with Puppet(behave) as puppet:
            session = session_for(puppet.url)
            loop = asyncio.get_running_loop()
            slow = []
            for step in (constant(50, 2.0), ClosedStep(1, 2.0)):
                stalled.clear()
                until = 0.0
                loop.call_later(0.5, stalled.set)
                await session.run([step], None)
                latency = session.steps[-1].tally.latency
                slow.append(round(sum(n for edge, n in latency.buckets() if edge > 0.3)))
            assert slow[0] >= 30
            assert slow[1] < slow[0] / 5

    run(main())


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(answer(b"{}", 429), "429"), (answer(b"{}", 500), "500"), (None, "reset"), (b"?", "reset")],
)
def test_errors_have_classes(reply: bytes | None, kind: str) -> None:
    async def behave(number: int, body: bytes) -> bytes | None:
        if number < 4 or number % 2:
            return answer()
        return reply if reply != b"?" else b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxyz"

    async def main() -> None:
        async with Puppet(behave) as puppet:
            session = session_for(puppet.url)
            await session.run([constant(100, 0.4), ClosedStep(2, 0.2)], None)
            for step in session.steps:
                assert step.tally.errors.keys() == {kind}
                assert step.tally.good > 0
                assert step.tally.sent == step.tally.good + step.tally.bad

    run(main())


def test_a_request_that_takes_too_long_has_failed() -> None:
    never = asyncio.Event()

    async def behave(number: int, body: bytes) -> bytes:
        if number == 4:
            await never.wait()
        return answer()

    async def main() -> None:
        async with Puppet(behave) as puppet:
            session = session_for(puppet.url, timeout_s=0.5)
            await session.run([constant(100, 0.3)], None)
            tally = session.steps[0].tally
            assert tally.errors["timeout"] >= 1
            assert tally.sent == tally.good + tally.bad == 30

    run(main())


def test_requests_without_a_free_connection_wait_and_that_counts() -> None:
    async def behave(number: int, body: bytes) -> bytes:
        await asyncio.sleep(0.1)
        return answer()

    async def main() -> None:
        async with Puppet(behave) as puppet:
            session = session_for(puppet.url, connections=1)
            await session.run([constant(40, 0.5)], None)
            latency = session.steps[0].tally.latency
            assert latency.total == 20
            assert latency.max_s > 1.0  # the last one waited for nineteen others

    run(main())


def test_an_answer_that_changes_under_load_is_wrong() -> None:
    async def behave(number: int, body: bytes) -> bytes:
        mine = body if number % 5 else b"[3]"  # now and then another caller's answer
        return answer(b'{"predictions": %b}' % (body if number < 4 else mine))

    async def main() -> None:
        async with Puppet(behave) as puppet:
            session = session_for(puppet.url)
            await session.run([constant(100, 0.5)], None)
            tally = session.steps[0].tally
            assert tally.errors["wrong"] == 10
            assert any("differ" in note for note in session.notes)

    run(main())


def test_answers_that_never_repeat_are_not_checked() -> None:
    async def behave(number: int, body: bytes) -> bytes:
        return answer(b"[%d]" % number)

    async def main() -> None:
        async with Puppet(behave) as puppet:
            session = session_for(puppet.url)
            await session.run([constant(100, 0.2)], None)
            assert session.steps[0].tally.errors == {}
            assert any("not checked" in note for note in session.notes)

    run(main())


def test_a_target_that_changes_is_noticed() -> None:
    async def behave(number: int, body: bytes) -> bytes:
        return answer(b"[1]", 200, f"served-model-name: m-{1 + number // 20}")

    async def main() -> None:
        async with Puppet(behave) as puppet:
            session = session_for(puppet.url)
            await session.run([constant(100, 0.3)], None)
            assert any("m-1, m-2 answered" in note for note in session.notes)

    run(main())


def test_a_target_that_is_down_is_said_so() -> None:
    async def main() -> None:
        async with Puppet() as puppet:
            url = puppet.url
        with pytest.raises(TargetError, match="cannot be reached"):
            await session_for(url).run([constant(10, 0.1)], None)

    run(main())


def test_a_target_that_refuses_the_request_is_quoted() -> None:
    async def behave(number: int, body: bytes) -> bytes:
        return answer(b'{"error_code": "BAD_REQUEST"}', 400)

    async def main() -> None:
        async with Puppet(behave) as puppet:
            with pytest.raises(TargetError, match=r"answers 400 .*BAD_REQUEST"):
                await session_for(puppet.url).run([constant(10, 0.1)], None)

    run(main())


def test_a_target_that_says_nothing_is_given_up() -> None:
    async def behave(number: int, body: bytes) -> bytes:
        await asyncio.Event().wait()
        return b""

    async def main() -> None:
        async with Puppet(behave) as puppet:
            with pytest.raises(TargetError, match="did not answer within 300 ms"):
                await session_for(puppet.url, timeout_s=0.3).run([constant(10, 0.1)], None)

    run(main())


def test_a_target_that_goes_away_ends_the_run_with_what_there_is() -> None:
    async def main() -> None:
        async with Puppet() as puppet:

            async def behave(number: int, body: bytes) -> bytes:
                if number == 60:
                    puppet.stop()
                return answer()

            puppet.behave = behave
            session = session_for(puppet.url)
            steps = [constant(100, 1.0), constant(100, 0.2), constant(100, 30.0)]
            await session.run(steps, Objective(99, 0.05))
            first, second = session.steps
            assert first.tally.good >= 50
            assert second.tally.errors.keys() == {"connect"}
            assert any("went away" in note for note in session.notes)

    run(main())


def test_stopping_keeps_what_was_measured() -> None:
    async def main() -> None:
        stop = asyncio.Event()

        async def behave(number: int, body: bytes) -> bytes:
            if number == 50:
                stop.set()
            return answer()

        async with Puppet(behave) as puppet:
            session = session_for(puppet.url, stop=stop)
            await session.run([constant(100, 60.0), ClosedStep(2, 60.0)], None)
            (step,) = session.steps
            assert step.tally.good >= 40
            assert step.sent_s < 60
            assert step.tally.sent == step.tally.good + step.tally.bad
            assert any("stopped early" in note for note in session.notes)

    run(main())


def test_stopping_does_not_wait_for_a_stuck_server() -> None:
    async def main() -> None:
        stop, never = asyncio.Event(), asyncio.Event()

        async def behave(number: int, body: bytes) -> bytes:
            if number >= 8:
                stop.set()
                await never.wait()
            return answer()

        async with Puppet(behave) as puppet:
            session = session_for(puppet.url, stop=stop, timeout_s=600.0)
            await session.run([ClosedStep(4, 60.0)], None)
            tally = session.steps[0].tally
            assert tally.sent == tally.good + tally.bad

    run(main())


def test_an_objective_that_nothing_meets_is_said_so() -> None:
    async def behave(number: int, body: bytes) -> bytes:
        await asyncio.sleep(0.02)
        return answer()

    async def main() -> None:
        async with Puppet(behave) as puppet:
            session = session_for(puppet.url, probe_s=0.05, connections=64)
            await session.run([], Objective(50, 0.001))
            assert session.best is None
            assert any("no rate meets p50 ≤ 1 ms: alone" in note for note in session.notes)

    run(main())


def test_a_search_stops_at_the_generators_limit_and_says_so() -> None:
    async def main() -> None:
        async with Puppet() as puppet:
            session = session_for(puppet.url, probe_s=0.2, highest_rate=50.0)
            await session.run([], Objective(99, 5.0))
            assert session.best == 50.0
            assert session.is_confirmed
            assert any("generator's own limit" in note for note in session.notes)

    run(main())


def test_a_rate_that_cannot_be_reached_is_given_up_and_said_so() -> None:
    async def main() -> None:
        async with Puppet() as puppet:
            session = session_for(puppet.url, timeout_s=2.0)
            await session.run([constant(3_000_000, 0.3)], None)
            (step,) = session.steps
            assert step.tally.unsent > 0
            assert step.tally.sent == step.tally.good + step.tally.bad
            assert any("did not come round" in limit for limit in step.limits(None))
            assert any("the generator may have been" in note for note in session.notes)

    run(main())


def test_stages_are_read_from_the_answers() -> None:
    async def behave(number: int, body: bytes) -> bytes:
        return answer(b"[1]", 200, "Server-Timing: queue;dur=1.5, predict;dur=3, batch;desc=4")

    async def main() -> None:
        async with Puppet(behave) as puppet:
            session = session_for(puppet.url)
            await session.run([constant(100, 0.2)], None)
            stages = session.steps[0].tally.stages
            assert stages.stages["queue"].mean_s == pytest.approx(0.0015)
            assert stages.batch_sizes.keys() == {4}

    run(main())
