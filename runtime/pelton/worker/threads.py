"""Native threads of a forked worker.

The fork server loads with one thread per library, because a used OpenMP pool does not survive a
fork: the child waits for threads it does not have. A forked worker raises the limits before its
first prediction, and its libraries start pools of their own. ONNX Runtime needs nothing: a fork
of its session does all the work in the calling thread.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any


class ThreadLimits:
    """The pools of this process. Made before the fork, as finding the libraries takes a while."""

    def __init__(self) -> None:
        self._pools: Any = None
        self._kept: Any = None  # a limit ends with its object
        with contextlib.suppress(ImportError):
            # scikit-learn brings it; what has neither OpenMP nor BLAS lacks nothing.
            import threadpoolctl

            self._pools = threadpoolctl.ThreadpoolController()

    def use(self, threads: int) -> None:
        """Let the libraries that are loaded use ``threads`` threads each."""
        if threads <= 1:
            return
        torch = sys.modules.get("torch")
        if torch is not None:
            torch.set_num_threads(threads)
        if self._pools is not None:
            self._kept = self._pools.limit(limits=threads)
