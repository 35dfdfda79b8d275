"""Everything a model may answer or raise, as the codes of these models list it."""

from __future__ import annotations

import re

from tests.conformance.case import Case, records, split
from tests.zoo import MODELS

_MLFLOW_CODES = [
    *["INTERNAL_ERROR", "INVALID_STATE", "DATA_LOSS", "NOT_IMPLEMENTED"],
    *["TEMPORARILY_UNAVAILABLE", "DEADLINE_EXCEEDED", "REQUEST_LIMIT_EXCEEDED"],
    *["RESOURCE_EXHAUSTED", "CANCELLED", "ABORTED", "RESOURCE_CONFLICT", "ALREADY_EXISTS"],
    *["NOT_FOUND", "ENDPOINT_NOT_FOUND", "RESOURCE_DOES_NOT_EXIST", "PERMISSION_DENIED"],
    *["CUSTOMER_UNAUTHORIZED", "UNAUTHENTICATED", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS"],
    *["INVALID_PARAMETER_VALUE", "IO_ERROR", "UNKNOWN", "MODEL_ERROR"],
]
_EXCEPTIONS = [
    *["ValueError", "KeyError", "TypeError", "NotImplementedError", "ZeroDivisionError"],
    *["OSError", "TimeoutError", "MemoryError", "StopIteration", "AssertionError"],
    *["RecursionError", "ImportError", "CustomError", "chained", "MlflowException"],
    *["MlflowException.extra", "RestException", "none"],
]
_TEXTS = ["", "é \ud800 \0", "Failed to enforce schema of data", "a\nb", "%s {} \\"]


def cases() -> dict[str, list[Case]]:
    outputs = re.findall(r"def as_(\w+)", MODELS["outputs"].code_path.read_text())
    unencodable = re.findall(r'^    "(\w+)":', MODELS["unencodable"].code_path.read_text(), re.M)
    return {
        "outputs": [
            *[records(f"{kind} 1", [{"kind": kind}]) for kind in outputs],
            *[split(f"{kind} 3", [[kind]] * 3, ["kind"]) for kind in outputs],
            records("unknown kind", [{"kind": "z"}]),
        ],
        "unencodable": [records(kind, [{"kind": kind}]) for kind in unencodable],
        "raises": [
            *[records(kind, [{"kind": kind}]) for kind in [*_MLFLOW_CODES, *_EXCEPTIONS]],
            *[
                records(f"{kind} {number}", [{"kind": kind, "text": text}])
                for kind in ("ValueError", "BAD_REQUEST", "INVALID_PARAMETER_VALUE")
                for number, text in enumerate(_TEXTS)
            ],
            records("many rows", [{"kind": "BAD_REQUEST", "text": str(i)} for i in range(200)]),
        ],
        "predict-raises": [
            records("good", [{"x": 1.0}]),
            records("bad", [{"x": "a"}]),
            records("no rows", []),
        ],
    }
