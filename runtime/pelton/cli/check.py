"""``pelton check``: the effective settings, and what they come to on this machine."""

from __future__ import annotations

import argparse

from pelton.cli.options import add_settings, resolve_settings
from pelton.notation import show
from pelton.settings import options

_COMPILED = "compiled"
_MISSING = (
    "not compiled, so {what}; put a C compiler (cc) and Python's headers (python3-dev) on this"
    " machine and install pelton again"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``check``: those of ``serve``."""
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Print the settings; returns the exit status."""
    resolved = resolve_settings(args)
    rows = [("model", resolved.model or "(none given)", "")]
    for option in options():
        section = getattr(resolved.settings, option.section)
        value = getattr(section, option.name)
        text = "(set)" if option.name == "token" and value else show(value)
        rows.append((option.name, text or "(none)", resolved.sources[option.name]))
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    for name, value, source in rows:
        print(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}".rstrip())

    from pelton import platform
    from pelton.compiled import core
    from pelton.supervisor.revision import slot_bytes, slot_plan
    from pelton.tiers import GB
    from pelton_kernels import json_lists

    entity = resolved.settings.entity
    plan = slot_plan(entity)
    print(
        f"\nThis machine: {platform.usable_cores()} usable cores,"
        f" {platform.memory_limit_bytes() / GB:.3g} GB of memory."
        f"\nSlots: {plan.slots} of {slot_bytes(entity) / GB:.3g} GB each ({plan.reason})."
        f"\nKernel for lists of numbers: "
        f"{_compiled(json_lists.is_compiled(), 'large requests are decoded more slowly')}."
        f"\nFront end: {_compiled(core is not None, 'small requests cost it more time')}."
    )
    return 0


def _compiled(is_compiled: bool, what: str) -> str:
    return _COMPILED if is_compiled else _MISSING.format(what=what)
