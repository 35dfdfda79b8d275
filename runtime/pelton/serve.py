"""``pelton serve``: the only place that wires front end and supervisor together."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from pelton import platform
from pelton.admission.limits import Limits
from pelton.batching.dispatch import Dispatcher
from pelton.channel.bodies import SharedBodies
from pelton.errors import (
    EnvironmentError_,
    ModelError,
    ModelUriError,
    NotReady,
    PeltonError,
    WarmupFailed,
)
from pelton.frontend.app import build_app
from pelton.frontend.exchange import Desk
from pelton.frontend.invocations import Invocations
from pelton.frontend.lane import protocol_class
from pelton.frontend.management.access import Access
from pelton.frontend.management.logs import LogRing
from pelton.frontend.management.routes import Management
from pelton.frontend.server import HttpServer, bind
from pelton.settings import Settings
from pelton.telemetry.access import AccessLog
from pelton.telemetry.logging import kv
from pelton.telemetry.metrics import Metrics

log = logging.getLogger("pelton.serve")

EXIT_CONFIG = 2
EXIT_LOAD_FAILED = 3
EXIT_WARMUP_FAILED = 4
_GC_OBJECTS = 50_000  # more than the requests in flight have
_TIDY_S = 2.0  # between looks at the memory of large bodies
_KEPT_BYTES = 64 * 1024 * 1024  # a few of the largest bodies
_QUIET_S = 0.2
_LONGEST_QUIET_S = 1.5


def serve(settings: Settings, model_uri: str, on_ready: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status.

    Args:
        settings: everything.
        model_uri: what to serve.
        on_ready: called with the base URL once requests are answered.
    """
    new_loop = None
    with contextlib.suppress(ImportError):
        import uvloop

        new_loop = uvloop.new_event_loop
    settings = _prioritised(settings)
    with _cores(settings.workers.cores), asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_serve(settings, model_uri, on_ready))


def _prioritised(settings: Settings) -> Settings:
    """Have the front end, which is this thread, go before others, if it is to; returns what holds.

    Not on one core: whatever the kernel does beside us for our connections would wait for us.
    """
    if settings.workers.priority == "usual":
        return settings
    if platform.usable_cores() < 2:
        why = {"reason": "there is only one core to use"}
    elif platform.run_in_real_time(True):
        return settings
    else:
        why = {
            "reason": "this system does not permit real time",
            "next": "start it with CAP_SYS_NICE or a limit (ulimit -r) of 1; docs/docker.md",
        }
    log.warning("server.priority_usual %s", kv(**why))
    return replace(settings, workers=replace(settings.workers, priority="usual"))


@contextlib.contextmanager
def _cores(how: str) -> Iterator[None]:
    """Give the front end, which is this thread, its core, if it is to have one."""
    if how == "shared":
        yield
        return
    with platform.own_core() as is_apart:
        if not is_apart:
            log.warning("server.cores_shared %s", kv(reason="there is only one core to use"))
        yield


async def _serve(settings: Settings, model_uri: str, on_ready: Callable[[str], None]) -> int:
    started = time.monotonic()
    asyncio.get_running_loop().set_default_executor(
        ThreadPoolExecutor(initializer=platform.send_away, initargs=(0,))
    )
    metrics = Metrics()
    access_log = AccessLog(
        enabled=settings.telemetry.access_log, as_json=settings.telemetry.log_json
    )
    dispatcher = Dispatcher(
        Limits(settings.admission.queue_limit, settings.admission.queue_limit_bytes),
        time.monotonic,
        call_soon=asyncio.get_running_loop().call_soon,
    )
    sock = bind(settings.http.host, settings.http.port)
    host, port = sock.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    served = _Loading()
    dispatcher.refuse_with(lambda: NotReady(served.not_ready_reason, retry_after_s=1))
    bodies = SharedBodies.create()
    if bodies is None:
        log.info("server.bodies_are_copied %s", kv(reason="this system has no anonymous files"))
    desk = Desk(
        dispatcher,
        served,
        metrics,
        access_log,
        timeout_s=settings.admission.timeout,
        max_payload_bytes=settings.http.max_payload,
        bodies=bodies,
    )
    invocations = Invocations(desk, settings.http.body_timeout)
    management = Management(
        settings.entity.name, Access(settings.http.token), metrics, LogRing.attached()
    )
    app = build_app(invocations, served, metrics, settings.entity.name, management.routes())
    protocol = protocol_class(app, desk, settings.http.body_timeout)
    http = HttpServer(app, sock, settings.http.keep_alive, protocol)
    stop = asyncio.Event()
    signals = _Signals(stop)
    http_task = asyncio.ensure_future(http.run())
    await http.wait_started()
    log.info(
        "server.listening %s",
        kv(url=url, seconds=time.monotonic() - started, model=model_uri),
    )

    # The model side is imported only now, in a thread: liveness answers already.
    await asyncio.to_thread(importlib.import_module, "pelton.supervisor.endpoint")
    from pelton.supervisor.endpoint import ManagedEndpoint
    from pelton.supervisor.gauges import Gauges
    from pelton.supervisor.reaper import Reaper
    from pelton.supervisor.supervisor import Supervisor
    from pelton.supervisor.triggers import Triggers

    where = bodies.path if bodies is not None else ""
    supervisor = Supervisor(settings, model_uri, dispatcher, metrics, time.monotonic, where)
    metrics.add_collector(Gauges(supervisor, dispatcher, time.monotonic, bodies).collect)
    served.become(supervisor)
    management.managed = ManagedEndpoint(supervisor, time.monotonic)
    triggers = Triggers(supervisor, time.monotonic)
    signals.on_hangup = triggers.request_reload
    triggering = asyncio.ensure_future(triggers.run())
    triggering.add_done_callback(_triggers_ended)
    reaping = asyncio.ensure_future(Reaper(time.monotonic).run())
    tidying = asyncio.ensure_future(_tidy(bodies))

    def ready() -> None:
        _settle()
        log.info("server.ready %s", kv(url=url, seconds=time.monotonic() - started))
        on_ready(url)

    model_side = asyncio.ensure_future(supervisor.run(ready))
    stopping = asyncio.ensure_future(stop.wait())
    status = 0
    try:
        await asyncio.wait({model_side, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if model_side.done():
            status = _exit_status(model_side)
        else:
            await _shut_down(supervisor, http, settings, model_side, desk)
    finally:
        triggering.cancel()
        reaping.cancel()
        tidying.cancel()
        stopping.cancel()
        model_side.cancel()
        with contextlib.suppress(BaseException):
            await model_side
        http.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(6.0):
                await http_task
        access_log.flush()
        signals.restore()
        if bodies is not None:
            bodies.close()
    log.info("server.stopped %s", kv(status=status))
    return status


async def _tidy(bodies: SharedBodies | None) -> None:
    """Give the memory of large bodies back once a burst of them is over, for ever."""
    while bodies is not None:
        await asyncio.sleep(_TIDY_S)
        bodies.tidy()


def _settle() -> None:
    """Have the garbage collector leave alone what stays, and look seldom at what goes.

    Requests leave no reference cycles, but with more than a few in flight their objects would
    start a collection at every burst. And have malloc keep memory for the next large body: while
    its pages were found, everybody else would wait.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_OBJECTS, 50, 50)
    platform.keep_freed_memory(_KEPT_BYTES)


async def _shut_down(
    supervisor: object, http: HttpServer, settings: Settings, model_side: object, desk: Desk
) -> None:
    """Readiness off, drain, then stop listening once no request comes any more."""
    from pelton.supervisor.supervisor import Supervisor

    assert isinstance(supervisor, Supervisor)
    supervisor.begin_shutdown()
    log.info("server.draining %s", kv(limit_s=settings.workers.drain_timeout))
    await asyncio.sleep(settings.workers.drain_delay)
    await supervisor.stop(settings.workers.drain_timeout)
    # Callers with an open connection are told to close it by the answer to their next request;
    # closing on them while that request is on its way would lose it without an answer.
    began = time.monotonic()
    while time.monotonic() - began < _LONGEST_QUIET_S:
        seen = desk.seen
        await asyncio.sleep(_QUIET_S)
        if desk.seen == seen and not http.open_requests:
            break


def _exit_status(model_side: asyncio.Future[None]) -> int:
    """Return the exit status for a model side that ended by itself, having said why."""
    error = model_side.exception()
    if error is None:
        return 0
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, PeltonError):
        log.error("server.failed", exc_info=error)
        return 1
    log.error("server.failed %s", kv(code=error.code))
    sys.stderr.write(f"\npelton: {error}\n")
    if isinstance(error, WarmupFailed):
        return EXIT_WARMUP_FAILED
    if isinstance(error, (ModelError, ModelUriError, EnvironmentError_)):
        return EXIT_LOAD_FAILED
    return EXIT_CONFIG


class _Loading:
    """Stands for the supervisor until it is imported, and then for ever hands on to it."""

    def __init__(self) -> None:
        self._served: object | None = None

    def become(self, served: object) -> None:
        self._served = served

    @property
    def is_ready(self) -> bool:
        return bool(getattr(self._served, "is_ready", False))

    @property
    def not_ready_reason(self) -> str:
        return str(getattr(self._served, "not_ready_reason", "The server is starting."))

    @property
    def mlflow_version(self) -> str | None:
        version = getattr(self._served, "mlflow_version", None)
        return None if version is None else str(version)

    @property
    def served_entity_name(self) -> str:
        return str(getattr(self._served, "served_entity_name", "model"))


def _triggers_ended(triggering: asyncio.Future[None]) -> None:
    if not triggering.cancelled() and triggering.exception() is not None:
        log.error("triggers.failed", exc_info=triggering.exception())


class _Signals:
    """SIGTERM and SIGINT shut down; a second one kills. SIGHUP reloads.

    A terminal that is closed sends SIGHUP too, and means what it always meant, unless the server
    was started with ``nohup``.
    """

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        # Before there is anything that could be reloaded, there is no need to either.
        self.on_hangup: Callable[[], None] = lambda: log.info("reload.refused reason=starting")
        may_lose_terminal = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._needs_terminal = platform.has_terminal() and not may_lose_terminal
        self._loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._received, number)

    def _received(self, number: int) -> None:
        if self._stop.is_set():
            sys.stderr.write("pelton: second signal, leaving at once\n")
            # Workers die with us: the kernel kills them when our end of their lifeline closes.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
            os._exit(128 + number)  # process 1 of a container is immune to the default
        self._stop.set()

    def _hung_up(self) -> None:
        if self._needs_terminal and not platform.has_terminal():
            log.info("server.terminal_closed")
            self._stop.set()
        else:
            self.on_hangup()

    def restore(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self._loop.remove_signal_handler(number)
