"""Settings: frozen sections, each field with its flag, variable and help in one place.

Precedence: flag > ``PELTON_*`` > MLflow's own variable > ``pelton.toml`` > default. A field
``max_payload`` is ``--max-payload``, ``PELTON_MAX_PAYLOAD`` and ``max_payload = ...`` in the file.
``docs/configuration.md`` is generated from this module by ``python -m pelton.settings``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from pelton.notation import (
    count,
    duration,
    one_of,
    positive,
    requirements,
    show,
    size,
    switch,
)
from pelton.tiers import SIZES, TIERS

T = TypeVar("T")


def _option(default: T, parse: Callable[[Any], Any], help: str, *, mlflow: str | None = None) -> T:
    """Declare a setting; ``mlflow`` is the variable of MLflow's own server it also honours."""
    value: T = field(default=default, metadata={"parse": parse, "help": help, "mlflow": mlflow})
    return value


@dataclass(frozen=True)
class Http:
    """The front end."""

    host: str = _option("127.0.0.1", str, "address to listen on", mlflow="MLFLOW_HOST")
    port: int = _option(8080, count, "port to listen on; 0 picks a free one", mlflow="MLFLOW_PORT")
    max_payload: int = _option(16 * 1024**2, size, "largest request body; larger is a 413")
    body_timeout: float = _option(30.0, duration, "a body must have arrived by then")
    keep_alive: float = _option(75.0, duration, "an idle connection is closed after")
    token: str | None = _option(
        None, str, "bearer token of the management API; without one it answers on loopback only"
    )


@dataclass(frozen=True)
class Admission:
    """The queue and its bounds."""

    timeout: float = _option(
        120.0,
        duration,
        "a request is answered by then, or with 504",
        mlflow="MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT",
    )
    queue_limit: int = _option(1000, count, "requests that may wait for a slot; more get 429")
    queue_limit_bytes: int = _option(
        512 * 1024**2, size, "bodies that may wait for a slot; more get 429"
    )


@dataclass(frozen=True)
class Entity:
    """The served entity: the model and how much of it."""

    name: str = _option("model", str, "name of the endpoint")
    concurrency: int = _option(
        0,
        count,
        "slots: requests that run at a time; 0 is one per usable core",
        mlflow="MLFLOW_MODELS_WORKERS",
    )
    slots_per_worker: int = _option(
        1, positive, "threads a worker answers with, for models that mostly wait"
    )
    workload_type: str = _option(
        "CPU", one_of(*TIERS), "Databricks workload type: gives each slot its memory budget"
    )
    workload_size: str | None = _option(
        None, one_of(*SIZES), "Databricks workload size: Small 4, Medium 8-16, Large 16-64 slots"
    )
    memory_per_slot: int = _option(
        0, size, "memory budget of a slot; 0 is that of the workload type"
    )
    memory_policy: str = _option(
        "fewer",
        one_of("fewer", "refuse"),
        "when the machine has less memory than the slots promise: start fewer, or refuse",
    )
    env: str = _option(
        "auto",
        one_of("auto", "local", "isolated"),
        "Python environment of the model: this one, its own, or whichever fits its requirements",
    )
    override: tuple[str, ...] = _option(
        (),
        requirements,
        "requirements that count before a model's own, such as pillow==10.3.0; more than one if"
        " need be",
    )
    min_concurrency: int = _option(0, count, "least slots when scaling; 0 is --concurrency")
    max_concurrency: int = _option(0, count, "most slots when scaling; 0 is --concurrency")
    scale_to_zero: bool = _option(False, switch, "stop all workers when idle")
    scale_to_zero_after: float = _option(1800.0, duration, "idle time before --scale-to-zero acts")
    scale_down_after: float = _option(300.0, duration, "less load for so long removes slots")
    keep_warm: str = _option(
        "off",
        one_of("off", "libraries", "model"),
        "what stays in memory at zero: nothing, the imported libraries, or the loaded model",
    )
    batching: str = _option(
        "auto",
        one_of("auto", "on", "off"),
        "predict requests of several callers together; auto only after proof that it is safe",
    )
    max_batch: int = _option(128, positive, "most requests in one batch")
    fast_path: bool = _option(True, switch, "answer without MLflow's parsing where proven equal")
    recheck: int = _option(
        1000, count, "check one fast answer in so many against MLflow again; 0 for none"
    )


@dataclass(frozen=True)
class Workers:
    """The life of workers."""

    fork: str = _option(
        "auto",
        one_of("auto", "off"),
        "load the model once and fork workers from it where that is safe",
    )
    cores: str = _option(
        "shared",
        one_of("shared", "apart"),
        "apart: the front end has one core for itself and all workers share the others, which is"
        " faster for many small requests and slower where models compute for long",
    )
    priority: str = _option(
        "usual",
        one_of("usual", "realtime"),
        "realtime: the front end and what is predicted within milliseconds go before all other"
        " processes of the machine, where the system permits it (docs/docker.md)",
    )
    load_timeout: float = _option(600.0, duration, "a model must have loaded by then")
    warmup_timeout: float = _option(60.0, duration, "the input example must be answered by then")
    warmup: str = _option(
        "check",
        one_of("check", "require"),
        "a model that refuses its input example is served with a warning, or not at all"
        " (an update is always refused)",
    )
    cancel_grace: float = _option(
        0.5, duration, "a worker past a deadline is interrupted, and killed so much later"
    )
    heartbeat: float = _option(1.0, duration, "workers are pinged so often")
    hang_timeout: float = _option(10.0, duration, "an idle worker silent for so long is replaced")
    drain_timeout: float = _option(
        30.0, duration, "on SIGTERM, running and waiting requests may take so long"
    )
    drain_delay: float = _option(
        0.0, duration, "on SIGTERM, serve on for so long while load balancers look away"
    )
    max_worker_age: float = _option(0.0, duration, "replace workers older than this; 0 is never")
    max_worker_requests: int = _option(
        0, count, "replace a worker after so many requests; 0 is never"
    )


@dataclass(frozen=True)
class Updates:
    """Reloads and roll-outs."""

    watch: float = _option(
        0.0, duration, "look for a new version (alias, latest, local folder) so often; 0 is never"
    )
    snapshot_limit: int = _option(
        256 * 1024**2,
        size,
        "a local model folder up to this size is copied before it is served, so that it may be"
        " overwritten; a larger one only with --watch, or where the file system shares blocks",
    )
    verify_against_active: float = _option(
        0.0,
        float,
        "refuse an update whose answer to the example differs by more than this relative"
        " tolerance; 0 does not compare",
    )
    cache_dir: Path = _option(  # noqa: RUF009 - a Path is immutable
        Path("~/.cache/pelton"), Path, "downloaded models and built environments"
    )


@dataclass(frozen=True)
class Telemetry:
    """Logs."""

    log_level: str = _option(
        "info", one_of("debug", "info", "warning", "error"), "least level that is logged"
    )
    log_json: bool = _option(False, switch, "log JSON lines")
    access_log: bool = _option(True, switch, "log a line per request")


@dataclass(frozen=True)
class Settings:
    """Everything, validated once. A component gets its section, never the whole."""

    http: Http = Http()
    admission: Admission = Admission()
    entity: Entity = Entity()
    workers: Workers = Workers()
    updates: Updates = Updates()
    telemetry: Telemetry = Telemetry()


@dataclass(frozen=True)
class Option:
    """One setting, for flags, documentation and ``pelton check``."""

    name: str
    section: str
    default: Any
    parse: Callable[[Any], Any]
    help: str
    mlflow: str | None

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return "PELTON_" + self.name.upper()


def options() -> Iterator[Option]:
    """Yield every setting, in the order of the sections."""
    for section in fields(Settings):
        for f in fields(_default(section)):
            yield Option(
                name=f.name,
                section=section.name,
                default=_default(f),
                parse=f.metadata["parse"],
                help=f.metadata["help"],
                mlflow=f.metadata["mlflow"],
            )


def title(section: Field[Any]) -> str:
    """Return the heading of a section of ``Settings``."""
    return (_default(section).__doc__ or "").rstrip(".")


def _default(f: Field[Any]) -> Any:
    assert f.default is not MISSING
    return f.default


def markdown() -> str:
    """Return ``docs/configuration.md``."""
    lines = [
        "# Configuration",
        "",
        "<!-- Generated by `python -m pelton.settings`; do not edit. -->",
        "",
        "Precedence: flag > `PELTON_*` variable > MLflow's own variable > `pelton.toml` > default.",
        "A setting has one name everywhere: `--max-payload`, `PELTON_MAX_PAYLOAD`, and",
        '`max_payload = "16MB"` at the top level of `pelton.toml` (`--config` or `PELTON_CONFIG`',
        "name another file). Unknown keys are errors. `pelton check` prints the effective values",
        "and where each came from. Sizes are powers of 1024 (`16MB`), durations seconds unless",
        "they have a unit (`30s`, `5m`, `2h`).",
        "",
        "`SERVING_MODEL_CONFIG`, `MLFLOW_PYFUNC_INFERENCE_CONFIG`, `MLFLOW_TRACKING_URI` and the",
        "other variables that MLflow itself reads reach the worker unchanged.",
    ]
    for section in fields(Settings):
        lines += ["", f"## {title(section)}", ""]
        lines += ["| flag | default | MLflow's variable | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{o.flag}` | {f'`{show(o.default)}`' if show(o.default) else 'none'}"
            f" | {f'`{o.mlflow}`' if o.mlflow else ''} | {o.help} |"
            for o in options()
            if o.section == section.name
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(markdown())
