"""All that is particular to an operating system, in one place.

Everything here degrades on a platform that lacks it: a function returns ``None`` (or a safe
value) and the caller logs once what it goes without. Linux is the target, macOS is for local use.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import math
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

IS_LINUX = sys.platform.startswith("linux")

_CGROUP = Path("/sys/fs/cgroup")
_RESET_ON_FORK = 0x40000000  # sched.h; Python has a name for it on some systems only


def _read(path: Path) -> str | None:
    try:
        with open(path, "rb", buffering=0) as file:  # often: past pathlib's and io's layers
            return file.read().decode().strip()
    except OSError:
        return None


def _own_cgroup(controller: str) -> list[Path]:
    """Return the folders that may limit this process, own cgroup first, root last."""
    text = _read(Path("/proc/self/cgroup")) or ""
    folders: list[Path] = []
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            root = _CGROUP
        elif controller in controllers.split(","):
            root = _CGROUP / controller
        else:
            continue
        relative = Path(path.lstrip("/"))
        folders += [root / relative, *(root / p for p in relative.parents)]
        folders.append(root)
    return folders


_divided: frozenset[int] | None = None  # what the cores of ``own_core`` were taken from


@contextlib.contextmanager
def own_core() -> Iterator[bool]:
    """Have the calling thread run on one core, and every child that is ``sent_away`` on the others.

    Yields:
        Whether there are two or more; if not, nothing changes.
    """
    global _divided  # affinity is the process's, too
    cores = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else frozenset()
    if len(cores) < 2:
        yield False
        return
    os.sched_setaffinity(0, {min(cores)})
    _divided = cores
    try:
        yield True
    finally:
        _divided = None
        os.sched_setaffinity(0, cores)


def send_away(pid: int) -> None:
    """Have a child that was just started, and all that it starts, leave ``own_core`` alone.

    Args:
        pid: the child; 0 is the calling thread.
    """
    if _divided is not None:
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(pid, _divided - {min(_divided)})


def _affine_cores() -> int | None:
    if _divided is not None:
        return len(_divided)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def run_in_real_time(is_real_time: bool) -> bool:
    """Have the calling thread go before all that is not in real time, or be as others are.

    In the least of the real-time priorities, whose threads do not interrupt each other: one that is
    woken takes an idle core at once, or one from whoever is not in real time. Threads and children
    that are started by it are as others are.

    Returns:
        Whether it could: a process needs a limit (``RLIMIT_RTPRIO``) of 1 or CAP_SYS_NICE for it.
    """
    if not hasattr(os, "sched_setscheduler"):
        return False
    policy, priority = (os.SCHED_RR, 1) if is_real_time else (os.SCHED_OTHER, 0)
    try:
        os.sched_setscheduler(0, policy | _RESET_ON_FORK, os.sched_param(priority))
    except OSError:
        return False
    return True


def usable_cores() -> int:
    """Return the cores this process may use: affinity and cgroup quota, at least 1."""
    cores = _affine_cores()
    quota = math.inf
    for folder in _own_cgroup("cpu"):
        if text := _read(folder / "cpu.max"):
            limit, _, period = text.partition(" ")
            if limit != "max":
                quota = min(quota, int(limit) / int(period or 100_000))
        limit_us = _read(folder / "cpu.cfs_quota_us")
        period_us = _read(folder / "cpu.cfs_period_us")
        if limit_us and period_us and int(limit_us) > 0:
            quota = min(quota, int(limit_us) / int(period_us))
    return max(1, min(cores or 1, math.ceil(quota) if quota != math.inf else cores or 1))


def memory_limit_bytes() -> int:
    """Return the memory this process may use: the machine's or the cgroup's, in bytes."""
    limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for folder in _own_cgroup("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read(folder / name)
            if text and text.isdigit():
                limit = min(limit, int(text))
    return limit


class FreeMemory:
    """What is still free of ``memory_limit_bytes``: read often, so where to is found once."""

    def __init__(self) -> None:
        self._groups = [
            (folder / limit, folder / usage)
            for folder in _own_cgroup("memory")
            for limit, usage in (
                ("memory.max", "memory.current"),
                ("memory.limit_in_bytes", "memory.usage_in_bytes"),
            )
            if _read(folder / limit)
        ]

    def bytes(self) -> int | None:
        """Return it, in bytes; ``None`` if unknown."""
        available: int | None = None
        _, _, rest = (_read(Path("/proc/meminfo")) or "").partition("MemAvailable:")
        if rest:
            available = int(rest.split(maxsplit=1)[0]) * 1024
        for limit_path, usage_path in self._groups:
            limit, usage = _read(limit_path), _read(usage_path)
            if limit and usage and limit.isdigit() and usage.isdigit():
                free = int(limit) - int(usage)
                available = free if available is None else min(available, free)
        return available


def pss_bytes(pid: int) -> int | None:
    """Return the proportional set size of a process in bytes (shared pages counted once).

    Falls back to the resident set where the kernel gives no PSS; ``None`` if the process is gone.
    """
    text = _read(Path(f"/proc/{pid}/smaps_rollup"))
    if text is not None:
        for line in text.splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return rss_bytes(pid)


def rss_bytes(pid: int) -> int | None:
    """Return the resident set size of a process in bytes; cheap, but counts shared pages whole."""
    statm = _read(Path(f"/proc/{pid}/statm"))
    return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm else None


def private_bytes(pid: int) -> int | None:
    """Return a process's anonymous memory in bytes (cheap: no page walk); ``None`` if gone."""
    text = _read(Path(f"/proc/{pid}/status"))
    for line in (text or "").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return None


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped by a signal (state T; under a debugger it is t)."""
    stat = _read(Path(f"/proc/{pid}/stat"))
    if not stat:
        return False
    return stat.rpartition(")")[2].split()[0] == "T"


def cpu_seconds(pid: int) -> float | None:
    """Return the user and system time a process has used, in seconds."""
    stat = _read(Path(f"/proc/{pid}/stat"))
    if not stat:
        return None
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def runnable_seconds(pid: int) -> float | None:
    """Return for how long a process's main thread ran or waited for a core, in seconds.

    Without the scheduler's statistics, the processor time of all its threads.
    """
    statistics = _read(Path(f"/proc/{pid}/schedstat"))
    if not statistics:
        return cpu_seconds(pid)
    ran_ns, waited_ns, _ = statistics.split()
    return (int(ran_ns) + int(waited_ns)) / 1e9


def has_terminal() -> bool:
    """Whether this process has a controlling terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def clone_file(source_fd: int, target_fd: int) -> bool:
    """Have a new file share an existing one's blocks until either is written; whether it could.

    File systems that can: Btrfs, XFS, bcachefs, overlays of them.
    """
    if not IS_LINUX:
        return False
    try:
        fcntl.ioctl(target_fd, 0x40049409, source_fd)  # FICLONE
    except OSError:
        return False
    return True


def die_with_lifeline(fd: int) -> bool:
    """Have the kernel kill this process when the other end of the pipe ``fd`` is closed.

    The server holds the write end. When it dies, by whatever signal, the kernel sends SIGKILL to
    the owner of the read end; no thread of ours has to run for that, so it works while user code
    holds the interpreter lock for ever. Unlike a parent-death signal it follows the *server*, not
    the process that forked us.

    Returns:
        Whether the platform can; else the caller must notice the end of the channel itself.
    """
    if not IS_LINUX:
        return False
    fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(fd, getattr(fcntl, "F_SETSIG", 10), signal.SIGKILL)
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    try:
        if os.read(fd, 1) == b"":  # closed before we armed it
            os.kill(os.getpid(), signal.SIGKILL)
    except BlockingIOError:
        pass
    return True


def adopts_orphans() -> bool:
    """Whether processes whose parent ends become this process's children.

    Process 1 of a container is such a one, and a "subreaper".
    """
    if os.getpid() == 1:
        return True
    if not IS_LINUX:
        return False
    answer = ctypes.c_int()
    ctypes.CDLL(None).prctl(37, ctypes.byref(answer), 0, 0, 0)  # PR_GET_CHILD_SUBREAPER
    return bool(answer.value)


def name_process(name: str) -> None:
    """Give the process a name for ``ps`` and ``top``; 15 characters are kept."""
    if IS_LINUX:
        ctypes.CDLL(None).prctl(15, name.encode()[:15], 0, 0, 0)


def native_threads() -> int | None:
    """Return how many threads this process has, native ones included; ``None`` if unknown."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return None


def describe_exit(returncode: int) -> str:
    """Return a sentence part for an exit status as ``subprocess`` gives it."""
    if returncode >= 0:
        return f"exited with status {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"was killed by {name}"


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_MAX_MMAP_THRESHOLD = 32 * 1024 * 1024  # more glibc does not take


def keep_freed_memory(kept_bytes: int) -> bool:
    """Have malloc keep so much that it has freed, rather than give it back and have it zeroed anew.

    For a process that works on megabytes all the time: a fault for each page of a new body costs as
    much as copying it, and on a virtual machine 16 MB took up to 71 ms. Who has set malloc's
    variables keeps them.

    Args:
        kept_bytes: so many at most.

    Returns:
        Whether malloc does; glibc only.
    """
    if not IS_LINUX or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(
        mallopt(_M_TRIM_THRESHOLD, kept_bytes) == 1
        and mallopt(_M_MMAP_THRESHOLD, min(kept_bytes, _MAX_MMAP_THRESHOLD)) == 1
    )
