"""Sends cases over real sockets, as they are written, one after the other or many at once."""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Iterable
from queue import Empty, SimpleQueue

from tests.conformance.answer import COMPARED_HEADERS, NO_ANSWER, Answer
from tests.conformance.case import Case

Address = tuple[str, int]

_TIMEOUT_S = 60.0  # a case takes milliseconds; this only keeps a hung server from hanging the run


def ask_all(
    address: Address, cases: Iterable[Case], concurrency: int = 1, seed: int = 0
) -> dict[str, Answer]:
    """Answers by case name; several at a time are sent in an order shuffled by the seed."""
    ordered = list(cases)
    if concurrency > 1:
        random.Random(seed).shuffle(ordered)
    waiting: SimpleQueue[Case] = SimpleQueue()
    for case in ordered:
        waiting.put(case)
    answers: dict[str, Answer] = {}

    def work() -> None:
        connection = _connect(address)
        while True:
            try:
                case = waiting.get_nowait()
            except Empty:
                break
            answers[case.name] = ask(connection, case)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(min(concurrency, len(ordered)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def ask(connection: http.client.HTTPConnection, case: Case) -> Answer:
    """Send one case on a connection that is kept, or opened again if the server closed it."""
    try:
        _send(connection, case)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return Answer(NO_ANSWER, (), repr(error).encode())
    if response.status >= 500:
        # uvicorn closes such a connection without having said so: the next case would race with it.
        connection.close()
    found = ((name, response.getheader(name)) for name in COMPARED_HEADERS)
    headers = tuple((name, value) for name, value in found if value is not None)
    return Answer(response.status, headers, body)


def _connect(address: Address) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(*address, timeout=_TIMEOUT_S)


def _send(connection: http.client.HTTPConnection, case: Case) -> None:
    connection.putrequest(case.method, case.path, skip_accept_encoding=True)
    if case.content_type is not None:
        connection.putheader("Content-Type", case.content_type)
    for name, value in case.headers:
        connection.putheader(name, value)
    if case.chunked:
        connection.putheader("Transfer-Encoding", "chunked")
        half = len(case.body) // 2
        chunks = [chunk for chunk in (case.body[:half], case.body[half:]) if chunk]
        connection.endheaders(iter(chunks), encode_chunked=True)
        return
    if case.body or case.method == "POST":
        connection.putheader("Content-Length", str(len(case.body)))
    connection.endheaders(case.body or None)
