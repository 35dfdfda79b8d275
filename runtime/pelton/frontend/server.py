"""The HTTP server: uvicorn with uvloop and httptools, and signals left to ``serve``."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Literal

import uvicorn

from pelton.errors import ConfigError

_TICKS = 10  # uvicorn's, of 0.1 s, between two looks at idle connections


def bind(host: str, port: int) -> socket.socket:
    """Return a listening-ready socket.

    Raises:
        ConfigError: the address cannot be used; the message says who to ask.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Is another server running there?"
            f" Choose another --port (0 picks a free one)."
        ) from error
    sock.setblocking(False)
    return sock


class HttpServer:
    """A running uvicorn that knows nothing of signals.

    Args:
        app: the ASGI application.
        sock: a bound socket.
        keep_alive_s: an idle connection is closed after so many seconds.
        protocol: speaks HTTP on a connection.
    """

    def __init__(
        self,
        app: Any,
        sock: socket.socket,
        keep_alive_s: float,
        protocol: type[asyncio.Protocol] | Literal["httptools"] = "httptools",
    ) -> None:
        config = uvicorn.Config(
            app,
            loop="none",  # the loop runs already
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=int(keep_alive_s),
            timeout_graceful_shutdown=5,
            backlog=4096,
        )
        self._server = _Server(config)
        self._sock = sock

    async def run(self) -> None:
        """Serve until ``close``; returns once the last connection is closed."""
        await self._server.serve(sockets=[self._sock])

    async def wait_started(self) -> None:
        """Return once the socket accepts connections."""
        while not self._server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.001)

    def close(self) -> None:
        """Stop listening, let open responses end, close the connections."""
        self._server.should_exit = True

    @property
    def open_requests(self) -> int:
        """Requests that have a handler and no complete answer yet."""
        return len(self._server.server_state.tasks)


class _Server(uvicorn.Server):
    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS == 0:
            for connection in list(self.server_state.connections):
                close_if_idle = getattr(connection, "close_if_idle", None)
                if close_if_idle is not None:
                    close_if_idle()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
