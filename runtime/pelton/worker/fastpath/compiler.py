"""A model's signature compiled into its fast path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models.utils import _enforce_params_schema
from mlflow.pyfunc import PyFuncModel
from mlflow.types.schema import DataType

from pelton.worker.fastpath import batch, matrix, raw, tabular, tensor
from pelton.worker.fastpath.cells import KINDS
from pelton.worker.fastpath.decoded import Decoded, Share, shares_of
from pelton.worker.fastpath.document import is_certain, parse, parse_as_mlflow
from pelton.worker.fastpath.encoding import RowTexts, encode, rows_body
from pelton.worker.fastpath.prediction import Failure, Predictor, without_enforcement
from pelton.worker.fastpath.table import INPUTS, INSTANCES, RECORDS, SPLIT
from pelton.worker.fastpath.tabular import Columns, Tables
from pelton.worker.fastpath.tensor import Arrays, TensorSpec, untyped
from pelton.worker.fastpath.witness import JSON, Witness

_FORMATS = frozenset({SPLIT, RECORDS, INPUTS, INSTANCES})
#: Bodies from here on are read by ``matrix`` if they begin like one of these.
_LARGE_BYTES = 4096
_HEAD_BYTES = 64
_PATHS = {b"dataframe_split": (SPLIT, "data"), b"inputs": (INPUTS,), b"instances": (INSTANCES,)}

_JSON_TYPE = re.compile(r"\s*application/json\s*(?:;\s*charset=(?i:utf-8)\s*)?")

#: Distinct values of ``params`` that are remembered as accepted by MLflow.
_MAX_PARAMS = 1024


@dataclass(frozen=True)
class Unsupported:
    """Why a model has no fast path."""

    reason: str


class FastPath:
    """Decode, predict and encode for one model, each equal to MLflow's or not done at all.

    Safe to use from several threads; ``predict`` is as safe as the model. Made by
    ``compile_fast_path``.
    """

    def __init__(
        self, model: PyFuncModel, tables: Tables | None, arrays: Arrays | None, is_hinted: bool
    ) -> None:
        self.model = model
        self.witness = Witness(model)
        self._tables = tables
        self._arrays = arrays
        self._is_hinted = is_hinted
        self._has_schema = model.metadata.get_input_schema() is not None
        self._params_schema = model.metadata.get_params_schema()
        params = self._params_schema.params if self._params_schema else ()
        self._param_names = frozenset(param.name for param in params)
        self._predictor = Predictor(model)
        decoder = tables or arrays
        self._paths = _PATHS if decoder is not None and decoder.takes_floats else {}
        self._accepted_params: set[str] = set()

    def decode(self, body: bytes, content_type: str | None) -> Decoded | None:
        """Return the request in ``body``; ``None`` if the raw bytes must go to the oracle."""
        try:
            return self._decode(body, content_type)
        except Exception:  # whatever is unusual here may be usual to MLflow
            return None

    def decode_together(
        self, bodies: Sequence[bytes], content_types: Sequence[str | None]
    ) -> list[Share] | None:
        """Return the requests in several bodies; ``None`` if they are to be decoded one by one."""
        decoder = self._tables or self._arrays
        if decoder is None or self._is_hinted or set(content_types) != {JSON}:
            return None
        try:
            found = decoder.decode_together(bodies)
        except Exception:  # whoever is unusual among them will be found
            return None
        if found is None:
            return None
        return shares_of(*found)

    def build_ahead(self, decoded: Decoded) -> None:
        """Build the input that ``predict`` will need for ``decoded``; may do nothing."""
        self._predictor.build_ahead(decoded)

    def predict(self, decoded: Decoded) -> Any:
        """Return the flavour's output, called as ``PyFuncModel.predict`` calls it.

        Raises:
            BaseException: whatever the model raises.
        """
        return self._predictor.predict(decoded)

    def encode(self, output: Any, decoded: Decoded | Share) -> bytes | None:
        """Return the body of MLflow's answer; ``None`` if MLflow's encoder must be asked."""
        try:
            return encode(output, decoded.unwrapped)
        except Exception:  # no JSON: MLflow's encoder fails as well, after its own fashion
            return None

    def encode_parts(
        self, parts: Sequence[Any], requests: Sequence[Decoded | Share]
    ) -> list[bytes | None]:
        """Return what ``encode`` does for each of ``requests`` and its part of an output."""
        if len(parts) > 1 and type(parts[0]) is RowTexts:  # none of several is unwrapped
            return list(map(rows_body, parts))
        return [self.encode(part, own) for part, own in zip(parts, requests, strict=True)]

    def error(
        self, error: Exception, decoded: Decoded | Share, body: bytes, content_type: str
    ) -> Failure:
        """Return MLflow's answer to a request whose ``predict`` raised; see ``Predictor``."""
        return self._predictor.failure(error, decoded, body, content_type)

    def assemble(self, requests: Sequence[Decoded | Share]) -> Decoded:
        """Return one request with the rows of all ``requests``, which are of one group."""
        return batch.assemble(requests)

    def split(self, output: Any, requests: Sequence[Decoded | Share]) -> list[Any] | None:
        """Return the output of each of ``requests``; ``None`` if it is not aligned with rows."""
        return batch.split(output, requests)

    def samples(self) -> list[bytes]:
        """Return JSON requests in every form the signature allows; none without a signature."""
        if self._tables is not None:
            return self._tables.samples()
        return [] if self._arrays is None else self._arrays.samples()

    def _decode(self, body: bytes, content_type: str | None) -> Decoded | None:
        if content_type != JSON and not _JSON_TYPE.fullmatch(content_type or ""):
            return None
        if self._is_hinted:
            document = parse_as_mlflow(body)
            if raw.is_unified(document):
                return raw.unified(body, self._param_names)
            decoded = raw.hinted(body)
            return decoded if self._accepts(decoded.params) else None
        if self._tables is not None:
            known = self._tables.decode_known(body)
            if known is not None:
                return tabular.decoded(*known, None)
        if len(body) >= _LARGE_BYTES:
            numbers = self._decode_numbers(body)
            if numbers is not None:
                return numbers
        return self._decode_document(parse(body), body)

    def _decode_numbers(self, body: Any) -> Decoded | None:
        """Return the request in a body that is one matrix of floats, all but a few bytes."""
        first_key = bytes(body[:_HEAD_BYTES]).partition(b'"')[2].partition(b'"')[0]
        path = self._paths.get(first_key)
        if path is None:
            return None
        try:
            document = matrix.read(body, path)
            return None if document is None else self._decode_document(document, body)
        except Exception:  # it is to be read as a document, or by the oracle
            return None

    def _decode_document(self, document: Any, body: bytes) -> Decoded | None:
        if raw.is_unified(document):
            return raw.unified(body, self._param_names)
        params = None
        if len(document) == 1:
            ((key, value),) = document.items()
        else:
            formats = _FORMATS & document.keys()
            (key,) = formats
            value = document[key]
            params = document.get("params")
            for other, member in document.items():
                if other != key and not is_certain(member):
                    return None
        if key not in _FORMATS or not self._accepts(params):
            return None
        if key in (SPLIT, RECORDS) or (self._tables is not None and self._has_schema):
            if self._tables is None:
                return None
            is_plain = len(document) == 1
            table = self._tables.decode(key, value, body, learns=is_plain)
            return tabular.decoded(*table, params)
        if self._has_schema:
            if self._arrays is None:
                return None
            is_plain = len(document) == 1
            tensors, arrays, rows = self._arrays.decode(key, value, body, learns=is_plain)
        else:
            if key == INSTANCES and type(value) is list and type(value[0]) is dict:
                return None
            tensors, arrays, rows = untyped(value)
        if key == INSTANCES and {len(array) for array in arrays} != {rows}:
            return None
        return tensor.decoded(tensors, arrays, rows, params)

    def _accepts(self, params: Any) -> bool:
        """Return whether MLflow accepts ``params``; if not, it must tell the caller so."""
        if params is None or self._params_schema is None:
            return True
        known = repr(params)
        if known in self._accepted_params:
            return True
        try:
            _enforce_params_schema(params, self._params_schema)
        except Exception:  # of any type: MLflow reports it in its own words
            return False
        if len(self._accepted_params) < _MAX_PARAMS:
            self._accepted_params.add(known)
        return True


def compile_fast_path(model: PyFuncModel) -> FastPath | Unsupported:
    """Return the fast path of ``model``, or why it has none. No code of the model runs."""
    if type(model) is not PyFuncModel:
        return Unsupported(f"the model is a {type(model).__name__}, not a plain PyFuncModel")
    if not _passes_through(model):
        return Unsupported("this mlflow does more than enforce the schema before it predicts")
    witness = Witness(model)
    metadata = model.metadata
    if metadata._is_signature_from_type_hint():
        return FastPath(model, None, None, True)
    schema = metadata.get_input_schema()
    if schema is None:
        return FastPath(model, Tables(None, witness), None, False)
    if schema.is_tensor_spec():
        specs = [TensorSpec(spec.name, spec.type, tuple(spec.shape)) for spec in schema.inputs]
        return FastPath(model, None, Arrays(specs, witness), False)
    is_named = schema.has_input_names()
    labels = schema.input_names() if is_named else range(len(schema.inputs))
    columns = {
        label: KINDS.get(spec.type.name) if isinstance(spec.type, DataType) else None
        for label, spec in zip(labels, schema.inputs, strict=True)
    }
    required = frozenset(schema.required_input_names() if is_named else labels)
    nested = [label for label in required if columns[label] is None]
    if nested and not (
        metadata.flavors.get("python_function", {}).get("loader_module", "")
    ).startswith("mlflow.pyfunc.loaders."):
        return Unsupported(f"column {nested[0]!r} is not a scalar")
    return FastPath(model, Tables(Columns(columns, required, is_named), witness), None, False)


def _passes_through(model: PyFuncModel) -> bool:
    """Return whether an input reaches the flavour untouched once there is no schema to enforce."""

    class Catch:
        def predict(self, data: Any, params: Any = None) -> Any:
            return data, params

    bare = without_enforcement(PyFuncModel(model_meta=model.metadata, model_impl=Catch()))
    for data in (pd.DataFrame({"a": [1.0]}), np.zeros((1, 1)), {"a": np.zeros(1)}, ["a"]):
        try:
            seen, _ = bare.predict(data)
        except Exception:  # a mlflow this was not written for
            return False
        if seen is not data:
            return False
    return True
