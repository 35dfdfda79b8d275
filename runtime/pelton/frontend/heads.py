"""Heads of requests that have been parsed before: the same bytes mean the same again.

A client sends the same head for every body of one length, and reading a head takes longer than
reading its body. What a head means depends on nothing but its bytes, given that the parser is
between two requests; so it is looked up first, and parsed if it is new.
"""

from __future__ import annotations

from typing import Final

from pelton.frontend.invocations import Head

_END: Final = b"\r\n\r\n"
_MAX_BYTES: Final = 2048
_MAX_HEADS: Final = 1024


class Heads:
    """Known heads of invocations with a body of known length on a connection that is kept."""

    def __init__(self) -> None:
        self.known: dict[bytes, Head] = {}

    def find(self, data: bytes) -> tuple[Head, bytes] | None:
        """Return head and body of the request that ``data`` is.

        ``None`` if it is not exactly one, or its head is new.
        """
        start = data.find(_END, 0, _MAX_BYTES) + len(_END)
        head = self.known.get(data[:start])
        if head is None or len(data) - start != head.content_length:
            return None
        return head, data[start:]

    def learn(self, data: bytes, head: Head) -> None:
        """Remember ``head``, which the parser found in ``data``, a whole request.

        Not if that ends elsewhere than the parser has said: then it ends its heads otherwise.
        """
        start = data.find(_END, 0, _MAX_BYTES) + len(_END)
        if start < len(_END) or len(data) - start != head.content_length:
            return
        if len(self.known) >= _MAX_HEADS:  # of a client with something new in each
            self.known.clear()
        self.known[data[:start]] = head
