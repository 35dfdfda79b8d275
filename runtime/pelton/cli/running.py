"""A running endpoint, as the commands that manage one reach it: over its HTTP API."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

EXIT_FAILED: Final = 1
EXIT_UNREACHABLE: Final = 3
EPILOG: Final = (
    "exit status: 0 done, 1 refused or failed (the endpoint serves what it served before),\n"
    "2 wrong usage, 3 no server answers at --url."
)
_ROOT: Final = "/api/2.0/serving-endpoints"
_REQUEST_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.2
_STARTING_S: Final = 30.0

Description = dict[str, Any]


class Unreachable(Exception):
    """Nothing answers at the URL as a pelton server would."""


class Refused(Exception):
    """The server answered with an error; the message is its own."""


class Running:
    """The endpoint of the server at ``url``.

    Args:
        url: ``http://host:port``.
        token: of the management API.
    """

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url if "//" in url else f"http://{url}"
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._name: str | None = None

    def describe(self) -> Description:
        """Return Databricks' description of the endpoint.

        Raises:
            Unreachable: nobody answers.
            Refused: the server does not answer this caller.
        """
        return self._call("GET", f"{_ROOT}/{self._find()}")

    def change(self, verb: str, **body: Any) -> Description:
        """Begin a change: "reload", "rollback" or "cancel"; returns the description after it.

        Raises:
            Unreachable: nobody answers.
            Refused: it cannot be done now.
        """
        return self._call("POST", f"{_ROOT}/{self._find()}/config:{verb}", body)

    def wait(
        self, on_progress: Callable[[Description], None], *, until_ready: bool = False
    ) -> Description:
        """Return the description once no update is in progress, and the endpoint is ready if asked.

        Raises:
            Unreachable: the server has gone meanwhile.
        """
        while True:
            found = self.describe()
            state = found["state"]
            settled = state["config_update"] != "IN_PROGRESS"
            if settled and (state["ready"] == "READY" or not until_ready):
                return found
            on_progress(found)
            time.sleep(_POLL_S)

    def _find(self) -> str:
        """A server has one endpoint; ask for its name once."""
        if self._name is None:
            endpoints = self._call("GET", _ROOT).get("endpoints")
            if not isinstance(endpoints, list) or not endpoints:
                raise Unreachable(f"What answers at {self._url} is no pelton server.")
            self._name = str(endpoints[0]["name"])
        return self._name

    def _call(self, method: str, path: str, body: Any = None) -> Description:
        give_up_at = time.monotonic() + _STARTING_S
        while True:
            status, found = self._exchange(method, path, body)
            if status == 503 and time.monotonic() < give_up_at:  # it listens before it can say more
                time.sleep(_POLL_S)
            elif status >= 400:
                raise Refused(found.get("message", found["error_code"]))
            else:
                return found

    def _exchange(self, method: str, path: str, body: Any) -> tuple[int, Description]:
        """Return the status and the JSON of one answer."""
        parts = urlsplit(self._url)
        if not parts.hostname or parts.scheme not in ("http", "https"):
            raise Unreachable(f"{self._url} is no URL of a server; write http://127.0.0.1:8080.")
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        headers = {**self._headers, "content-type": "application/json"}
        try:
            connection = kind(parts.hostname, parts.port, timeout=_REQUEST_TIMEOUT_S)
            try:
                payload = None if body is None else json.dumps(body)
                connection.request(method, parts.path.rstrip("/") + path, payload, headers)
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unreachable(
                f"No server answers at {self._url} ({reason}). Is `pelton serve` running there?"
                f" --url names another place."
            ) from error
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict) or (answer.status >= 400 and "error_code" not in found):
            raise Unreachable(
                f"What answers at {self._url} is no pelton server (status {answer.status})."
            )
        return answer.status, found


def add_connection(parser: argparse.ArgumentParser, *, wait: str) -> None:
    """Add the flags of every command that reaches a running endpoint."""
    parser.epilog = EPILOG
    parser.add_argument(
        "--url",
        default="http://127.0.0.1:8080",
        help="where the server listens (default: %(default)s)",
    )
    parser.add_argument(
        "--token", default=None, help="bearer token of the management API (default: PELTON_TOKEN)"
    )
    parser.add_argument("--wait", action="store_true", help=wait)
    parser.add_argument("--json", action="store_true", help="print the server's JSON")


def reach(args: argparse.Namespace, action: Callable[[Running], int]) -> int:
    """Run a command's action on the endpoint that its flags name; returns the exit status."""
    running = Running(args.url, args.token or os.environ.get("PELTON_TOKEN"))
    try:
        return action(running)
    except Unreachable as error:
        print(f"pelton: {error}", file=sys.stderr)
        return EXIT_UNREACHABLE
    except Refused as error:
        print(f"pelton: {error}", file=sys.stderr)
        return EXIT_FAILED


def finish(args: argparse.Namespace, running: Running, begun: Description) -> int:
    """Report an update that was begun, and with --wait its end; returns the exit status."""
    pending = begun.get("pending_config", {})
    if not args.wait:
        _report(args, begun, f"Revision {pending.get('config_version')} is being rolled out.")
        return 0
    ended = running.wait(Progress())
    number = pending.get("config_version")
    failed = ended.get("pending_config", {})
    if failed.get("config_version") == number:
        state = failed["served_entities"][0]["state"]
        _report(args, ended, f"Revision {number} was refused.")
        print(f"pelton: {state['deployment_state_message']}", file=sys.stderr)
        return EXIT_FAILED
    _report(args, ended, f"Revision {ended['config']['config_version']} serves.")
    return 0


def _report(args: argparse.Namespace, description: Description, text: str) -> None:
    print(json.dumps(description, indent=2) if args.json else text)


class Progress:
    """Prints how an update gets on, a line a change, on stderr."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, description: Description) -> None:
        """Print what is new."""
        pending = description.get("pending_config")
        if pending is None:
            return
        message = pending["served_entities"][0]["state"]["deployment_state_message"]
        line = f"revision {pending['config_version']}: {message}"
        if line != self._last:
            print(line, file=sys.stderr, flush=True)
            self._last = line
