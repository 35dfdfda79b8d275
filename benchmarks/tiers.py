"""Every workload type at every size: a model made to its budget, its slots at capacity.

A tier that this machine cannot carry is "not run", with the arithmetic. Where fewer slots of a type
fit than the smallest size has, those are run and called reduced: the budget of each slot is proved,
the size is not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.cell import Spent
from benchmarks.cgroup import limited
from benchmarks.compare import fill
from benchmarks.cores import Cores
from benchmarks.models.cache import ONE_THREAD, ROOT, ensure, model_path
from benchmarks.run import PACKAGES
from pelton.bench import machine
from pelton.bench.child import Server as Child
from pelton.bench.child import free_port, pelton_command
from pelton.bench.interruption import loop_run
from pelton.bench.load import Load
from pelton.bench.memory import slots_memory
from pelton.bench.request import Body, Mix, Request
from pelton.bench.session import TargetError
from pelton.bench.tally import Tally
from pelton.errors import PeltonError
from pelton.tiers import GB, SIZES, TIERS, Tier

RESULTS: Final = ROOT / "benchmarks" / "tiers.json"
PAGE: Final = ROOT / "docs" / "capacity.md"
BEGIN: Final = "<!-- tiers:begin -->"
END: Final = "<!-- tiers:end -->"
_SHARE: Final = 0.55  # of a slot's budget that the model itself takes
_CALLERS_PER_SLOT: Final = 4
_BODIES: Final = 64


@dataclass(frozen=True)
class Row:
    """One workload type at one size.

    Attributes:
        tier: the type.
        size: the size.
        wanted: slots of that size.
        slots: slots that fit this machine; 0 = not run.
        why_not: why not all, or none, are run.
    """

    tier: Tier
    size: str
    wanted: int
    slots: int
    why_not: str | None


def rows(memory_bytes: int) -> list[Row]:
    """Return what this machine can carry, and why not the rest."""
    found = []
    for tier in TIERS.values():
        has_run = False
        for size, (least, _) in SIZES.items():
            fits = memory_bytes // tier.slot_bytes
            arithmetic = (
                f"{least} x {tier.slot_bytes / GB:.0f} GB = {least * tier.slot_bytes / GB:.0f} GB, "
                f"here are {memory_bytes / GB:.0f} GB"
            )
            if tier.gpus:
                why = None if shutil.which("nvidia-smi") else "no GPU here"
                found.append(Row(tier, size, least, 0, why or "GPU tiers are not measured yet"))
            elif least <= fits:
                found.append(Row(tier, size, least, least, None))
                has_run = True
            elif fits and not has_run:
                found.append(Row(tier, size, least, fits, f"reduced: {arithmetic}"))
                has_run = True
            else:
                found.append(Row(tier, size, least, 0, arithmetic))
    return found


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks tiers", description=__doc__)
    parser.add_argument("--types", default=",".join(TIERS), help="comma-separated")
    parser.add_argument("--duration", type=float, default=10.0)
    parser.add_argument("--share", type=float, default=_SHARE, help="of the budget, for the model")
    parser.add_argument(
        "--fork", choices=("auto", "off"), default="auto", help="off: no slot shares memory"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--docs", action="store_true", help="write the table into docs/capacity.md")
    parsed = parser.parse_args(argv)
    cores = Cores.divide("shared")
    cores.pin_generator()
    chosen = [r for r in rows(machine.memory_bytes()) if r.tier.name in parsed.types.split(",")]
    measured: list[dict[str, Any]] = []
    for row in chosen:
        entry: dict[str, Any] = {
            "type": row.tier.name,
            "size": row.size,
            "wanted": row.wanted,
            "slots": row.slots,
            "budget_mb": round(row.tier.slot_bytes / 1e6),
            "note": row.why_not,
        }
        if row.slots:
            print(f"{row.tier.name} {row.size}: {row.slots} slots", flush=True)
            megabytes = int(row.tier.slot_bytes * parsed.share / 1e6)
            ensure(f"table-{megabytes}")
            try:
                figures, interrupted = loop_run(
                    lambda stop, r=row, m=megabytes: _measure(r, m, cores, parsed, stop)
                )
            except PeltonError as error:
                entry["failed_to_start"] = str(error)[-1500:]
            else:
                entry |= figures
                if interrupted:
                    break
        measured.append(entry)
    result = {
        "machine": machine.describe(PACKAGES),
        "cores": str(cores),
        "fork": parsed.fork,
        "rows": measured,
    }
    parsed.out.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))
    if parsed.docs:
        PAGE.write_text(fill(PAGE.read_text(), table(result), BEGIN, END))
    return 0 if all(_is_proved(row) for row in measured if row["slots"]) else 1


async def _measure(
    row: Row, megabytes: int, cores: Cores, parsed: argparse.Namespace, stop: asyncio.Event
) -> dict[str, Any]:
    port = free_port()
    duration_s = parsed.duration
    flags = ["--env", "local", "--workload-type", row.tier.name, "--concurrency", str(row.slots)]
    flags += ["--memory-policy", "refuse", "--no-access-log", "--log-level", "warning"]
    flags += ["--fork", parsed.fork]
    command = pelton_command(str(model_path(f"table-{megabytes}")), port, flags)
    with limited(row.slots * row.tier.slot_bytes) as limit:
        child = Child(
            command,
            port,
            environment=ONE_THREAD,
            cores=cores.servers,
            adopt=limit.adopt if limit else lambda pid: None,
        )
        await child.start(600.0)
        try:
            async with asyncio.TaskGroup() as tasks:
                load = Load(
                    child.target,
                    Mix([_request(child, key) for key in range(_BODIES)]),
                    tasks,
                    connections=row.slots * _CALLERS_PER_SLOT,
                    timeout_s=60.0,
                    stop=stop,
                )
                callers = row.slots * _CALLERS_PER_SLOT
                await load.run_closed(callers, 3.0, Tally())
                tally = Tally()
                spent = Spent(child.pid)
                await load.run_closed(callers, duration_s, tally)
                cores_used = spent.cores()
                load.close()
            memory = slots_memory(child.pid)
            kills = limit.kills() if limit else 0
        finally:
            await child.stop()
    workers = [p for p in memory if p["name"] == "worker"]
    if len(workers) < row.slots:
        raise TargetError(f"{len(workers)} workers for {row.slots} slots: {memory}")
    latency = tally.latency
    return {
        "model_mb": megabytes,
        "limit_mb": round(limit.bytes / 1e6) if limit else None,
        "start_s": round(child.start_s, 1),
        "per_s": round(tally.in_window / duration_s, 1),
        "p50_ms": round(latency.percentile(50) * 1e3, 2) if latency.total else None,
        "p99_ms": round(latency.percentile(99) * 1e3, 2) if latency.total else None,
        "sent": tally.sent,
        "failed": tally.sent - tally.good,
        "pss_slot_mb": max(p["pss_mb"] for p in workers),
        "rss_slot_mb": max(p["rss_mb"] for p in workers),
        "pss_mb": round(sum(p["pss_mb"] for p in memory), 1),
        "kernel_kills": kills,
        "foreign_cores": round(cores_used["foreign_cores"], 2),
    }


def _request(child: Child, key: int) -> Request:
    body = {"dataframe_split": {"columns": ["key"], "data": [[key]]}}
    return Request(child.target, Body(json.dumps(body).encode()))


def _is_proved(row: dict[str, Any]) -> bool:
    if "failed_to_start" in row or row["failed"] or row["kernel_kills"]:
        return False
    return bool(row["pss_slot_mb"] <= row["budget_mb"] and row["sent"])


def table(result: dict[str, Any]) -> str:
    """Return the table in Markdown, and under it what it was measured on."""
    head = (
        "| type | size | slots | model | budget a slot | PSS a slot | RSS a slot | together "
        "| requests/s | p50 / p99 ms | failed | start |"
    )
    lines = [head, "|" + "---|" * 12]
    not_run: dict[tuple[str, str], list[str]] = {}
    for row in result["rows"]:
        name = f"| {row['type']} | {row['size']} |"
        if not row["slots"]:
            not_run.setdefault((row["note"], row["type"]), []).append(row["size"])
        elif "failed_to_start" in row:
            why = row["failed_to_start"].splitlines()[-1][:200]
            lines.append(f"{name} {row['slots']} | did not start: {why} |" + " |" * 8)
        else:
            reduced = f" of {row['wanted']}" if row["slots"] < row["wanted"] else ""
            lines.append(
                f"{name} {row['slots']}{reduced} | {row['model_mb']:,} MB | "
                f"{row['budget_mb']:,} MB | {row['pss_slot_mb']:,.0f} MB "
                f"({row['pss_slot_mb'] / row['budget_mb']:.0%}) | {row['rss_slot_mb']:,.0f} MB | "
                f"{row['pss_mb']:,.0f} MB | {row['per_s']:,.0f} | "
                f"{row['p50_ms']} / {row['p99_ms']} | {row['failed']} of {row['sent']:,} | "
                f"{row['start_s']} s |"
            )
    about = result["machine"]
    versions = about["versions"]
    foreign = max((row.get("foreign_cores", 0.0) for row in result["rows"]), default=0.0)
    limits = any(row.get("limit_mb") for row in result["rows"])
    lines += [
        "",
        f"{about['cpu']}, {about['cores']} cores, {about['memory_gb']} GB; pelton "
        f"{versions.get('pelton')}, mlflow {versions.get('mlflow')}, Python {about['python']}; "
        f"{result['cores']}; closed loop of {_CALLERS_PER_SLOT} callers a slot; "
        + ("slots x budget enforced by a control group; " if limits else "no control group; ")
        + f"fork {result['fork']}; other programs used up to {foreign} cores meanwhile; "
        f"{about['taken_at'][:10]}, `make bench-tiers`.",
        "",
        f"Not run: {_reasons(not_run)}.",
    ]
    return "\n".join(lines)


def _reasons(not_run: dict[tuple[str, str], list[str]]) -> str:
    """Gather what was not run by why; a type whose every size is out is named once."""
    by_reason: dict[str, list[str]] = {}
    for (why, name), sizes in not_run.items():
        missing = name if len(sizes) == len(SIZES) else f"{name} {' and '.join(sizes)}"
        by_reason.setdefault(why, []).append(missing)
    return "; ".join(f"{', '.join(names)} ({why})" for why, names in by_reason.items())
