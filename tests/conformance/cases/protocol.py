"""Content types, charsets, headers and framing of ``/invocations``."""

from __future__ import annotations

import gzip
import json

from tests.conformance.case import CSV, JSON, PARQUET, Case, raw
from tests.conformance.cases.frames import FOUR, ROW

_BODY = json.dumps({"dataframe_split": {"columns": FOUR, "data": [ROW]}}).encode()
_CSV = (",".join(FOUR) + "\n5.1,3.5,1.4,0.2\n").encode()

_CONTENT_TYPES = [
    *["application/json; charset=utf-8", "application/json;charset=UTF-8", "application/json ;"],
    *["application/json;", "application/json; charset=utf-16", "application/json; charset="],
    *['application/json; charset="utf-8"', "application/json; charset=latin-1"],
    *["application/json; charset=utf-8; charset=latin-1", "application/json; charset =utf-8"],
    *["application/json; version=1", "application/json; a=1; b=2; c=3", "application/json; x"],
    *["application/json; charset=utf8", "application/json; CHARSET=utf-8", "  application/json  "],
    *["Application/JSON", "application/json, text/csv", "application/json-split", "text/json"],
    *["application/json; format=pandas-split", "application/vnd.api+json", "text/plain", "*/*"],
    *["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json", ";", "x/y"],
    *["application/octet-stream", "text/csv; header=present", "text/html; charset=latin-1"],
]


def cases() -> dict[str, list[Case]]:
    return {
        "sklearn4": [*_types(), *_headers(), *_bodies()],
        "witness": [raw(f"type {t}", b'{"inputs": [1]}', t) for t in _CONTENT_TYPES[:8]],
        "hint-ints": [raw(f"type {t}", b'{"inputs": [1]}', t) for t in _CONTENT_TYPES[:8]],
        "raises": [raw("type missing", _BODY, None), raw("type text/plain", _BODY, "text/plain")],
    }


def _types() -> list[Case]:
    return [
        *[raw(f"type {content_type}", _BODY, content_type) for content_type in _CONTENT_TYPES],
        raw("type csv with charset", _CSV, "text/csv; charset=utf-8"),
        raw("type csv with bad charset", _CSV, "text/csv; charset=latin-1"),
        raw("type csv in capitals", _CSV, "TEXT/CSV"),
        raw("type missing", _BODY, None),
        raw("type empty", _BODY, ""),
        raw("type twice", _BODY, JSON, headers=(("Content-Type", CSV),)),
    ]


def _headers() -> list[Case]:
    def with_header(name: str, *headers: tuple[str, str], body: bytes = _BODY) -> Case:
        return raw(f"header {name}", body, JSON, headers=headers)

    return [
        with_header("accept", ("Accept", "text/csv")),
        with_header("accept nothing", ("Accept", "image/png;q=0")),
        with_header("gzip answer", ("Accept-Encoding", "gzip, br")),
        with_header("gzip body", ("Content-Encoding", "gzip"), body=gzip.compress(_BODY, mtime=0)),
        with_header("gzip lie", ("Content-Encoding", "gzip")),
        with_header("origin", ("Origin", "http://example.com")),
        with_header("cookie", ("Cookie", "a=b")),
        with_header("authorization", ("Authorization", "Bearer x")),
        with_header("forwarded", ("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-Proto", "https")),
        with_header("expect", ("Expect", "100-continue")),
        with_header("connection", ("Connection", "close")),
        raw("chunked", _BODY, JSON, chunked=True),
        raw("chunked csv", _CSV, CSV, chunked=True),
        raw("query", _BODY, JSON, path="/invocations?a=b&c"),
        raw("escaped path", _BODY, JSON, path="/invo%63ations"),
    ]


def _bodies() -> list[Case]:
    return [
        raw("body csv as json", _CSV, JSON),
        raw("body json as csv", _BODY, CSV),
        raw("body json as parquet", _BODY, PARQUET),
        raw("body empty csv", b"", CSV),
        raw("body empty parquet", b"", PARQUET),
        raw("body truncated parquet", b"PAR1garbagePAR1", PARQUET),
        raw("body without rows as csv", (",".join(FOUR) + "\n").encode(), CSV),
        raw("body csv with text", _CSV.replace(b"5.1", b"abc"), CSV),
        raw("body csv with gap", _CSV.replace(b"5.1", b""), CSV),
        raw("body csv without a column", b"a,b\n1,2\n", CSV),
        raw("body csv reordered", (",".join(FOUR[::-1]) + "\n1,2,3,4\n").encode(), CSV),
        raw("body padded", b" " * 1_000_000 + _BODY, JSON),
    ]
