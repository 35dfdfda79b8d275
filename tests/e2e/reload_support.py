"""Models whose loading a test controls, and load that notices every lost request."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from tests.e2e.endpoint import LIMIT_S, Endpoint
from tests.zoo import build

ROW = {"inputs": {"x": [1.0]}}
A, B = {"predictions": ["a"]}, {"predictions": ["b"]}

_WAIT_FOR_THE_GATE = """

import os, time
while not os.path.exists({gate!r}):
    time.sleep(0.05)
"""


@dataclass(frozen=True)
class Gated:
    """A copy of ``versioned-b`` that does not load before its gate is opened."""

    path: Path
    gate: Path

    def open(self) -> None:
        self.gate.touch()


def gated_model(folder: Path) -> Gated:
    path, gate = folder / "gated", folder / "gate"
    shutil.copytree(build("versioned-b"), path)
    with (path / "versioned.py").open("a") as code:
        code.write(_WAIT_FOR_THE_GATE.format(gate=str(gate)))
    return Gated(path, gate)


@dataclass
class Load:
    """What came of requests, by answer."""

    outcomes: Counter[str] = field(default_factory=Counter)

    def until_answered(self, many: int) -> None:
        """Return once ``many`` more answers have come."""
        wanted = sum(self.outcomes.values()) + many
        give_up_at = time.monotonic() + LIMIT_S
        while sum(self.outcomes.values()) < wanted:
            assert time.monotonic() < give_up_at, f"no answers come any more: {self.outcomes}"
            time.sleep(0.01)


@contextmanager
def load_on(endpoint: Endpoint, callers: int = 3) -> Iterator[Load]:
    """Ask again and again, over connections that are kept, until the end of the block."""
    load, stop = Load(), threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=endpoint.url, timeout=LIMIT_S) as client:
            while not stop.is_set():
                try:
                    answer = client.post("/invocations", json=ROW)
                    outcome = str(answer.json().get("predictions", answer.text))
                except httpx.HTTPError as error:
                    outcome = repr(error)
                load.outcomes[outcome] += 1
                stop.wait(0.005)

    threads = [threading.Thread(target=ask) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class Line:
    """A line to an HTTP server that can be cut and mended; ``uri`` is its near end."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        self._far = parts.hostname or "", parts.port or 80
        self._open: set[socket.socket] = set()
        self._is_cut = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Line:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def cut(self) -> None:
        """End every connection, and each new one at once."""
        self._is_cut = True
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._is_cut = False

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the end
            while True:
                near, _ = self._listening.accept()
                if self._is_cut:
                    near.close()
                    continue
                far = socket.create_connection(self._far)
                self._open |= {near, far}
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            self._open.discard(end)
        source.close()
