"""Ctrl-C: the first ends the measurement and keeps what there is, the second ends everything."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pelton.errors import PeltonError

T = TypeVar("T")


class Interrupted(PeltonError):
    """Stopped before anything was measured."""

    code = "INTERRUPTED"


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """Wait for what cannot be half done, unless stopped first: then it is cancelled.

    Raises:
        Interrupted: stopped.
    """
    async with asyncio.TaskGroup() as tasks:
        stopping = tasks.create_task(stop.wait())
        working = asyncio.ensure_future(work)
        try:
            await asyncio.wait({stopping, working}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not working.done():
                working.cancel()
                await asyncio.wait({working})
    if working.cancelled():
        raise Interrupted("stopped before anything was measured")
    return working.result()


def loop_run(main: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> tuple[T, bool]:
    """Run on a fast event loop; the first Ctrl-C sets the event given to ``main``.

    Returns:
        What ``main`` returned, and whether it was interrupted.

    Raises:
        Interrupted: there was a second Ctrl-C.
    """
    try:
        import uvloop

        factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    except ImportError:
        factory = asyncio.new_event_loop

    async def with_signals() -> tuple[T, bool]:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None

        def interrupt() -> None:
            if stop.is_set():
                task.cancel()  # what is open is closed on the way out: no server stays behind
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
        return await main(stop), stop.is_set()

    with asyncio.Runner(loop_factory=factory) as runner:
        try:
            return runner.run(with_signals())
        except asyncio.CancelledError:
            raise Interrupted("stopped") from None
