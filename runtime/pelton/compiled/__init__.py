"""What of a request's way through the server is compiled: done once a request, not once a batch.

And through the load generator, whose own cost would be the most of what it measures.

``reference`` is the same in Python. Both run on it where no compiler was at hand when pelton
was installed, or if ``PELTON_COMPILED=0`` is in its environment, and every compiled function gives
it what is unusual. One suite tests both.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from types import ModuleType
from typing import TYPE_CHECKING

core: ModuleType | None = None
"""The extension module, if there is one."""
if os.environ.get("PELTON_COMPILED") != "0":
    with contextlib.suppress(ImportError):
        core = importlib.import_module("pelton.compiled.core")

if TYPE_CHECKING or core is None:
    from pelton.compiled.reference import Account, Asker, Fields, Line, Link, Wire
else:
    Account, Asker, Wire = core.Account, core.Asker, core.Wire
    Fields, Line, Link = core.Fields, core.Line, core.Link

__all__ = ["Account", "Asker", "Fields", "Line", "Link", "Wire", "core"]
