"""Who may manage the endpoint: whoever knows the token, or, without one, this machine alone.

The port that answers management also answers the public's invocations, so a request that merely
*arrives* from this machine is not enough: a reverse proxy beside the server passes everybody's
requests on, and a web page can have a browser on this machine send some.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Mapping
from typing import Final

from pelton.errors import PermissionDenied, Unauthenticated

_PROXY_HEADERS: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_NEXT_STEP: Final = "Start the server with --token (or PELTON_TOKEN) and send it as a bearer token."


class Access:
    """Decides on the headers and the peer alone.

    Args:
        token: what callers must send; ``None`` answers callers on this machine only.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token.encode() if token else None

    def check(self, peer: str | None, headers: Mapping[str, str]) -> None:
        """Let the caller pass or raise.

        Args:
            peer: address of the other end of the connection; ``None`` for a socket without one.
            headers: of the request; names in lower case.

        Raises:
            Unauthenticated: there is a token and the request has no credentials.
            PermissionDenied: they are wrong, or there is no token and the caller is remote.
        """
        if self._token is None:
            self._check_local(peer, headers)
            return
        sent = credentials(headers.get("authorization", ""))
        if sent is None:
            raise Unauthenticated(
                "Credential was not sent or was of an unsupported type for this API."
                " Send 'Authorization: Bearer <the server's --token>'."
            )
        if not hmac.compare_digest(sent, self._token):
            raise PermissionDenied("Invalid access token.")

    def _check_local(self, peer: str | None, headers: Mapping[str, str]) -> None:
        if peer is not None and not is_loopback(peer):
            raise PermissionDenied(
                f"Without a token, management answers callers on its own machine only, and this"
                f" one is at {peer}. {_NEXT_STEP}"
            )
        if any(name in headers for name in _PROXY_HEADERS):
            raise PermissionDenied(
                f"Without a token, management does not answer through a proxy: it could not tell"
                f" who calls. {_NEXT_STEP}"
            )
        # A page in a browser here can send requests here, under whatever name it gave us (DNS
        # rebinding); it cannot leave out Origin and name the host localhost.
        host = headers.get("host", "localhost")
        if "origin" in headers or not is_loopback(_hostname(host)):
            raise PermissionDenied(
                f"Without a token, management answers requests to localhost that no web page has"
                f" sent, and this one is to {host}. {_NEXT_STEP}"
            )


def credentials(header: str) -> bytes | None:
    """Return the token in an ``Authorization`` header; ``None`` if it has none that we know.

    Databricks' clients send ``Bearer <token>``, its documented curl calls ``-u token:<token>``.
    """
    scheme, _, value = header.strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer" and value:
        return value.encode()
    if scheme.lower() == "basic":
        try:
            user, colon, password = base64.b64decode(value, validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return None
        if colon and user == b"token":
            return password
    return None


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine, whatever a resolver says."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _hostname(host: str) -> str:
    """Return the name in a ``Host`` header: ``[::1]:8080`` -> ``::1``."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host
