"""Where the request bodies come from: a file, the model's own example, or its signature."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pelton.bench import signature
from pelton.bench.modeldir import ModelDir
from pelton.bench.request import Body
from pelton.errors import ConfigError

_CONTENT_TYPES = {
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
}


@dataclass(frozen=True)
class Bodies:
    """The distinct bodies of a run.

    Attributes:
        bodies: at least one.
        origin: where they are from, for the report.
        shares: rows -> share of requests, ``None`` when every body is as likely.
    """

    bodies: list[Body]
    origin: str
    shares: dict[int, float] | None = None


def from_file(path: Path) -> Bodies:
    """Read ``.jsonl`` (a request a line), or any other file as one body.

    A line may also be ``{"request": ..., "response": ...}``: then answers are checked against it.

    Raises:
        ConfigError: the file cannot be read, is empty, or a line is not JSON.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the requests cannot be read: {error}") from error
    if not content.strip():
        raise ConfigError(f"{path} is empty")
    if path.suffix != ".jsonl":
        kind = _CONTENT_TYPES.get(path.suffix, "application/json")
        rows = _rows_of_json(content) if kind == "application/json" else 0
        return Bodies([Body(content, rows, kind)], str(path))
    bodies = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"{path}, line {number} is not JSON: {error}") from error
        answer = None
        if isinstance(value, dict) and value.keys() == {"request", "response"}:
            answer = json.dumps(value["response"]).encode()
            value = value["request"]
            line = json.dumps(value).encode()
        bodies.append(Body(line, rows_of(value), answer=answer))
    return Bodies(bodies, str(path))


def from_model(model: ModelDir, mix: dict[int, float] | None, *, distinct: int) -> Bodies:
    """Make bodies from the model's input example, else from its signature.

    Args:
        model: the model.
        mix: rows -> share; ``None`` = the example as it was logged, or one row.
        distinct: different bodies of each size, where they are made from the signature.

    Raises:
        ConfigError: the model has neither, or an example whose rows cannot be multiplied.
    """
    example = model.example()
    if example is not None:
        if mix is None:
            return Bodies([_body(example)], "the model's input example")
        bodies = [
            _body(_resized(example, rows, start))
            for rows in mix
            for start in range(min(distinct, max(1, rows_of(example))))
        ]
        return Bodies(bodies, "the model's input example, its rows repeated", mix)
    return from_signature(model, mix, distinct=distinct)


def from_signature(model: ModelDir, mix: dict[int, float] | None, *, distinct: int) -> Bodies:
    """Make bodies up from the model's signature; arguments as for :func:`from_model`.

    Raises:
        ConfigError: the model has no signature.
    """
    inputs = model.inputs
    if not inputs:
        raise ConfigError(
            f"{model.path} has neither an input example nor a signature; "
            "say what to send with --input FILE"
        )
    mix = mix or {1: 1.0}
    bodies = [
        _body(signature.payload(inputs, rows, seed, hinted=model.has_type_hints), rows)
        for rows in mix
        for seed in range(distinct)
    ]
    return Bodies(bodies, "made up from the model's signature", mix)


def rows_of(value: Any) -> int:
    """Count the rows of a request; 1 for what has none (a chat), 0 for what is no request."""
    if not isinstance(value, dict):
        return 0
    if "dataframe_split" in value:
        return len(value["dataframe_split"].get("data", ()))
    if "dataframe_records" in value:
        return len(value["dataframe_records"])
    tensor = value.get("inputs", value.get("instances"))
    if isinstance(tensor, dict) and tensor:
        tensor = next(iter(tensor.values()))
    return len(tensor) if isinstance(tensor, list) else 1


def _body(value: Any, rows: int | None = None) -> Body:
    return Body(json.dumps(value).encode(), rows_of(value) if rows is None else rows)


def _rows_of_json(content: bytes) -> int:
    try:
        return rows_of(json.loads(content))
    except ValueError:
        return 0


def _resized(value: dict[str, Any], rows: int, start: int) -> dict[str, Any]:
    """Return a request with ``rows`` rows, taken in turn from the example's, from ``start`` on."""
    if "dataframe_split" in value:
        frame = value["dataframe_split"]
        data = _cycled(frame["data"], rows, start)
        return {**value, "dataframe_split": {"columns": frame["columns"], "data": data}}
    for name in ("dataframe_records", "inputs", "instances"):
        part = value.get(name)
        if isinstance(part, list) and part:
            return {**value, name: _cycled(part, rows, start)}
        if isinstance(part, dict) and all(isinstance(v, list) and v for v in part.values()):
            return {**value, name: {k: _cycled(v, rows, start) for k, v in part.items()}}
    if rows == 1:
        return value
    raise ConfigError("the model's input example has no rows to repeat; leave --rows out")


def _cycled(items: Iterable[Any], count: int, start: int) -> list[Any]:
    items = list(items)
    return [items[(start + i) % len(items)] for i in range(count)]
