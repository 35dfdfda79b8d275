"""What a case is, and the short ways to write the requests of each format."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

JSON = "application/json"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"


@dataclass(frozen=True)
class Case:
    """One request, sent as it stands: nothing is added to it but Host and the body's framing."""

    name: str
    body: bytes = b""
    content_type: str | None = JSON
    method: str = "POST"
    path: str = "/invocations"
    headers: tuple[tuple[str, str], ...] = ()
    chunked: bool = False


def raw(name: str, body: str | bytes, content_type: str | None = JSON, **fields: Any) -> Case:
    """A body as written; text is encoded as UTF-8, lone surrogates too."""
    data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    return Case(name, data, content_type, **fields)


def document(name: str, value: Any) -> Case:
    """Any JSON document. NaN and infinities are written as Python's tokens for them."""
    return raw(name, json.dumps(value))


def split(name: str, data: Any, columns: Any = None, index: Any = None, **beside: Any) -> Case:
    """``dataframe_split``; keyword arguments are further keys of the document."""
    frame = {"columns": columns, "index": index, "data": data}
    frame = {key: value for key, value in frame.items() if value is not None}
    return document(name, {"dataframe_split": frame, **beside})


def records(name: str, rows: Any, **beside: Any) -> Case:
    return document(name, {"dataframe_records": rows, **beside})


def inputs(name: str, value: Any, **beside: Any) -> Case:
    return document(name, {"inputs": value, **beside})


def instances(name: str, value: Any, **beside: Any) -> Case:
    return document(name, {"instances": value, **beside})


def csv(name: str, text: str | bytes) -> Case:
    return raw(name, text, CSV)


def parquet(name: str, table: dict[str, Any], metadata: dict[bytes, bytes] | None = None) -> Case:
    """A Parquet file of pyarrow arrays (or what makes them) by column name."""
    import pyarrow
    import pyarrow.parquet

    sink = pyarrow.BufferOutputStream()
    content = pyarrow.table(table)
    pyarrow.parquet.write_table(content.replace_schema_metadata(metadata), sink)
    return Case(name, sink.getvalue().to_pybytes(), PARQUET)


def in_formats(name: str, row: dict[str, Any]) -> list[Case]:
    """One row in the four JSON formats."""
    return [
        split(f"{name} split", [list(row.values())], list(row)),
        records(f"{name} records", [row]),
        inputs(f"{name} inputs", {column: [value] for column, value in row.items()}),
        instances(f"{name} instances", [row]),
    ]


def frames(name: str, rows: list[dict[str, Any]]) -> list[Case]:
    """Rows with equal keys in the four JSON formats."""
    columns = list(rows[0])
    return [
        split(f"{name} split", [[row[c] for c in columns] for row in rows], columns),
        records(f"{name} records", rows),
        inputs(f"{name} inputs", {c: [row[c] for row in rows] for c in columns}),
        instances(f"{name} instances", rows),
    ]
