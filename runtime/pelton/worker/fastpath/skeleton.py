"""Bodies that differ in one list alone: what stands around it is parsed once.

JSON is context-free: if ``prefix + null + suffix`` is a document with ``null`` in some place, then
``prefix + value + suffix`` is the same document with ``value`` there, whatever JSON value it is. So
a body that begins and ends as an earlier one did need only have its list parsed.

And ``[a, "mark", b]`` is an array of three with the mark in the middle only if ``a`` and ``b`` are
one JSON value each, given that who wrote them does not know the mark: in what ``a`` left open the
mark would be inside, and what it closed too early would not be the end. So the lists of several
bodies are parsed as one document.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

from pelton.worker.fastpath.document import parse

_MAX_KNOWN = 8
_MAX_TRIES = 64  # a client with something new around its list each time is not worth more
_HOLE = b"null"


class Skeleton(NamedTuple):
    """What is around the list of a request.

    Attributes:
        prefix, suffix: its bytes.
        about: what its owner wants to know of such requests.
    """

    prefix: bytes
    suffix: bytes
    about: Any

    def list_in(self, body: bytes) -> Any:
        """Return the list in ``body``, which this is around; it may be any JSON value.

        Raises:
            ValueError: it is no JSON, or MLflow may read it otherwise.
        """
        return parse(body[len(self.prefix) : len(body) - len(self.suffix)])


class Skeletons:
    """Those of one model's requests. Thread-safe."""

    def __init__(self) -> None:
        self._known: tuple[Skeleton, ...] = ()
        self._tries_left = _MAX_TRIES
        self._mark = f"m{secrets.token_hex(16)}"  # no number if its quotation marks are taken off
        self._between = f',"{self._mark}",'.encode()

    def around(self, body: Any) -> Skeleton | None:
        """Return what is around the list in ``body``; ``None`` if that is not known."""
        if type(body) is bytes:
            for known in self._known:
                if body.startswith(known.prefix) and body.endswith(known.suffix):
                    return known
        return None

    def lists_in(self, bodies: Sequence[Any], known: Skeleton) -> list[Any] | None:
        """Return the list in each of ``bodies``; each may be any JSON value.

        ``None`` if ``known`` is not around all of them, or they are not one JSON value each.

        Raises:
            ValueError: they are no JSON, or MLflow may read it otherwise.
        """
        prefix, suffix, _ = known
        begin, tail = len(prefix), len(suffix)
        pieces = []
        for body in bodies:
            if type(body) is not bytes or not (body.startswith(prefix) and body.endswith(suffix)):
                return None
            pieces.append(body[begin : len(body) - tail])
        document = parse(b"[" + self._between.join(pieces) + b"]")
        lists, marks = document[::2], document[1::2]
        if len(lists) != len(bodies) or marks != [self._mark] * (len(bodies) - 1):
            return None
        return lists  # type: ignore[no-any-return]

    def learn(self, body: Any, key: bytes, around: Any, about: Any) -> None:
        """Remember what is around the list in ``body``.

        Args:
            body: a request.
            key: stands before the list.
            around: the document with ``None`` in place of the list.
            about: kept with it.
        """
        if type(body) is not bytes or self._tries_left <= 0:
            return
        self._tries_left -= 1
        start = body.find(b"[", body.rfind(key))
        end = body.rfind(b"]") + 1
        prefix, suffix = body[:start], body[end:]
        if not 0 < start < end or not _is_around(prefix, suffix, around):
            return
        self._known = (Skeleton(prefix, suffix, about), *self._known[: _MAX_KNOWN - 1])


def _is_around(prefix: bytes, suffix: bytes, around: Any) -> bool:
    try:
        return bool(parse(prefix + _HOLE + suffix) == around)
    except ValueError:  # what looked like the list is something else
        return False
