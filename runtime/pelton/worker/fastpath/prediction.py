"""Predicting below schema enforcement, and MLflow's answer when predict raises.

``PyFuncModel.predict`` stays the one to call: it sets the prediction context, the model id, the
dependencies schema, enforces params and finds out what the flavour's predict takes. Only the schema
is taken out of the metadata it looks at, as the decoder has done that work.
"""

from __future__ import annotations

import copy
import inspect
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, FunctionType, TracebackType
from typing import Any, NamedTuple

from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel, scoring_server

from pelton.worker.fastpath.decoded import Decoded, Share
from pelton.worker.fastpath.estimator import Arrays
from pelton.worker.fastpath.witness import Witness

_PREDICT = PyFuncModel.predict.__code__


class Failure(NamedTuple):
    """MLflow's answer to a request whose predict raised."""

    status: int
    media_type: str
    body: bytes


_INTERNAL_SERVER_ERROR = Failure(500, "text/plain; charset=utf-8", b"Internal Server Error")


def without_enforcement(model: PyFuncModel) -> PyFuncModel:
    """Return ``model`` with the same flavour behind it, and no input schema to enforce."""
    metadata = copy.copy(model.metadata)
    metadata.__class__ = type(
        type(metadata).__name__, (type(metadata),), {"get_input_schema": lambda self: None}
    )
    bare = copy.copy(model)
    bare._model_meta = metadata
    return bare


def know_signature(model: PyFuncModel) -> None:
    """Work out once what MLflow asks at each prediction: the signature of its wrapper's predict.

    It is kept where ``inspect.signature`` looks first. Only functions of mlflow's own are touched.
    """
    function = getattr(getattr(model, "_predict_fn", None), "__func__", None)
    if isinstance(function, FunctionType) and function.__module__.startswith("mlflow."):
        function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]


class Predictor:
    """Calls one model. As thread-safe as the model is.

    Args:
        model: the loaded model.
    """

    def __init__(self, model: PyFuncModel) -> None:
        know_signature(model)
        self._model = model
        self._arrays = Arrays(without_enforcement(model))
        self._schema = model.metadata.get_input_schema()
        self._witness = Witness(model)

    def build_ahead(self, decoded: Decoded) -> None:
        """Build the input that ``predict`` will need for ``decoded``; may do nothing."""
        if decoded.enforce or not self._arrays.takes(decoded):
            with suppress(Exception):  # predict will meet it, where it can be answered
                decoded.build_ahead()

    def predict(self, decoded: Decoded) -> Any:
        """Return the flavour's output for ``decoded``.

        Raises:
            BaseException: whatever the model raises; ``MlflowException`` for params it refuses.
        """
        if decoded.enforce:
            return self._model.predict(decoded.data, params=decoded.params)
        return self._arrays.predict(decoded)

    def failure(
        self, error: Exception, decoded: Decoded | Share, body: bytes, content_type: str
    ) -> Failure:
        """Return MLflow's answer to the request whose ``predict`` raised ``error``.

        MLflow's own ``invocations`` makes it: it is given the body again and a model that fails as
        this one did. The model is not called.
        """
        replay = _Replay(self._model.metadata, error)
        if decoded.enforce:
            replay.enforce = self._witness.enforce
        try:
            scoring_server.invocations(bytes(body), content_type, replay, self._schema)
        except MlflowException as answer:
            if not isinstance(error, MlflowException):
                answer.json_kwargs["stack_trace"] = replay.stack_trace()
            try:
                text = answer.serialize_as_json()
            except Exception:  # what the model put into its exception is no JSON
                return _INTERNAL_SERVER_ERROR
            return Failure(answer.get_http_status_code(), "application/json", text.encode())
        except Exception:  # the message holds the data, whose repr may fail
            return _INTERNAL_SERVER_ERROR
        return _INTERNAL_SERVER_ERROR  # unreachable: the replay always raises


class _Fails(Exception):
    """Raised where the model raised something of its own."""


class _Replay:
    """A model that fails as another one did.

    Args:
        metadata: the model's.
        error: what it raised.
    """

    def __init__(self, metadata: Any, error: Exception) -> None:
        self.metadata = metadata
        self.enforce: Callable[[Any, Any], None] | None = None
        self._error = error
        self._caller: FrameType | None = None
        self._at = (0, 0)

    def predict(self, data: Any, params: Any = None) -> Any:
        """Raise, and remember from where this was called."""
        if self.enforce is not None:
            self.enforce(data, params)  # it writes into the data, which the message shows
        self._caller = sys._getframe(1)
        self._at = (self._caller.f_lasti, self._caller.f_lineno)
        if not isinstance(self._error, MlflowException):
            raise _Fails
        raise self._error

    def stack_trace(self) -> str:
        """Return the traceback as it is where the model is called by MLflow's ``invocations``."""
        trace = self._error.__traceback__
        while trace is not None and trace.tb_frame.f_code is not _PREDICT:
            trace = trace.tb_next
        if self._caller is not None:
            trace = TracebackType(trace or self._error.__traceback__, self._caller, *self._at)
        return "".join(traceback.format_exception(type(self._error), self._error, trace))
