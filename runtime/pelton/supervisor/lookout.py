"""When what a URI means has changed for good. Pure: it is told what was seen.

An *identity* is a registered version (``models:/fraud/4``) or the fingerprint of a folder's files.
Only a change counts, not a difference: after a rollback the alias still means the version that was
rolled back from, and a version that was refused would be refused again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_LONGEST_S: Final = 300.0


@dataclass
class Lookout:
    """What is known of one URI.

    Attributes:
        settle: how often in a row an identity must be seen before it counts; a folder that is
            being written has another at each look.
        baseline: the identity that is served or was refused; ``None`` if that is not known, and
            then the next one that settles.
    """

    settle: int
    baseline: str | None = None
    _seen: str | None = None
    _times: int = 0

    def see(self, identity: str) -> bool:
        """Note what was seen; whether that is a change to act on."""
        self._times = self._times + 1 if identity == self._seen else 1
        self._seen = identity
        if self._times < self.settle:
            return False
        if self.baseline is None:
            self.baseline = identity
        return identity != self.baseline

    def handled(self, identity: str) -> None:
        """Note that an identity is served, or was refused: it is not a change any more."""
        self.baseline = identity


def delay_s(interval_s: float, failures: int) -> float:
    """Return when to look again after so many failures in a row, in seconds.

    It doubles up to five minutes: a registry that is down is not brought back by being asked.
    """
    longest = max(_LONGEST_S, interval_s)
    return min(longest, interval_s * 2.0 ** min(failures, 30))
