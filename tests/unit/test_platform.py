from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton import platform

GB = 1024**3


class FakeFiles(dict[str, str]):
    """Files by path; what is not in it does not exist."""

    def read(self, path: Path) -> str | None:
        text = self.get(str(path))
        return None if text is None else text.strip()


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> FakeFiles:
    fake = FakeFiles()
    monkeypatch.setattr(platform, "_read", fake.read)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr(
        os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 64 * GB // 4096}.__getitem__
    )
    return fake


def test_without_a_cgroup_the_machine_is_the_limit(files: FakeFiles) -> None:
    assert platform.usable_cores() == 16
    assert platform.memory_limit_bytes() == 64 * GB
    assert platform.FreeMemory().bytes() is None


def test_version_2_of_a_container(files: FakeFiles) -> None:
    files["/proc/self/cgroup"] = "0::/\n"
    files["/sys/fs/cgroup/cpu.max"] = "250000 100000\n"
    files["/sys/fs/cgroup/memory.max"] = f"{4 * GB}\n"
    files["/sys/fs/cgroup/memory.current"] = f"{GB}\n"
    files["/proc/meminfo"] = f"MemTotal: 1 kB\nMemAvailable: {32 * GB // 1024} kB\n"
    assert platform.usable_cores() == 3
    assert platform.memory_limit_bytes() == 4 * GB
    assert platform.FreeMemory().bytes() == 3 * GB


def test_tightest_of_the_nested_groups_counts(files: FakeFiles) -> None:
    files["/proc/self/cgroup"] = "0::/system.slice/a.service\n"
    files["/sys/fs/cgroup/system.slice/a.service/cpu.max"] = "max 100000"
    files["/sys/fs/cgroup/system.slice/cpu.max"] = "400000 100000"
    files["/sys/fs/cgroup/system.slice/a.service/memory.max"] = "max"
    files["/sys/fs/cgroup/system.slice/memory.max"] = str(2 * GB)
    assert platform.usable_cores() == 4
    assert platform.memory_limit_bytes() == 2 * GB


def test_version_1(files: FakeFiles) -> None:
    files["/proc/self/cgroup"] = "5:cpuacct,cpu:/docker/x\n4:memory:/docker/x\n1:name=systemd:/\n"
    files["/sys/fs/cgroup/cpu/cpu.cfs_quota_us"] = "50000"
    files["/sys/fs/cgroup/cpu/cpu.cfs_period_us"] = "100000"
    files["/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes"] = str(GB)
    files["/sys/fs/cgroup/memory/docker/x/memory.usage_in_bytes"] = str(GB // 4)
    assert platform.usable_cores() == 1
    assert platform.memory_limit_bytes() == GB
    assert platform.FreeMemory().bytes() == GB - GB // 4


def test_a_limit_that_changes_is_seen(files: FakeFiles) -> None:
    files["/proc/self/cgroup"] = "0::/\n"
    files["/sys/fs/cgroup/memory.max"] = "max\n"
    files["/sys/fs/cgroup/memory.current"] = f"{GB}\n"
    files["/proc/meminfo"] = f"MemTotal: 1 kB\nMemAvailable: {32 * GB // 1024} kB\n"
    free = platform.FreeMemory()
    assert free.bytes() == 32 * GB
    files["/sys/fs/cgroup/memory.max"] = f"{2 * GB}\n"
    assert free.bytes() == GB


def test_version_1_without_a_limit(files: FakeFiles) -> None:
    files["/proc/self/cgroup"] = "4:memory:/\n3:cpu:/\n"
    files["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = "9223372036854771712"
    files["/sys/fs/cgroup/cpu/cpu.cfs_quota_us"] = "-1"
    files["/sys/fs/cgroup/cpu/cpu.cfs_period_us"] = "100000"
    assert platform.usable_cores() == 16
    assert platform.memory_limit_bytes() == 64 * GB


def test_affinity_limits_too(files: FakeFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5}, raising=False)
    files["/proc/self/cgroup"] = "0::/\n"
    files["/sys/fs/cgroup/cpu.max"] = "1600000 100000"
    assert platform.usable_cores() == 2


def test_kernel_without_pss_falls_back(files: FakeFiles) -> None:
    files["/proc/7/statm"] = "1000 250 30 1 0 40 0"
    assert platform.pss_bytes(7) == 250 * 4096
    files["/proc/7/smaps_rollup"] = "Rss: 900 kB\nPss:   123 kB\n"
    assert platform.pss_bytes(7) == 123 * 1024
    assert platform.pss_bytes(8) is None


@given(name=st.text(st.characters(blacklist_characters="\n", max_codepoint=255), max_size=15))
def test_process_names_with_blanks_and_brackets_do_no_harm(name: str) -> None:
    stat = f"7 ({name}) T 1 " + " ".join(["0"] * 10) + " 0 0 0"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(platform, "_read", lambda _: stat)
        assert platform.is_stopped(7)


@pytest.mark.skipif(not platform.IS_LINUX, reason="reads /proc")
def test_a_stopped_process_is_seen() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert not platform.is_stopped(process.pid)
        process.send_signal(signal.SIGSTOP)
        while not platform.is_stopped(process.pid):
            os.sched_yield()
        assert (platform.pss_bytes(process.pid) or 0) > 0
        assert (platform.cpu_seconds(process.pid) or 0.0) >= 0.0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("returncode", "text"),
    [
        (0, "exited with status 0"),
        (3, "exited with status 3"),
        (-signal.SIGSEGV, "was killed by SIGSEGV"),
        (-99, "was killed by signal 99"),
    ],
)
def test_exits_are_described(returncode: int, text: str) -> None:
    assert platform.describe_exit(returncode) == text


_OWN_CORE = """
import os, subprocess, sys
from pelton import platform
every = os.sched_getaffinity(0)
before = platform.usable_cores()
with platform.own_core() as is_apart:
    own = os.sched_getaffinity(0)
    assert platform.usable_cores() == before
    child = subprocess.Popen(["sleep", "60"])
    platform.send_away(child.pid)
    its = os.sched_getaffinity(child.pid)
    child.kill()
    child.wait()
    platform.send_away(child.pid)  # gone: nothing to do
assert os.sched_getaffinity(0) == every
print(is_apart, len(own), its == (every - own if is_apart else every))
"""


@pytest.mark.parametrize("cores", [1, 2])
def test_own_core(cores: int) -> None:
    few = sorted(os.sched_getaffinity(0))[:cores]
    if len(few) < cores:
        pytest.skip("this machine has one core")
    done = subprocess.run(
        [sys.executable, "-c", f"import os; os.sched_setaffinity(0, {few})\n{_OWN_CORE}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [str(cores > 1), "1", "True"], done.stderr


_FAULTS = """
import resource
from pelton import platform
print(platform.keep_freed_memory(32 << 20))
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bodies = [bytearray(4 << 20) for _ in range(6)]
    del bodies
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
@pytest.mark.parametrize(
    ("environment", "is_kept"),
    [({}, True), ({"MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072"}, False)],
)
def test_freed_memory_is_kept_unless_the_user_says_otherwise(
    environment: dict[str, str], is_kept: bool
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FAULTS],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    said, faults = done.stdout.split()
    pages = 6 * (4 << 20) // os.sysconf("SC_PAGE_SIZE")
    assert (said, int(faults) < pages // 10) == (str(is_kept), is_kept)
