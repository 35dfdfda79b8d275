"""Is an answer the right one? Equal bytes, or the same JSON with floats a few ulp apart.

Micro-batching may change the last bits of a float, so equal bytes are the usual case and not the
law. Anything else (a label, a count, a neighbour's row) must be equal.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

_KNOWN_LIMIT: Final = 64  # spellings of one answer that are remembered, to compare bytes again


def same(
    got: Any, expected: Any, *, relative: float, absolute: float
) -> bool:  # values as json.loads gives them
    """Compare two JSON values; only floats may differ, by the tolerances given."""
    if isinstance(expected, bool) or isinstance(got, bool):
        return got is expected
    if isinstance(expected, float) or isinstance(got, float):
        if not (isinstance(got, int | float) and isinstance(expected, int | float)):
            return False
        if math.isnan(expected):
            return math.isnan(got)
        return math.isclose(got, expected, rel_tol=relative, abs_tol=absolute)
    if isinstance(expected, dict):
        return (
            isinstance(got, dict)
            and got.keys() == expected.keys()
            and all(
                same(got[key], value, relative=relative, absolute=absolute)
                for key, value in expected.items()
            )
        )
    if isinstance(expected, list):
        return (
            isinstance(got, list)
            and len(got) == len(expected)
            and all(
                same(one, other, relative=relative, absolute=absolute)
                for one, other in zip(got, expected, strict=True)
            )
        )
    return type(got) is type(expected) and bool(got == expected)


class Expectation:
    """The right answer to one request.

    Args:
        body: the answer's bytes.
        relative: tolerance of floats, relative.
        absolute: tolerance of floats around zero.

    Attributes:
        known: bytes that are right; other ones may be, too.
    """

    def __init__(self, body: bytes, *, relative: float = 1e-5, absolute: float = 1e-7) -> None:
        self.known = {body}
        self._relative = relative
        self._absolute = absolute
        try:
            self._value, self._is_readable = self.read(body), True
        except ValueError:
            self._value, self._is_readable = None, False

    def read(self, body: bytes) -> Any:
        """Return the part of an answer that must be right, as ``json.loads`` gives values.

        Raises:
            ValueError: the answer has no such part.
        """
        return json.loads(body)

    def met_by(self, body: bytes) -> bool:
        """Tell whether an answer is right; cheap when it was seen before."""
        return body in self.known or self.says_the_same(body)

    def says_the_same(self, body: bytes) -> bool:
        """Tell whether an answer of other bytes is right all the same."""
        if not self._is_readable:
            return False
        try:
            value = self.read(body)
        except ValueError:
            return False
        right = same(value, self._value, relative=self._relative, absolute=self._absolute)
        if right and len(self.known) < _KNOWN_LIMIT:
            self.known.add(body)
        return right
