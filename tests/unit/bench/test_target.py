import pytest

from pelton.bench.request import Body, Request
from pelton.bench.target import Target
from pelton.errors import ConfigError


def test_the_path_defaults_to_invocations() -> None:
    assert Target.parse("http://127.0.0.1:8080").path == "/invocations"
    assert Target.parse("http://127.0.0.1:8080/").path == "/invocations"


def test_a_full_url_is_kept() -> None:
    target = Target.parse("https://host/serving-endpoints/x/invocations?a=1", token="secret")
    assert (target.host, target.port, target.tls) == ("host", 443, True)
    assert target.path == "/serving-endpoints/x/invocations?a=1"
    assert "secret" not in target.url
    assert b"Authorization: Bearer secret\r\n" in target.post(b"{}", "application/json")


def test_an_address_of_six_is_bracketed_again() -> None:
    target = Target.parse("http://[::1]:9/x")
    assert target.host == "::1"
    assert b"Host: [::1]:9\r\n" in target.get("/y")


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://x:port", "127.0.0.1:80"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        Target.parse(url)


def test_a_request_is_a_head_and_its_body() -> None:
    wire = Request(Target("h", 1), Body(b"a,b\n1,2", content_type="text/csv")).wire
    head, _, body = wire.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /invocations HTTP/1.1\r\nHost: h:1\r\n")
    assert b"Content-Type: text/csv\r\nContent-Length: 7" in head
    assert body == b"a,b\n1,2"
