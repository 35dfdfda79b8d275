"""What MLflow itself hands to a flavour's predict: the reference for every decoder here.

The witness is a ``PyFuncModel`` with the model's metadata and no model. A body goes through
MLflow's ``invocations`` and ``PyFuncModel.predict``, parsing, casts, schema enforcement and all;
where the flavour's predict would run, its input is caught instead. No code of the model runs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from mlflow.pyfunc import PyFuncModel, scoring_server

JSON = "application/json"


class Handed(NamedTuple):
    """The arguments of the flavour's predict."""

    data: Any
    params: Any


class _Catch:
    """Stands where the model is; keeps what it is given."""

    handed: Handed | None = None

    def predict(self, data: Any, params: Any = None) -> list[Any]:
        self.handed = Handed(data, params)
        return []


class Witness:
    """MLflow's way from a body to the model's input. Thread-safe.

    Args:
        model: the loaded model; only its metadata is used.
    """

    def __init__(self, model: PyFuncModel) -> None:
        self._metadata = model.metadata
        self._schema = model.metadata.get_input_schema()

    def look(self, body: bytes, content_type: str = JSON) -> Handed | None:
        """Return what predict would be given for ``body``; ``None`` if it would not be called."""
        catch = _Catch()
        model = PyFuncModel(model_meta=self._metadata, model_impl=catch)
        try:
            with _quiet():
                scoring_server.invocations(body, content_type, model, self._schema)
        except Exception:  # MLflow refuses it, by whatever error its casts raise
            return None
        return catch.handed

    def enforce(self, data: Any, params: Any) -> None:
        """Let MLflow enforce the schema on ``data``, which it may write into."""
        model = PyFuncModel(model_meta=self._metadata, model_impl=_Catch())
        with suppress(Exception), _quiet():
            model.predict(data, params=params)


class _Muted(threading.local):
    """Whether this thread is asking on its own account, about requests that nobody sent."""

    on = False


_muted = _Muted()

for _name in ("mlflow.models.utils", "mlflow.pyfunc", "mlflow.pyfunc.scoring_server"):
    logging.getLogger(_name).addFilter(lambda _record: not _muted.on)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's remarks on our samples out of the log."""
    _muted.on = True
    try:
        yield
    finally:
        _muted.on = False
