"""A real ``pelton serve`` in a process of its own, as tests see it: asked, watched, ended.

Every process that comes of it carries a tag in its environment, so that one left over is found
whatever became of its parents. Nothing here waits a fixed time: ``until`` polls a condition, with
a limit that only a broken server reaches.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

LIMIT_S = 120.0
"""When a test gives up waiting for what must happen."""

_TAG = "ENDPOINT_UNDER_TEST"
_URL = re.compile(r"(?:server\.listening url=|\"url\": \")(http://[^\s\"]+)")

T = TypeVar("T")


def until(condition: Callable[[], T | None], what: str, limit_s: float = LIMIT_S) -> T:
    """Return the first true value of ``condition``.

    Raises:
        AssertionError: there was none within the limit.
    """
    give_up_at = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < give_up_at, f"not within {limit_s:g} s: {what}"
        time.sleep(0.02)
    return value


def together(*calls: Callable[[], object]) -> None:
    """Run each in a thread of its own, and wait for all.

    Raises:
        BaseException: what the first of them that failed has raised.
    """
    with ThreadPoolExecutor(len(calls)) as threads:
        for running in [threads.submit(call) for call in calls]:
            running.result()


@dataclass(frozen=True)
class Process:
    """A process of an endpoint; ``state`` is that of ``/proc``, Z for one that has ended."""

    pid: int
    name: str
    state: str


def environment(**variables: str) -> dict[str, str]:
    """This process's variables without those that would change how a model is served."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.lstrip("_").startswith(("MLFLOW_", "PELTON_", "DATABRICKS_", "SERVING_MODEL"))
    }
    return {**inherited, **variables}


def pelton(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a pelton command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "pelton", *arguments],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


class Endpoint:
    """One server. As a context manager it is ready inside, and gone without a trace after.

    Args:
        model: what to serve.
        arguments: flags of ``pelton serve``.
        variables: environment variables.
        await_ready: whether to wait for readiness, or only until it listens.
    """

    def __init__(
        self,
        model: Path | str,
        *arguments: str,
        variables: Mapping[str, str] | None = None,
        await_ready: bool = True,
    ) -> None:
        self._arguments = [str(model), "--env", "local", *arguments]
        self._tag = uuid.uuid4().hex
        self._variables = environment(**{_TAG: self._tag, **(variables or {})})
        self._await_ready = await_ready
        self._exits = contextlib.ExitStack()
        self._was_ended = False

    def __enter__(self) -> Self:
        self.folder = Path(self._exits.enter_context(tempfile.TemporaryDirectory()))
        self._log_path = self.folder / "log"
        command = [sys.executable, "-m", "pelton", "serve", *self._arguments]
        with self._log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", "0"],
                cwd=self.folder,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.url: str = until(self._listens, "the server listens")
            self.port = int(self.url.rpartition(":")[2])
            self._clients = threading.local()
            self._threads = ThreadPoolExecutor(256)
            self._exits.callback(self._threads.shutdown, wait=False)
            if self._await_ready:
                self.until_ready()
        except BaseException:
            self._destroy()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is not None:
                print(self.log())
            elif not self._was_ended:
                assert self.end() == 0, self.log()
            self.until_gone()
        finally:
            self._destroy()

    # Asking

    @property
    def client(self) -> httpx.Client:
        """The calling thread's own, with a new connection for every request.

        One for all threads may close a connection that one of them has just begun to ask over
        (``httpcore`` 1.0 calls it idle, then closes it): that request fails with EBADF.
        """
        if not hasattr(self._clients, "client"):
            self._clients.client = self._exits.enter_context(
                httpx.Client(
                    base_url=self.url,
                    timeout=LIMIT_S,
                    limits=httpx.Limits(max_keepalive_connections=0),
                    verify=False,  # it is plain HTTP: no certificates to load
                )
            )
        return self._clients.client

    def ask(self, json: Any = None, **options: Any) -> httpx.Response:
        """POST /invocations, of which ``options`` are those of ``httpx``."""
        if json is not None:
            options["json"] = json
        return self.client.post("/invocations", **options)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def later(self, json: Any = None, **options: Any) -> Future[httpx.Response]:
        """Ask in a thread."""
        return self._threads.submit(self.ask, json, **options)

    # Watching

    def log(self) -> str:
        return self._log_path.read_text(errors="replace")

    def until_log(self, pattern: str) -> re.Match[str]:
        """Return the first place where ``pattern`` stands in the log."""
        return until(lambda: re.search(pattern, self.log(), re.MULTILINE), f"log: {pattern}")

    def until_ready(self) -> None:
        until(self.is_ready, "the server is ready")

    def is_ready(self) -> bool:
        assert self.process.poll() is None, f"the server has ended:\n{self.log()}"
        try:
            return self.get("/v2/health/ready").status_code == 200
        except httpx.TransportError:  # ending, perhaps
            return False

    def processes(self) -> list[Process]:
        """Every live process that comes of this server, the server itself included."""
        return [process for process in _tagged(self._tag) if process.state != "Z"]

    def workers(self) -> dict[str, int]:
        """Process ids of the workers by name; what a model has started is none."""
        return {
            process.name: process.pid
            for process in self.processes()
            if re.fullmatch(r"worker-\d+", process.name) and _leads_session(process.pid)
        }

    def worker(self) -> int:
        """Process id of the only worker, once there is one."""

        def only() -> int | None:
            pids = list(self.workers().values())
            return pids[0] if len(pids) == 1 else None

        return until(only, "one worker")

    def fork_server(self) -> int:
        """Process id of the process that forks workers."""
        (pid,) = (p.pid for p in self.processes() if re.fullmatch(r"worker-\d+-fork", p.name))
        return pid

    def metric(self, name: str, **labels: str) -> float:
        """The value of one series of /metrics, summed over the labels not given; 0 without it."""
        total = 0.0
        for line in self.get("/metrics").text.splitlines():
            series, _, value = line.rpartition(" ")
            if re.fullmatch(re.escape(name) + r"(\{.*\})?", series) and all(
                f'{label}="{text}"' in series for label, text in labels.items()
            ):
                total += float(value)
        return total

    # Ending

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.send_signal(number)
        return self.until_ended()

    def until_ended(self) -> int:
        """Return the exit status, once the server has ended."""
        self._was_ended = True
        return self.process.wait(LIMIT_S)

    def until_gone(self) -> None:
        """Return once no process is left of the server.

        Raises:
            AssertionError: one is left.
        """
        try:
            until(lambda: not self.processes(), "no process is left", 30.0)
        except AssertionError as error:
            raise AssertionError(f"left over: {self.processes()}\n{self.log()}") from error

    def _listens(self) -> str | None:
        assert self.process.poll() is None, f"the server has ended:\n{self.log()}"
        found = _URL.search(self.log())
        return found[1] if found else None

    def _destroy(self) -> None:
        for process in _tagged(self._tag):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self.process.wait()
        self._exits.close()


def _tagged(tag: str) -> Iterator[Process]:
    needle = f"{_TAG}={tag}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if needle not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            stat = (entry / "stat").read_text()
        except OSError:  # ended meanwhile, or another user's
            continue
        name, _, rest = stat.partition("(")[2].rpartition(")")
        yield Process(int(entry.name), name, rest.split()[0])


def _leads_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False
