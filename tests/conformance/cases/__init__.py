"""The cases of every model, gathered from the modules of this package."""

from __future__ import annotations

from collections import Counter
from functools import cache

from tests.conformance.case import Case
from tests.conformance.cases import (
    chat,
    flavors,
    frames,
    hints,
    nested,
    outputs,
    params,
    protocol,
    routes,
    scalars,
    spellings,
    tensors,
    tokens,
)

_MODULES = (
    scalars,
    frames,
    nested,
    params,
    tensors,
    hints,
    chat,
    outputs,
    flavors,
    tokens,
    spellings,
    protocol,
    routes,
)


@cache
def all_cases() -> dict[str, tuple[Case, ...]]:
    """Cases by the name of the model they are sent to; their names are unique for a model."""
    gathered: dict[str, list[Case]] = {}
    for module in _MODULES:
        for model, cases in module.cases().items():
            gathered.setdefault(model, []).extend(cases)
    for model, cases in gathered.items():
        if twice := [name for name, n in Counter(case.name for case in cases).items() if n > 1]:
            raise ValueError(f"cases of {model} with one name: {twice}")
    return {model: tuple(cases) for model, cases in gathered.items()}
