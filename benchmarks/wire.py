"""Latency on the wire: what a client sees that never waits for a core.

A generator that shares cores with the server tells its own waiting, too; the server's account does
not know how long a request waited before it was read. `tcpdump` notes when the kernel handed over a
request's packet, and the answer's.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

from pelton.bench.histogram import Histogram
from pelton.errors import ConfigError

_SMALL_BYTES: Final = 32_768  # of a request; others are not counted
_PACKET: Final = re.compile(r"([\d.]+) IP \S+\.(\d+) > \S+\.(\d+): tcp (\d+)$")
_LISTENING: Final = b"listening on"
_LAST_S: Final = 0.2  # by then the kernel has handed over its last packets


@contextlib.asynccontextmanager
async def on_the_wire(port: int) -> AsyncIterator[Histogram]:
    """Record the latencies of small requests to a port of this machine.

    Yields:
        Seconds from a request to the beginning of its answer; filled in on leaving.

    Raises:
        ConfigError: `tcpdump` is not there, or may not listen.
    """
    if shutil.which("tcpdump") is None:
        raise ConfigError(
            "latency on the wire needs tcpdump: install it with the system's packages"
        )
    latencies = Histogram()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "packets")
        pushed = f"tcp port {port} and tcp[tcpflags] & tcp-push != 0"
        options = ("-i", "lo", "-n", "-s", "80", "-B", "65536", "--time-stamp-precision=nano", "-U")
        process = await asyncio.create_subprocess_exec(
            *("tcpdump", *options, "-w", str(path), pushed), stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        try:
            said = await process.stderr.readline()
            if _LISTENING not in said:
                why = (said + await process.stderr.read()).decode("utf-8", "replace").strip()
                raise ConfigError(f"tcpdump cannot listen (run as root): {why}")
            yield latencies
            await asyncio.sleep(_LAST_S)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
        lines = await asyncio.create_subprocess_exec(
            *("tcpdump", "-r", str(path), "-n", "-tt", "-q", "--time-stamp-precision=nano"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        printed, _ = await lines.communicate()
        latencies.record(latencies_s(printed.decode().splitlines(), port))


def require() -> None:
    """See that :func:`on_the_wire` works here, before anything is measured.

    Raises:
        ConfigError: as there.
    """

    async def listen() -> None:
        async with on_the_wire(1):
            pass

    asyncio.run(listen())


def latencies_s(lines: Iterable[str], port: int) -> list[float]:
    """Read the latencies of small requests from `tcpdump -n -tt -q`.

    Args:
        lines: one for each packet.
        port: the server's.

    Returns:
        Seconds from the first packet of a request to the first of its answer.
    """
    asked: dict[int, tuple[float, int]] = {}
    latencies = []
    for line in lines:
        if not (packet := _PACKET.match(line)):
            continue
        at_s, source, destination, size = float(packet[1]), *map(int, packet.group(2, 3, 4))
        if size == 0:
            continue
        if destination == port:
            first_s, sent = asked.get(source, (at_s, 0))
            asked[source] = first_s, sent + size
        elif source == port and destination in asked:
            first_s, sent = asked.pop(destination)
            if sent <= _SMALL_BYTES:
                latencies.append(at_s - first_s)
    return latencies
