"""HTTP as bytes: requests no client library would send, answers as they came."""

from __future__ import annotations

import json
import re
import socket
from types import TracebackType
from typing import NamedTuple

from tests.e2e.endpoint import LIMIT_S


class Answer(NamedTuple):
    """An answer; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """One connection to a server on this machine."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        self._stream = self._socket.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._stream.close()
        self._socket.close()

    def send(self, *parts: bytes) -> None:
        self._socket.sendall(b"".join(parts))

    def finish(self) -> None:
        """Send no more."""
        self._socket.shutdown(socket.SHUT_WR)

    def answer(self) -> Answer:
        """Read the next answer."""
        line = self._stream.readline()
        match = re.match(rb"HTTP/1\.[01] (\d{3}) ", line)
        assert match, f"no answer, but {line!r}"
        headers: dict[str, str] = {}
        while text := self._stream.readline().decode("latin-1").strip():
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if match[1].startswith(b"1") else int(headers["content-length"])
        return Answer(int(match[1]), headers, self._stream.read(length))

    def is_closed(self) -> bool:
        """Wait until the server has closed the connection; False if it answers instead."""
        try:
            return self._stream.read(1) == b""
        except ConnectionResetError:
            return True


def body(fault: str, argument: float) -> bytes:
    """The body of a request for the model of faults."""
    rows = {"columns": ["fault", "argument"], "data": [[fault, argument]]}
    return json.dumps({"dataframe_split": rows}).encode()


def request(fault: str, argument: float, *headers: str, version: str = "1.1") -> bytes:
    """A request for the model of faults, whole."""
    payload = body(fault, argument)
    return post(f"Content-Length: {len(payload)}", *headers, version=version) + payload


def post(*headers: str, version: str = "1.1") -> bytes:
    """The head of a POST of JSON to /invocations, with just these headers besides."""
    lines = [
        f"POST /invocations HTTP/{version}",
        *("Host: test", "Content-Type: application/json", *headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; the empty one is the last."""
    return b"%x\r\n%s\r\n" % (len(data), data)
