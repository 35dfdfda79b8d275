import asyncio

import pytest

from pelton.bench.floor import measure_ceiling
from pelton.bench.request import Body


@pytest.mark.parametrize(("sent", "received"), [(200, 50), (300_000, 50), (50, 300_000)])
def test_the_generators_own_ceiling_is_measured(sent: int, received: int) -> None:
    ceiling = asyncio.run(measure_ceiling(Body(b"x" * sent), received, 0.2))
    assert ceiling.rate > 0
    assert ceiling.cpu_us > 0
