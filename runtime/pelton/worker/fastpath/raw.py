"""Inputs that MLflow hands on as JSON: unified LLM requests, and models with type hints."""

from __future__ import annotations

from typing import Any

from mlflow.pyfunc.utils.serving_data_parser import SUPPORTED_LLM_FORMATS

from pelton.worker.fastpath.cells import Odd
from pelton.worker.fastpath.decoded import Alone, Decoded, Lists
from pelton.worker.fastpath.document import parse_as_mlflow

_LLM_KEYS = frozenset(SUPPORTED_LLM_FORMATS)
_ALONE = Alone()
_LISTS = Lists()


def is_unified(document: dict[str, Any]) -> bool:
    """Return whether MLflow takes ``document`` as it is, as a unified LLM request."""
    return not _LLM_KEYS.isdisjoint(document)


def unified(body: bytes, param_names: frozenset[str]) -> Decoded:
    """Return the unified LLM request in ``body``.

    MLflow's own parser reads it, since every value is handed on, and its own enforcement checks it.
    """
    document = parse_as_mlflow(body)
    data = {key: value for key, value in document.items() if key not in param_names}
    params = {key: value for key, value in document.items() if key in param_names}
    return Decoded(_ALONE, data, 1, params, unwrapped=True, enforce=True)


def hinted(body: bytes) -> Decoded:
    """Return the request in ``body`` to a model whose signature comes from type hints.

    Raises:
        Odd: MLflow must be asked.
    """
    document = parse_as_mlflow(body)
    if "inputs" not in document:
        raise Odd("no inputs")
    data, params = document["inputs"], document.get("params")
    if type(data) is list and data:
        return Decoded(_LISTS, data, len(data), params, ("list", repr(params)))
    return Decoded(_ALONE, data, 1, params)
