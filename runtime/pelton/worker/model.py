"""One loaded pyfunc model and the oracle: MLflow's own scoring code on the raw bytes.

Contract: ``mlflow.pyfunc.scoring_server.invocations`` and ``init`` of the mlflow in this
environment. Whatever is done here, MLflow's server does too, in the same order.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import traceback
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pelton.channel.messages import LoadSpec

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel


class Answer(NamedTuple):
    """An HTTP answer without HTTP: status, value of content-type, body."""

    status: int
    media_type: str
    body: bytes


INTERNAL_SERVER_ERROR = Answer(500, "text/plain; charset=utf-8", b"Internal Server Error")
"""What Starlette answers when MLflow's handler itself fails (an output that is no JSON, say)."""


class LoadedModel:
    """A loaded model, its schema and its way to be asked.

    Attributes:
        pyfunc: the ``PyFuncModel``.
        path: local folder of the model.
        load_s: seconds that import and load took.
    """

    def __init__(self, pyfunc: PyFuncModel, path: Path, load_s: float) -> None:
        from mlflow.exceptions import MlflowException
        from mlflow.pyfunc import scoring_server
        from mlflow.version import VERSION

        self.pyfunc = pyfunc
        self.path = path
        self.load_s = load_s
        self._fast_path: Any = None
        self.mlflow_version: str = VERSION
        self.input_schema = pyfunc.metadata.get_input_schema()
        self._invocations = scoring_server.invocations
        self._to_json = scoring_server.predictions_to_json
        self._unwrapped_to_json = scoring_server.unwrapped_predictions_to_json
        self._mlflow_exception: type[Any] = MlflowException
        # mlflow < 2.21 was a Flask application, which handed the body over as text.
        self._wants_text = _version_tuple(VERSION) < (2, 21)

    @classmethod
    def load(cls, spec: LoadSpec) -> LoadedModel:
        """Load the model of ``spec``, as ``mlflow.pyfunc.scoring_server.app`` does.

        Raises:
            Exception: whatever the model's loader raises.
        """
        started = time.monotonic()
        paths = list(spec.python_paths)
        if spec.accelerators.endswith(f"-cp{sys.version_info[0]}{sys.version_info[1]}"):
            paths.append(spec.accelerators)
        sys.path += [entry for entry in paths if entry not in sys.path]
        from mlflow.pyfunc import scoring_server

        pyfunc = scoring_server.load_model_with_mlflow_config(spec.model_path)
        # scoring_server.init sets it after the model is loaded; type hints depend on it.
        os.environ["_MLFLOW_IS_IN_SERVING_ENVIRONMENT"] = "true"
        return cls(pyfunc, Path(spec.model_path), time.monotonic() - started)

    def ask(self, body: bytes | bytearray | memoryview, content_type: str | None) -> Answer:
        """Answer one request exactly as MLflow's server would.

        Raises:
            BaseException: only what is no ``Exception``, such as ``SystemExit`` of the model.
        """
        data: bytes | str = bytes(body)
        try:
            if self._wants_text:
                data = bytes(body).decode("utf-8")
            result = self._invocations(data, content_type, self.pyfunc, self.input_schema)
            return Answer(
                result.status, _content_type_header(result.mimetype), result.response.encode()
            )
        except self._mlflow_exception as error:
            return Answer(
                error.get_http_status_code(), "application/json", error.serialize_as_json().encode()
            )
        except Exception:  # MLflow's server lets it out to Starlette, which logs and answers 500
            traceback.print_exc()
            return INTERNAL_SERVER_ERROR

    def encode(self, output: Any, *, unwrapped: bool) -> Answer:
        """Encode a raw prediction with MLflow's own encoder."""
        text = StringIO()
        try:
            if unwrapped:
                self._unwrapped_to_json(output, text)
            else:
                self._to_json(output, text)
        except Exception:
            traceback.print_exc()
            return INTERNAL_SERVER_ERROR
        return Answer(200, "application/json", text.getvalue().encode())

    def compile_fast_path(self) -> Any:
        """Return the model's ``FastPath``, compiled once, or why it has none, a string.

        Runs no code of the model.
        """
        if self._fast_path is None:
            try:
                from pelton.worker.fastpath import Unsupported, compile_fast_path
            except ImportError as error:
                self._fast_path = f"this environment lacks {error.name}"
                return self._fast_path
            try:
                fast = compile_fast_path(self.pyfunc)
            except Exception as error:  # a mlflow it was not written for
                self._fast_path = f"{type(error).__name__}: {error}"[:500]
            else:
                self._fast_path = fast.reason if isinstance(fast, Unsupported) else fast
        return self._fast_path

    def input_example(self) -> tuple[str, bytes] | None:
        """Return the logged input example as (content type, request body), or ``None``.

        mlflow >= 2.15 saves it in the form of a request; older models have only the bare
        example, which cannot be turned into a request without guessing its format.
        """
        path = self.path / "serving_input_example.json"
        try:
            return "application/json", path.read_bytes()
        except OSError:
            return None

    def report(self) -> dict[str, Any]:
        """Return what the server wants to know of a loaded model."""
        metadata = self.pyfunc.metadata
        return {
            "load_s": self.load_s,
            "mlflow": self.mlflow_version,
            "python": sys.version.split()[0],
            "has_signature": metadata.signature is not None,
            "has_example": self.input_example() is not None,
            "model_uuid": metadata.model_uuid,
        }

    def fork_danger(self) -> str | None:
        """Return why this process must not be forked, or ``None`` if nothing speaks against it.

        Native pools that a library starts at import survive a fork where the library registers
        fork handlers (OpenBLAS does); whether this model's do is proven afterwards, by the
        forked worker's own warm-up under a time limit.
        """
        others = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
        if others:
            return f"the model started Python threads ({', '.join(others[:3])})"
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            return "the model has initialised CUDA"
        return None

    def freeze(self) -> None:
        """Prepare the heap for sharing: no collection will write into what is loaded now."""
        gc.collect()
        gc.freeze()


def _content_type_header(media_type: str) -> str:
    """Return the header Starlette makes of a media type."""
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def _version_tuple(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
