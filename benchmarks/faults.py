"""What a caller waits for when things go wrong: ``python -m benchmarks.faults [PART ...]``.

Parts: ``alive`` (from the command to the first answer of the liveness probe), ``timeout`` (a
prediction past its deadline, and the next one), ``kill`` (kill -9 of a worker under load), ``stop``
(Ctrl-C). Without a part, all of them. What a flood does is measured by ``benchmarks.overload``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from tests.e2e.endpoint import environment
from tests.faults.faulty import Faulty
from tests.faults.wire import Wire, request
from tests.zoo import build

_LIVE = b"GET /v2/health/live HTTP/1.1\r\nHost: pelton\r\nConnection: close\r\n\r\n"


def _show(what: str, seconds: Sequence[float]) -> None:
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    print(
        f"{what:<46} n={len(ordered):<6} min={ordered[0] * 1000:8.1f} ms"
        f"  median={statistics.median(ordered) * 1000:8.1f} ms  p99={p99 * 1000:8.1f} ms"
        f"  max={ordered[-1] * 1000:8.1f} ms",
        flush=True,
    )


def alive(times: int = 10) -> None:
    """Time from the command to the first 200 of /v2/health/live, while the model still loads."""
    model = str(build("loads-slowly"))
    taken, empty = [], []
    # As where pelton is installed: its modules are compiled, here by the round that is not counted.
    variables = environment()
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    for _ in range(times + 1):
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        empty.append(time.monotonic() - began)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "pelton", "serve", model, "--env", "local"]
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            server = subprocess.Popen(
                [*command, "--port", str(port)],
                cwd=folder,
                env=variables,
                stderr=subprocess.DEVNULL,
            )
            while not _answers(port):
                time.sleep(0.001)
            taken.append(time.monotonic() - began)
            server.terminate()
            server.wait()
    _show("command to alive", taken[1:])
    _show("  of which: an interpreter that does nothing", empty[1:])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(_LIVE)
            return b" 200 " in connection.recv(4096)
    except OSError:
        return False


def timeout(times: int = 10) -> None:
    """Time to the 504 of a prediction of 30 s with ``--timeout 1``, and on to a good answer."""
    with Faulty("--concurrency", "1", "--timeout", "1") as endpoint:
        for fault, about in (
            ("sleep", "sleeps in Python"),
            ("spin", "computes in Python"),
            ("sleep_c", "sleeps in C"),
            ("sleep_gil", "sleeps in C and holds the interpreter lock"),
        ):
            late, again = [], []
            for _ in range(times):
                with Wire(endpoint.port) as wire:
                    began = time.monotonic()
                    wire.send(request(fault, 30))
                    assert wire.answer().status == 504
                    expired = time.monotonic()
                    status = 0
                    while status != 200:
                        wire.send(request("none", 0))
                        status = wire.answer().status
                    late.append(expired - began)
                    again.append(time.monotonic() - expired)
            _show(f"{about}: 504", late)
            _show("  next good answer after that", again)


def kill(seconds: float = 20.0, clients: int = 16) -> None:
    """Kill -9 of a worker each second, under load: what fails, and how soon it is told."""
    with Faulty("--concurrency", "2", "--queue-limit", "100") as endpoint:
        end = time.monotonic() + seconds
        outcomes: list[tuple[float, int]] = []  # (instant, status)

        def ask() -> None:
            with Wire(endpoint.port) as wire:
                while time.monotonic() < end:
                    wire.send(request("sleep", 0.02))
                    status = wire.answer().status
                    outcomes.append((time.monotonic(), status))

        threads = [threading.Thread(target=ask) for _ in range(clients)]
        for thread in threads:
            thread.start()
        kills = []
        while time.monotonic() < end - 2:
            # Three a minute are replaced at once; more of them is a crash loop.
            time.sleep(seconds / 4)
            workers = list(endpoint.workers().values())
            if workers:
                kills.append(time.monotonic())
                os.kill(random.choice(workers), signal.SIGKILL)
        for thread in threads:
            thread.join()
    failed = [(at, status) for at, status in outcomes if status != 200]
    delays = [min(at - k for k in kills if k <= at) for at, _ in failed]
    print(f"kills: {len(kills)}   answers: {dict(Counter(status for _, status in outcomes))}")
    if delays:
        _show("kill to the error of its request", delays)
    gaps = [after - before for (before, _), (after, _) in itertools.pairwise(sorted(outcomes))]
    _show("between two answers", gaps)


def stop(times: int = 5) -> None:
    """Time from SIGINT to the end of the last process."""
    taken = []
    for _ in range(times):
        with Faulty("--concurrency", "2") as endpoint:
            endpoint.assert_well()
            began = time.monotonic()
            assert endpoint.end(signal.SIGINT) == 0
            endpoint.until_gone()
            taken.append(time.monotonic() - began)
    _show("Ctrl-C to the last process's end", taken)


PARTS: dict[str, Callable[[], None]] = {
    "alive": alive,
    "timeout": timeout,
    "kill": kill,
    "stop": stop,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    chosen = parser.parse_args().parts or list(PARTS)
    load = os.getloadavg()[0]
    print(json.dumps({"cores": os.cpu_count(), "load": load, "python": sys.version.split()[0]}))
    for part in chosen:
        print(f"\n{part}: {PARTS[part].__doc__}")
        PARTS[part]()


if __name__ == "__main__":
    main()
