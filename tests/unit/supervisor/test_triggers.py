"""A signal's reload waits for its turn, and nothing that is refused ends the triggers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from tests.unit.puppet import FakeClock
from tests.unit.supervisor.doubles import FakeRevisions, model, registered

from pelton.errors import UpdateConflict
from pelton.supervisor.revisions import Revisions
from pelton.supervisor.triggers import Triggers

ALIAS = "models:/fraud@champion"


def scenario(story: Callable[[FakeRevisions, Triggers], Awaitable[None]]) -> None:
    async def tell() -> None:
        revisions = FakeRevisions(registered(1, ALIAS, "fraud", "1"))
        triggers = Triggers(cast(Revisions, revisions), FakeClock())
        running = asyncio.ensure_future(triggers.run())
        await settle()
        await story(revisions, triggers)
        assert not running.done()
        running.cancel()

    asyncio.run(tell())


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_reload_at_once() -> None:
    async def story(revisions: FakeRevisions, triggers: Triggers) -> None:
        triggers.request_reload()
        await settle()
        assert revisions.begun == 1

    scenario(story)


def test_requests_during_an_update_are_one_reload_after_it() -> None:
    async def story(revisions: FakeRevisions, triggers: Triggers) -> None:
        revisions.begin_update()
        for _ in range(10):
            triggers.request_reload()
            await settle()
        assert revisions.begun == 1

        revisions.becomes_active(model(ALIAS, "models:/fraud/1", "fraud", "1"))
        await settle()
        assert revisions.begun == 2

        revisions.becomes_active(model(ALIAS, "models:/fraud/1", "fraud", "1"))
        await settle()
        assert revisions.begun == 2

    scenario(story)


def test_request_before_anything_serves_waits() -> None:
    async def story(revisions: FakeRevisions, triggers: Triggers) -> None:
        revisions.settled.clear()
        triggers.request_reload()
        await settle()
        assert revisions.begun == 0

    scenario(story)


def test_refused_reload_is_forgotten() -> None:
    async def story(revisions: FakeRevisions, triggers: Triggers) -> None:
        revisions.refusal = UpdateConflict("The server is shutting down.")
        triggers.request_reload()
        await settle()
        revisions.refusal = None
        await settle()
        assert revisions.begun == 0

    scenario(story)
