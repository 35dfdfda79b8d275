"""What a closed loop does before it counts."""

from __future__ import annotations

import asyncio

from tests.integration.bench.puppet import Puppet, answer

from pelton.bench.load import Load
from pelton.bench.request import Body, Mix, Request
from pelton.bench.tally import Tally
from pelton.bench.target import Target


async def load_with_lead(
    puppet: Puppet, stop: asyncio.Event, tally: Tally, *, lead_s: float
) -> tuple[float, list[int]]:
    """Return for how long was counted, and how many requests had come when the count began."""
    target = Target.parse(puppet.url)
    mix = Mix([Request(target, Body(b"[1]"))])
    begun: list[int] = []
    async with asyncio.TaskGroup() as tasks:
        load = Load(target, mix, tasks, connections=4, timeout_s=10.0, stop=stop)
        counted_s = await load.run_closed(
            4, 0.5, tally, lead_s=lead_s, on_counting=lambda: begun.append(puppet.requests)
        )
        load.close()
    return counted_s, begun


def test_what_comes_before_the_count_is_not_counted_and_nothing_is_lost() -> None:
    async def main() -> None:
        tally = Tally()
        async with Puppet() as puppet:
            counted_s, begun = await load_with_lead(puppet, asyncio.Event(), tally, lead_s=0.5)
            assert counted_s == 0.5
            assert len(begun) == 1
            assert begun[0] > 4  # they went on asking before
            assert tally.bad == 0
            assert 0 < tally.in_window <= tally.good == tally.sent
            assert tally.good + begun[0] <= puppet.requests + 4  # those were under way

    asyncio.run(main())


def test_one_that_is_stopped_before_it_counts_has_counted_nothing() -> None:
    async def main() -> None:
        tally, stop = Tally(), asyncio.Event()

        async def stopping(number: int, body: bytes) -> bytes:
            if number == 20:
                stop.set()
            return answer()

        async with Puppet(stopping) as puppet:
            counted_s, begun = await load_with_lead(puppet, stop, tally, lead_s=30.0)
        assert (counted_s, begun, tally.sent, tally.good) == (0.0, [], 0, 0)

    asyncio.run(main())
