"""Each kernel beside its reference, over the sizes where one or the other wins."""

from __future__ import annotations

import json
import time
from itertools import chain
from typing import Any

import numpy as np
import orjson
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pelton_kernels import json_lists, json_numbers

pytestmark = pytest.mark.benchmark(timer=time.thread_time, min_rounds=5, warmup=True)

_SIZES = [1, 8, 24, 64, 1000, 100_000]
_SHAPES = [(1, 100), (4, 100), (16, 100), (1000, 100), (1, 784), (64, 784)]


def _floats(size: int) -> Any:
    return np.random.default_rng(0).random(size) + 0.5


@pytest.mark.parametrize("size", _SIZES)
def test_json_numbers(benchmark: BenchmarkFixture, size: int) -> None:
    benchmark(json_numbers.text, _floats(size))


@pytest.mark.parametrize("size", _SIZES)
def test_json_numbers_reference(benchmark: BenchmarkFixture, size: int) -> None:
    benchmark(json_numbers.reference, _floats(size))


def _matrix(shape: tuple[int, int]) -> bytes:
    return json.dumps(np.random.default_rng(0).normal(size=shape).tolist()).encode()


@pytest.mark.parametrize("shape", _SHAPES)
def test_json_lists(benchmark: BenchmarkFixture, shape: tuple[int, int]) -> None:
    assert benchmark(json_lists.read, _matrix(shape), 0) is not None


@pytest.mark.parametrize("shape", _SHAPES)
def test_json_lists_reference(benchmark: BenchmarkFixture, shape: tuple[int, int]) -> None:
    benchmark(json_lists.reference, _matrix(shape), 0)


@pytest.mark.parametrize("texts", [1, 8, 32, 128])
def test_json_lists_several(benchmark: BenchmarkFixture, texts: int) -> None:
    """Rows of 4 in as many texts."""
    bodies = [_matrix((1, 4))] * texts
    assert benchmark(json_lists.read_several, bodies, b"", b"") is not None


@pytest.mark.parametrize("shape", _SHAPES)
def test_json_lists_by_orjson(benchmark: BenchmarkFixture, shape: tuple[int, int]) -> None:
    """What is done where the kernel declines: parse, check each type, convert."""
    body = _matrix(shape)

    def read() -> Any:
        cells = list(chain.from_iterable(orjson.loads(body)))
        assert set(map(type, cells)) == {float}
        return np.array(cells, dtype=np.float64).reshape(shape)

    benchmark(read)
