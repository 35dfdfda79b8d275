"""The conformance suite can fail, and covers what it says it covers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from tests.conformance.answer import NO_ANSWER, Answer
from tests.conformance.case import CSV, JSON, Case, in_formats, split
from tests.conformance.cases import all_cases
from tests.conformance.comparison import compare
from tests.conformance.differences import DIFFERENCES, Difference
from tests.conformance.wire import Address, ask_all
from tests.zoo import MODELS

CASE = Case("case", b"{}")
GOOD = Answer(200, (("content-type", JSON),), b'{"predictions": [0.1]}')


def test_suite_is_as_large_as_promised() -> None:
    cases = all_cases()

    assert len(cases) >= 28
    assert sum(map(len, cases.values())) >= 450
    assert set(cases) <= set(MODELS)


def test_equal_answers_agree() -> None:
    assert compare("model", CASE, GOOD, GOOD) is None


@pytest.mark.parametrize(
    "other",
    [
        Answer(201, GOOD.headers, GOOD.body),
        Answer(200, (("content-type", "application/json; charset=utf-8"),), GOOD.body),
        Answer(200, (), GOOD.body),
        Answer(200, GOOD.headers, b'{"predictions": [0.10000000000000001]}'),
        Answer(200, GOOD.headers, b'{"predictions":[0.1]}'),
        Answer(NO_ANSWER, (), b""),
    ],
)
def test_any_difference_is_a_mismatch_that_reads_well(other: Answer) -> None:
    mismatch = compare("model", CASE, GOOD, other)

    assert mismatch is not None
    assert str(mismatch).startswith("model/case\n")


def test_names_that_mlflow_invents_do_not_matter() -> None:
    def answer(digit: str) -> Answer:
        return Answer(400, (), f'"<code_model_{digit * 32}.Custom>"'.encode())

    assert compare("model", CASE, answer("1"), answer("2")) is None


def test_deliberate_difference_must_be_answered_as_the_table_says() -> None:
    row = Difference(cases="model/c.*", status=400, body=r'\{"error.*', why="clearer")
    as_described = Answer(400, (("content-type", JSON),), b'{"error_code": "BAD_REQUEST"}')

    assert compare("model", CASE, GOOD, as_described, (row,)) is None
    assert compare("model", CASE, GOOD, GOOD, (row,)) is not None
    assert compare("another", CASE, GOOD, GOOD, (row,)) is None


@pytest.mark.parametrize(
    ("expected", "answered", "near"),
    [
        ("[-39.818078403044964]", "[-39.81807840304495]", True),
        ("[-39.818078403044964]", "[-39.8180784030]", False),
        # Single precision: the unit is larger.
        ('[{"0": -1.0954713821411133}]', '[{"0": -1.0954715013504028}]', True),
        ("[1000.1, 1e-15]", "[1000.1, 2e-15]", True),
        ("[0.1]", "[0.1, 0.2]", False),
        ("[0.1]", "[1]", False),
        ('["a", 0.1]', '["b", 0.1]', False),
        ("[NaN]", "[NaN]", True),
        ("[NaN]", "[0.1]", False),
        ("[0.1]", "[0.10000000000000002]", True),
        ("[0.1, 1]", "[0.1,1]", False),
        ('{"a": 0.1}', '{"b": 0.1}', False),
        ("Internal Server Error", "Internal Server error", False),
    ],
)
def test_floats_may_be_a_little_off_only_where_allowed(
    expected: str, answered: str, near: bool
) -> None:
    left = Answer(200, GOOD.headers, expected.encode())
    right = Answer(200, GOOD.headers, answered.encode())

    assert (compare("model", CASE, left, right, ulp=64) is None) is near
    assert (compare("model", CASE, left, right) is None) is (expected == answered)


def test_every_row_of_the_table_speaks_of_some_case() -> None:
    named = [(model, case.name) for model, cases in all_cases().items() for case in cases]

    unused = [row for row in DIFFERENCES if not any(row.matches(*name) for name in named)]

    assert unused == []


def test_one_row_is_written_in_four_formats() -> None:
    assert [case.body for case in in_formats("row", {"a": 1})] == [
        b'{"dataframe_split": {"columns": ["a"], "data": [[1]]}}',
        b'{"dataframe_records": [{"a": 1}]}',
        b'{"inputs": {"a": [1]}}',
        b'{"instances": [{"a": 1}]}',
    ]
    assert split("split", [[1]], params={}).body == (
        b'{"dataframe_split": {"data": [[1]]}, "params": {}}'
    )


def test_requests_are_sent_as_written(recorder: tuple[Address, list[bytes]]) -> None:
    address, received = recorder

    answers = ask_all(
        address,
        [
            Case("bare", b"", None),
            Case("typed", b"a,b", CSV, headers=(("Accept", "x"), ("Accept", "y"))),
            Case("chunked", b"abcd", CSV, chunked=True),
            Case("get", method="GET", content_type=None, path="/ping?a"),
        ],
    )

    host = f"Host: {address[0]}:{address[1]}\r\n".encode()
    assert received == [
        b"POST /invocations HTTP/1.1\r\n" + host + b"Content-Length: 0\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\n" + host + b"Content-Type: text/csv\r\n"
        b"Accept: x\r\nAccept: y\r\nContent-Length: 3\r\n\r\na,b",
        b"POST /invocations HTTP/1.1\r\n" + host + b"Content-Type: text/csv\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n",
        b"GET /ping?a HTTP/1.1\r\n" + host + b"\r\n",
    ]
    assert {answer.status for answer in answers.values()} == {204}


def test_connection_that_ends_without_an_answer_is_one_case_without_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: listener.accept()[0].close())
        thread.start()
        answers = ask_all(listener.getsockname(), [CASE])
        thread.join()

    assert answers["case"].status == NO_ANSWER


@pytest.fixture
def recorder() -> Iterator[tuple[Address, list[bytes]]]:
    """A server that keeps what it is sent, one connection after the other, and answers 204."""
    received: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)  # lets a failing test end

    def serve() -> None:
        with listener.accept()[0] as peer:
            request = b""
            while data := peer.recv(65536):
                request += data
                if _is_whole(request):
                    received.append(request)
                    request = b""
                    peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname(), received
    thread.join()
    listener.close()


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    if b"chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    _, _, length = head.partition(b"Content-Length: ")
    return bool(end) and len(body) == int(length or 0)
