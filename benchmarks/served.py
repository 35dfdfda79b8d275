"""A server for the time of a ``with``: started, its answers checked against the model's, loaded."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from benchmarks.models.cache import bodies_path, model_path
from benchmarks.scenario import Scenario
from benchmarks.server import Launch, Launcher, as_bytes, flat
from pelton.bench.answer import Expectation, same
from pelton.bench.caller import Caller
from pelton.bench.child import Server as Child
from pelton.bench.child import free_port
from pelton.bench.load import Load
from pelton.bench.request import Body, Mix, Request
from pelton.bench.target import Target
from pelton.errors import PeltonError

_TIMEOUT_S: Final = 60.0
_RELATIVE: Final = 1e-4  # torch and LightGBM in float32, batched and not
_ABSOLUTE: Final = 1e-5


class WrongAnswer(PeltonError):
    """A server's answer is not the model's: nothing it does fast is worth a figure."""


class Served:
    """Starts a server and checks what it answers; stops it in the end.

    Args:
        launched: how to start it.
        scenario: its model and requests.
        cores: where it may run.

    Raises:
        ModelError: entered, it did not start.
        WrongAnswer: entered, it answers something else than the model.
    """

    def __init__(
        self,
        launched: Launcher,
        scenario: Scenario,
        cores: list[int],
    ) -> None:
        port = free_port()
        self._launch = launched(model_path(scenario.model), port, scenario)
        self._scenario = scenario
        self.child: Child = self._launch.child(port, cores)
        self.requests: list[Request] = []
        """With the answers that are expected, once they are checked."""

    @property
    def target(self) -> Target:
        """Where requests go."""
        return self.child.target

    async def __aenter__(self) -> Served:
        try:
            await self.child.start()
            await self._check()
        except BaseException:
            await self.child.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.child.stop()

    def load(
        self, tasks: asyncio.TaskGroup, *, connections: int, stop: asyncio.Event | None = None
    ) -> Load:
        """Return what sends the scenario's requests and compares the answers."""
        return Load(
            self.target,
            Mix(self.requests, self._scenario.rows),
            tasks,
            connections=connections,
            timeout_s=_TIMEOUT_S,
            stop=stop or asyncio.Event(),
        )

    async def _check(self) -> None:
        caller = Caller(self.target, timeout_s=_TIMEOUT_S)
        try:
            for line in bodies_path(self._scenario).read_text().splitlines():
                known = json.loads(line)
                request = self._request(known["request"])
                await self._expect(caller, request, known["response"]["predictions"])
                self.requests.append(request)
        finally:
            caller.close()

    def _request(self, known: Any) -> Request:
        """Return a request in the server's own form."""
        frame = known.get("dataframe_split")
        rows = len(frame["data"]) if frame else len(known["inputs"])
        return Request(self.target, Body(as_bytes(self._launch.translate(known)), rows))

    async def _expect(self, caller: Caller, request: Request, predictions: Any) -> None:
        """Compare an answer with the model's own; what is right is expected under load."""
        answer = await caller.call(request)
        if answer.status != 200:
            raise WrongAnswer(f"status {answer.status}: {answer.body[:300]!r}")
        expectation = Extracted(answer.body, self._launch)
        try:
            got = expectation.read(answer.body)
        except ValueError as error:
            raise WrongAnswer(f"no predictions in {answer.body[:300]!r}") from error
        expected = flat(predictions)
        if not same(got, expected, relative=_RELATIVE, absolute=_ABSOLUTE):
            raise WrongAnswer(f"{got[:8]} instead of {expected[:8]}")
        request.expectation = expectation


class Extracted(Expectation):
    """The right predictions, in whatever a server wraps them (a new id in each answer, say)."""

    def __init__(self, body: bytes, launch: Launch) -> None:
        self._extract = launch.extract
        super().__init__(body, relative=_RELATIVE, absolute=_ABSOLUTE)

    def read(self, body: bytes) -> list[Any]:
        try:
            return flat(self._extract(json.loads(body)))
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(f"not an answer of this server: {error!r}") from error
