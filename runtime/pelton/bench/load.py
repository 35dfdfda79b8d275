"""The load itself: a pool of connections, and requests sent through it on a schedule or in a loop.

Open loop: a request is due at its intended time whatever the server does; without a free connection
it waits here, and its latency runs all the same. Closed loop: so many callers, each sending when it
has its answer; a server that stalls stops being asked, which is why closed loops flatter.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Final

from pelton.bench.arrival import Arrivals
from pelton.bench.connection import Connection
from pelton.bench.pacer import Pacer
from pelton.bench.request import Mix, Request
from pelton.bench.tally import INTERVAL_S, Interval, Tally
from pelton.bench.target import Target
from pelton.compiled import Asker

_TICK_S: Final = 0.05
_RETRY_S: Final = 0.05  # a closed loop against a dead target would spin without it
_BURST: Final = 500  # sent in one go when late; answers must be read meanwhile
_OVERRUN_S: Final = 1.0  # a schedule that this process cannot keep is given up so long after it
_AFTER_STOP_S: Final = 1.0


class Load(Asker):
    """Connections to one target and the requests on them. Owned by one event loop.

    Args:
        target: where to.
        mix: which requests.
        tasks: owns the tasks that open connections.
        connections: most connections open at once.
        timeout_s: after so long from its intended time a request has failed.
        stop: set to end the step early; what has ended by then is kept.
        on_interval: called with each interval's line.
        clock: says what time it is, in seconds.
    """

    def __init__(
        self,
        target: Target,
        mix: Mix,
        tasks: asyncio.TaskGroup,
        *,
        connections: int,
        timeout_s: float,
        stop: asyncio.Event,
        on_interval: Callable[[Interval], None] = lambda interval: None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._clock = clock
        self._target = target
        self._tls = target.ssl_context()
        self._picks = mix.picks
        self._tasks = tasks
        self._limit = connections
        self._timeout_s = timeout_s
        self._stop = stop
        self._on_interval = on_interval
        self._connections: set[Connection] = set()
        self._opening = 0
        self._pause_s = 0.0
        self._idle: list[Connection] = []
        self._backlog: deque[tuple[float, Request]] = deque()
        self._busy = 0
        self._again = None
        self._asking_until = 0.0
        self._tally: Tally = Tally()
        self._window_end = 0.0

    async def run_open(self, arrivals: Arrivals, tally: Tally) -> float:
        """Send on a schedule, then wait for what is outstanding.

        Returns:
            Seconds from the start to the end of the schedule (less when stopped early).
        """
        self._tally, self._again = tally, None
        start = self._clock() + 0.02
        self._window_end = start + arrivals.duration_s
        times = arrivals.times()
        due = next(times, None)
        sent_all = asyncio.Event()

        def release() -> None:
            nonlocal due
            now = self._clock()
            if due is not None and now > start + arrivals.duration_s + _OVERRUN_S:
                tally.unsent = 1 + sum(1 for _ in times)
                due = None
            for _ in range(_BURST):
                if due is None or start + due > now:
                    break
                tally.late.append(now - start - due)
                self._fire(start + due)
                due = next(times, None)
            if due is None or self._stop.is_set():
                sent_all.set()
            else:
                pacer.arm(start + due)

        pacer = Pacer(asyncio.get_running_loop(), release)
        try:
            release()
            return await self._watch(start, arrivals.duration_s, lambda: sent_all.is_set())
        finally:
            pacer.close()

    async def run_closed(
        self,
        concurrency: int,
        duration_s: float,
        tally: Tally,
        *,
        pause_s: float = 0.0,
        lead_s: float = 0.0,
        on_counting: Callable[[], None] = lambda: None,
    ) -> float:
        """Keep ``concurrency`` callers busy, then wait for their last answers.

        Args:
            concurrency: how many.
            duration_s: how long they go on asking, and are counted.
            tally: the account.
            pause_s: how long a caller waits after an answer that was not right (a refusal, say).
            lead_s: how long they ask before that and are not counted: all begin at once, so the
                first answers are none of a loaded server's.
            on_counting: called when the count begins.

        Returns:
            Seconds for which requests were sent and counted.
        """
        loop = asyncio.get_running_loop()
        start = self._clock() + lead_s
        end = self._window_end = start + duration_s

        def count() -> None:
            self._tally = tally
            tally.sent += self._busy + len(self._backlog)
            on_counting()

        timer: asyncio.TimerHandle | None = None
        if lead_s > 0:
            self._tally = Tally()
            timer = loop.call_later(lead_s, count)
        else:
            count()

        def again(after_s: float) -> None:
            now = self._clock()
            if now >= self._asking_until or self._stop.is_set():
                return
            if after_s <= 0:
                self._fire(now)
            else:
                loop.call_later(after_s, again, 0.0)

        self._again, self._pause_s, self._asking_until = again, pause_s, end
        self._limit = max(self._limit, concurrency)
        for _ in range(concurrency):
            self._fire(self._clock())
        try:
            return await self._watch(start, duration_s, lambda: self._clock() >= end)
        finally:
            self._again, self._asking_until = None, 0.0
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        """Cut every connection; nothing is counted any more."""
        self._tally, self._again, self._asking_until = Tally(), None, 0.0
        self._backlog.clear()
        for connection in list(self._connections):
            connection.abort()
        self._connections.clear()
        self._idle.clear()

    # -- one request -----------------------------------------------------------------------

    def _fire(self, intended: float) -> None:
        self._tally.sent += 1
        request = next(self._picks)
        if self._idle:
            self._busy += 1
            self._idle.pop().send(request, intended)  # last in, first out: the rest may idle away
        else:
            self._backlog.append((intended, request))
            self._grow()

    def answered(self, connection: Connection, status: int, head: bytes, body: bytes) -> None:
        """Judge an answer and use the connection again.

        A usual one (see ``Wire``) has been judged, counted and followed by the next request there.
        """
        now = self._clock()
        request, connection.request = connection.request, None
        assert request is not None
        latency_s = now - connection.intended
        expectation = request.expectation
        tally = self._tally
        pause_s = self._pause_s
        if not 200 <= status < 300:
            tally.fail(str(status), latency_s, body)
        elif expectation is None or expectation.met_by(body):
            tally.succeed(latency_s, head, request.rows, now < self._window_end)
            pause_s = 0.0
        else:
            tally.fail("wrong", latency_s, body)
        self._busy -= 1
        if connection.is_open:
            self._use(connection)
        else:
            self._forget(connection)
        if self._again is not None:
            self._again(pause_s)

    def lost(self, connection: Connection, request: Request | None) -> None:
        """Account for a connection that ended under a request, or while idle."""
        if request is not None:
            self._busy -= 1
            self._tally.fail("reset", self._clock() - connection.intended)
        elif connection in self._idle:
            self._idle.remove(connection)
        self._forget(connection)
        if request is not None and self._again is not None:
            self._again(_RETRY_S)

    def _use(self, connection: Connection) -> None:
        if self._backlog:
            intended, request = self._backlog.popleft()
            self._busy += 1
            connection.send(request, intended)
        else:
            self._idle.append(connection)

    def _forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._grow()

    # -- connections -----------------------------------------------------------------------

    def _grow(self) -> None:
        room = self._limit - len(self._connections) - self._opening
        if room > 0 and self._opening < len(self._backlog):
            self._opening += 1
            self._tasks.create_task(self._connect())

    async def _connect(self) -> None:
        target = self._target
        try:
            async with asyncio.timeout(self._timeout_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self), target.host, target.port, ssl=self._tls
                )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            self._opening -= 1
            if self._backlog:
                self._backlog.popleft()
                self._tally.fail("connect", None, str(error).encode())
                if self._again is not None:
                    self._again(_RETRY_S)
            self._grow()
            return
        self._opening -= 1
        if connection.is_open:
            self._connections.add(connection)
            self._use(connection)
        self._grow()

    # -- the step --------------------------------------------------------------------------

    async def _watch(self, start: float, duration_s: float, is_sent: Callable[[], bool]) -> float:
        """Sweep time-outs and close intervals until all is sent and everything has ended."""
        next_line = start + INTERVAL_S
        sending_s = duration_s
        stopped_at: float | None = None
        while True:
            now = self._clock()
            self._sweep(now)
            if self._stop.is_set() and stopped_at is None:
                stopped_at, self._asking_until = now, 0.0
                sending_s = max(0.0, min(duration_s, now - start))
                self._tally.sent -= len(self._backlog)
                self._backlog.clear()
            if now >= next_line:
                self._line(now - start)
                next_line = max(next_line + INTERVAL_S, now)
            outstanding = self._busy + len(self._backlog)
            if (stopped_at is not None or is_sent()) and not outstanding:
                break
            if stopped_at is not None and now - stopped_at > _AFTER_STOP_S:
                self._tally.sent -= self._abandon()
                break
            await asyncio.sleep(_TICK_S)
        self._line(self._clock() - start)
        return sending_s

    def _line(self, at_s: float) -> None:
        self._on_interval(self._tally.close_interval(at_s, self._busy, len(self._backlog)))

    def _sweep(self, now: float) -> None:
        limit = now - self._timeout_s
        while self._backlog and self._backlog[0][0] < limit:
            intended, _ = self._backlog.popleft()
            self._time_out(now - intended)
        for connection in [c for c in self._connections if c.intended < limit and c.request]:
            connection.abort()
            self._busy -= 1
            self._forget(connection)
            self._time_out(now - connection.intended)

    def _time_out(self, after_s: float) -> None:
        self._tally.fail("timeout", after_s)
        if self._again is not None:
            self._again(self._pause_s)

    def _abandon(self) -> int:
        abandoned = 0
        for connection in [c for c in self._connections if c.request]:
            connection.abort()
            self._connections.discard(connection)
            self._busy -= 1
            abandoned += 1
        return abandoned
