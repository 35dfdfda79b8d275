"""Native threads of a forked worker.

The fork server loads with one thread per library, because a used OpenMP pool does not survive a
fork: the child waits for threads it does not have. A forked worker raises the limits before its
first prediction, and its libraries start pools of their own. ONNX Runtime needs nothing: a fork
of its session does all the work in the calling thread.
"""

from __future__ import annotations

import sys
from typing import Any

_kept: list[Any] = []  # a limit ends with its object


def use_threads(threads: int) -> None:
    """Let the libraries that are loaded use ``threads`` threads each."""
    if threads <= 1:
        return
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
    try:
        import threadpoolctl  # scikit-learn brings it; what has no OpenMP or BLAS lacks nothing
    except ImportError:
        return
    _kept.append(threadpoolctl.threadpool_limits(limits=threads))
