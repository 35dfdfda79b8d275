"""Where the load goes: a URL taken apart once, into what a connection needs."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pelton.errors import ConfigError


@dataclass(frozen=True)
class Target:
    """One HTTP endpoint.

    Attributes:
        host: name or address.
        port: TCP port.
        path: of the invocations, with its query.
        tls: whether to speak TLS.
        headers: sent with every request beside Host, Content-Type and Content-Length.
    """

    host: str
    port: int
    path: str = "/invocations"
    tls: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, url: str, *, token: str | None = None) -> Target:
        """Read ``http[s]://host[:port][/path]``; without a path, ``/invocations`` is meant.

        Raises:
            ConfigError: not such a URL.
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"{url!r}: {error}") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{url!r} is not a URL; write http://127.0.0.1:8080")
        tls = parts.scheme == "https"
        path = parts.path if parts.path not in ("", "/") else "/invocations"
        return cls(
            host=parts.hostname,
            port=port or (443 if tls else 80),
            path=f"{path}?{parts.query}" if parts.query else path,
            tls=tls,
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )

    @property
    def authority(self) -> str:
        """``host:port`` for the Host header, with an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL without its headers (a token is never printed)."""
        return f"{'https' if self.tls else 'http'}://{self.authority}{self.path}"

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return what a connection needs for TLS, ``None`` without TLS."""
        return ssl.create_default_context() if self.tls else None

    def head(self, method: str, path: str, content_type: str | None, length: int) -> bytes:
        """Return a request's head, up to and with the empty line."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.authority}", "Accept: */*"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if content_type is not None:
            lines += [f"Content-Type: {content_type}", f"Content-Length: {length}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def post(self, body: bytes, content_type: str) -> bytes:
        """Return the bytes of one invocation."""
        return self.head("POST", self.path, content_type, len(body)) + body

    def get(self, path: str) -> bytes:
        """Return the bytes of a GET of another path on the same server."""
        return self.head("GET", path, None, 0)
