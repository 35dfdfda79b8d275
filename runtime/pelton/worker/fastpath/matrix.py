"""Documents that are one list of numbers but for a few bytes: the list goes straight to an array.

The list is found by the key before it and read by a kernel. Whether it stands where it should is
decided as in ``skeleton``: what is around the list, with a mark in its place that nobody who writes
a body knows, is parsed, and the mark has to be there. ``[1]`` in a string, or a second key of that
name, ends up somewhere else.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from pelton.worker.fastpath.document import parse
from pelton_kernels import json_lists

_MARK = f"m{secrets.token_hex(16)}"
_MARK_TEXT = f'"{_MARK}"'.encode()


#: The list begins within so many bytes, or after more column names than any that pays.
_HEAD_BYTES = 64 * 1024


def read(body: bytes | bytearray | memoryview, path: Sequence[str]) -> dict[str, Any] | None:
    """Return the document in ``body`` with the list of numbers at ``path`` as an array of doubles.

    Args:
        body: a JSON object.
        path: keys from the object down to the list, which may hold lists of numbers.

    Returns:
        The document; the array has the shape of the lists. ``None`` if it must be read otherwise:
        there is no such list, or one that ``json_lists.read`` does not read.

    Raises:
        ValueError: what is around the list is no JSON, or MLflow may read it otherwise.
    """
    head = bytes(body[:_HEAD_BYTES])
    start = head.find(b"[", head.find(f'"{path[-1]}"'.encode()))
    if start < 0:
        return None
    found = json_lists.read(body, start)
    if found is None:
        return None
    array, end = found
    document = parse(b"".join((head[:start], _MARK_TEXT, body[end:])))
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    if holder[path[-1]] != _MARK:
        return None
    holder[path[-1]] = array
    return document  # type: ignore[no-any-return]
