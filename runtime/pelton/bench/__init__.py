"""Load test and capacity plan: ``pelton bench`` and ``pelton plan``.

``arrival`` says when a request is due, ``load`` sends it over a ``connection``, ``tally`` keeps the
account, ``session`` strings steps together, ``report`` shows what came of them; ``plan`` asks the
same machinery how many slots a model needs. Nothing here imports the model's libraries.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def bench_main(argv: Sequence[str] | None = None) -> int:
    """Run ``pelton bench`` with these arguments; return the exit code."""
    from pelton.bench.command import main

    return main(sys.argv[1:] if argv is None else argv)


def plan_main(argv: Sequence[str] | None = None) -> int:
    """Run ``pelton plan`` with these arguments; return the exit code."""
    from pelton.bench.plan.command import main

    return main(sys.argv[1:] if argv is None else argv)
