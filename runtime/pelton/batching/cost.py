"""What a batch costs: T(n) = a + b * n seconds for n requests, fitted online. Pure."""

from __future__ import annotations

import math

_FORGET = 0.98  # a sample weighs half after 34 batches
_MIN_SAMPLES = 8
_MOST = 4.0  # times what was expected: more of one batch says little about others
_LEAST_S = 0.001
_ODD = 8.0
_SMALL_BYTES = 65536


class UsualSize:
    """What requests' bodies are usually like.

    A geometric mean, older ones weighing less: a few that are very large do not make themselves
    the usual.
    """

    def __init__(self) -> None:
        self._log_bytes: float | None = None
        self.odd_above = math.inf
        """A body of more bytes is much larger than usual, and not small anyway."""

    def observe(self, size: float) -> None:
        """Learn from a batch whose bodies have ``size`` bytes on average."""
        log_bytes = math.log(size + 1.0)
        if self._log_bytes is not None:
            log_bytes = _FORGET * self._log_bytes + (1.0 - _FORGET) * log_bytes
        self._log_bytes = log_bytes
        self.odd_above = max(_SMALL_BYTES, _ODD * math.exp(log_bytes))

    def is_odd(self, size: float) -> bool:
        """Whether bodies of ``size`` bytes are much larger than usual."""
        return size > self.odd_above


class CostModel:
    """Least squares over past batches, older ones weighing less (recursive sums).

    A batch that took many times what was expected is learned as one that took four times as long:
    one request of seconds among many of milliseconds is no reason to expect, and to wait for,
    batches of a tenth of a second. Where batches have become slower, that is learned all the same,
    a few batches later.
    """

    def __init__(self) -> None:
        self._samples = 0
        self._w = self._n = self._nn = self._t = self._nt = 0.0
        self._fitted: tuple[float, float] | None = None

    def observe(self, requests: int, seconds: float) -> None:
        """Learn from a batch that took ``seconds``."""
        expected_s = self.seconds(requests)
        if expected_s is not None:
            # Or of what they take on average: where all were large, that of a small one is a guess.
            seconds = min(seconds, _MOST * max(expected_s, self._t / self._w, _LEAST_S))
        self._samples += 1
        self._w = self._w * _FORGET + 1.0
        self._n = self._n * _FORGET + requests
        self._nn = self._nn * _FORGET + requests * requests
        self._t = self._t * _FORGET + seconds
        self._nt = self._nt * _FORGET + requests * seconds
        if self._samples >= _MIN_SAMPLES:
            self._fitted = self._fit()

    def fit(self) -> tuple[float, float] | None:
        """Return (a, b) in seconds, neither negative; ``None`` until enough has been seen.

        Batches of one size only tell T at that size: all of it is then counted per request,
        which never promises more of a larger batch than what is known.
        """
        return self._fitted

    def _fit(self) -> tuple[float, float]:
        mean_n, mean_t = self._n / self._w, self._t / self._w
        variance = self._nn / self._w - mean_n * mean_n
        if variance < 1e-9:
            return 0.0, mean_t / mean_n
        slope = (self._nt / self._w - mean_n * mean_t) / variance
        if slope <= 0.0:
            return mean_t, 0.0
        fixed = mean_t - slope * mean_n
        return (fixed, slope) if fixed >= 0.0 else (0.0, mean_t / mean_n)

    def seconds(self, requests: int) -> float | None:
        """Return the expected time of a batch of ``requests``; ``None`` if not known."""
        fitted = self._fitted
        return None if fitted is None else fitted[0] + fitted[1] * requests
