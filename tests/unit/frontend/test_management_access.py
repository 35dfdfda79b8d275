"""Who may manage: the token's bearer, or, without a token, this machine alone."""

from __future__ import annotations

import base64

import pytest

from pelton.errors import PermissionDenied, Unauthenticated
from pelton.frontend.management.access import Access, credentials

LOCAL = {"host": "127.0.0.1:8080"}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "header", ["Bearer s3cret", "bearer  s3cret ", basic("token", "s3cret")], ids=str
)
def test_token_lets_anybody_in_from_anywhere(header: str) -> None:
    headers = {"authorization": header, "host": "models.example.com", "x-forwarded-for": "8.8.8.8"}

    Access("s3cret").check("203.0.113.7", headers)


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer s3cre", "Bearer s3cret1", basic("token", "wrong")]
)
def test_wrong_token_is_denied(header: str) -> None:
    with pytest.raises(PermissionDenied, match=r"Invalid access token\."):
        Access("s3cret").check("127.0.0.1", {**LOCAL, "authorization": header})


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Digest s3cret", basic("user", "s3cret"), "Basic !", "s3cret"],
)
def test_token_is_asked_of_this_machine_too(header: str) -> None:
    headers = {**LOCAL, **({"authorization": header} if header else {})}

    with pytest.raises(Unauthenticated, match="Credential was not sent"):
        Access("s3cret").check("127.0.0.1", headers)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", None])
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:8080"])
def test_without_a_token_this_machine_may(peer: str | None, host: str) -> None:
    Access(None).check(peer, {"host": host})


def test_without_a_token_credentials_do_not_matter() -> None:
    """Databricks' client always sends some."""
    Access(None).check("127.0.0.1", {**LOCAL, "authorization": "Bearer anything"})


@pytest.mark.parametrize("peer", ["10.0.0.5", "172.17.0.1", "::ffff:10.0.0.5", "fe80::1"])
def test_without_a_token_other_machines_may_not(peer: str) -> None:
    with pytest.raises(PermissionDenied, match=r"at .*--token"):
        Access(None).check(peer, LOCAL)


@pytest.mark.parametrize("name", ["forwarded", "x-forwarded-for", "x-real-ip", "via"])
def test_without_a_token_a_proxy_may_not(name: str) -> None:
    """Whoever calls through a proxy on this machine seems to be on this machine."""
    with pytest.raises(PermissionDenied, match="proxy"):
        Access(None).check("127.0.0.1", {**LOCAL, name: "for=203.0.113.7"})


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example.com"},
        {"host": "localhost.evil.example.com:8080"},
        {"host": "127.0.0.1.evil.example.com"},
        {"host": "localhost:8080", "origin": "https://evil.example.com"},
        {"host": "localhost:8080", "origin": "null"},
    ],
    ids=str,
)
def test_without_a_token_a_web_page_may_not(headers: dict[str, str]) -> None:
    with pytest.raises(PermissionDenied, match="web page"):
        Access(None).check("127.0.0.1", headers)


def test_empty_token_is_none() -> None:
    Access("").check("127.0.0.1", LOCAL)


def test_token_may_hold_a_colon() -> None:
    assert credentials(basic("token", "a:b")) == b"a:b"
