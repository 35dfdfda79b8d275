from pathlib import Path

import pytest
from benchmarks import underload
from benchmarks.wire import latencies_s, require

from pelton import platform
from pelton.errors import ConfigError

SERVER = 40001


def packet(at_s: float, source: int, destination: int, size: int) -> str:
    return f"{at_s:.9f} IP 127.0.0.1.{source} > 127.0.0.1.{destination}: tcp {size}"


def test_a_latency_is_from_a_request_to_the_beginning_of_its_answer() -> None:
    lines = [
        packet(1795972973.001, 50001, SERVER, 310),
        packet(1795972973.002, 50002, SERVER, 310),
        packet(1795972973.0025, SERVER, 50001, 0),
        packet(1795972973.003, 50002, SERVER, 90),
        packet(1795972973.005, SERVER, 50002, 300),
        packet(1795972973.0051, SERVER, 50002, 900),
        packet(1795972973.008, SERVER, 50001, 300),
        packet(1795972973.010, 50001, SERVER, 310),
        packet(1795972973.014, SERVER, 50001, 300),
    ]

    assert latencies_s(lines, SERVER) == pytest.approx([0.003, 0.007, 0.004], abs=1e-6)


def test_large_requests_and_those_without_an_answer_are_left_out() -> None:
    lines = [
        packet(1.0, 50001, SERVER, 30_000),
        packet(1.1, 50001, SERVER, 30_000),
        packet(1.2, SERVER, 50001, 300),
        packet(1.3, 50002, SERVER, 300),
        packet(1.4, SERVER, 50003, 300),
        packet(1.5, 50004, 50005, 300),
    ]

    assert latencies_s(lines, SERVER) == []


@pytest.mark.parametrize("line", ["", "reading from file packets", "1.0 IP6 ::1.1 > ::1.2: tcp 3"])
def test_what_is_no_packet_of_this_kind_is_passed_over(line: str) -> None:
    assert latencies_s([line], SERVER) == []


def test_without_tcpdump_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="install it"):
        require()


def test_where_it_may_not_listen_it_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing = tmp_path / "tcpdump"
    refusing.write_text(
        "#!/bin/sh\necho 'tcpdump: lo: You do not have permission to capture' >&2\nexit 1\n"
    )
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ConfigError, match=r"run as root.*permission"):
        require()


def test_nothing_is_measured_where_it_cannot_be_recorded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert underload.main(["--wire"]) == 2
    assert "install it" in capsys.readouterr().err


def test_nothing_is_measured_where_real_time_is_not_permitted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "run_in_real_time", lambda is_real_time: False)
    assert underload.main(["--priority", "realtime"]) == 2
    assert "ulimit -r 1" in capsys.readouterr().err
