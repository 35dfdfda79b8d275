"""Where the effective settings come from: flags, variables, a file, defaults; and their checks.

Precedence: flag > ``PELTON_*`` > MLflow's own variable > ``pelton.toml`` > default.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pelton.errors import ConfigError
from pelton.settings import (
    Admission,
    Entity,
    Http,
    Option,
    Settings,
    Telemetry,
    Updates,
    Workers,
    options,
)


@dataclass(frozen=True)
class Resolved:
    """Effective settings, and where each came from (``default``, a variable, a file, a flag)."""

    settings: Settings
    sources: Mapping[str, str]
    model: str | None


def resolve(flags: Mapping[str, Any], environ: Mapping[str, str], file: Path | None) -> Resolved:
    """Put the settings together.

    Args:
        flags: values given on the command line, by field name; absent ones are not in it.
        environ: the environment.
        file: a configuration file; ``None`` looks for ``pelton.toml`` in the working folder.

    Raises:
        ConfigError: an unknown key (with the nearest known one), or a value that cannot be read.
    """
    environ = without_kubernetes(environ)
    known = {option.name: option for option in options()}
    in_file, file_name = _read_file(file, known)
    _reject_unknown_variables(environ, known)
    values: dict[str, dict[str, Any]] = {}
    sources: dict[str, str] = {}
    for option in known.values():
        raw, source = _find(option, flags, environ, in_file, file_name)
        sources[option.name] = source
        if source == "default":
            value = option.default
        else:
            try:
                value = option.parse(raw)
            except ValueError as error:
                raise ConfigError(f"{option.name} ({source}): {error}.") from error
        values.setdefault(option.section, {})[option.name] = value
    settings = Settings(
        http=Http(**values["http"]),
        admission=Admission(**values["admission"]),
        entity=Entity(**values["entity"]),
        workers=Workers(**values["workers"]),
        updates=Updates(**values["updates"]),
        telemetry=Telemetry(**values["telemetry"]),
    )
    _validate(settings)
    model = flags.get("model") or environ.get("PELTON_MODEL") or in_file.get("model")
    return Resolved(settings, sources, model)


def _find(
    option: Option,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    in_file: Mapping[str, Any],
    file_name: str,
) -> tuple[Any, str]:
    if flags.get(option.name) is not None:
        return flags[option.name], f"flag {option.flag}"
    if option.variable in environ:
        return environ[option.variable], option.variable
    if option.mlflow and option.mlflow in environ:
        return environ[option.mlflow], option.mlflow
    if option.name in in_file:
        return in_file[option.name], file_name
    return None, "default"


def _read_file(file: Path | None, known: Mapping[str, Option]) -> tuple[dict[str, Any], str]:
    path = file or Path("pelton.toml")
    if file is None and not path.is_file():
        return {}, ""
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    flat = {key.replace("-", "_"): value for key, value in content.items()}
    for key, value in flat.items():
        if key != "model" and key not in known:
            raise ConfigError(f"{path}: unknown key {key!r}.{_nearest(key, [*known, 'model'])}")
        if isinstance(value, (dict, list)):
            raise ConfigError(f"{path}: {key} must be a plain value, not a table or a list.")
    return flat, str(path)


# Variables with our prefix that are no settings: PELTON_CONFIG names the file, and PELTON_COMPILED
# is read before there are settings (pelton.compiled).
_OTHER_VARIABLES = {"PELTON_COMPILED", "PELTON_CONFIG", "PELTON_MODEL"}


# What Kubernetes sets in every container of a namespace that has a Service called "pelton".
_KUBERNETES = re.compile(r"^PELTON_(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)$")


def without_kubernetes(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that Kubernetes makes of a Service's name."""
    return {
        name: value
        for name, value in environ.items()
        if not _KUBERNETES.match(name)
        and not (name == "PELTON_PORT" and value.startswith(("tcp://", "udp://", "sctp://")))
    }


def _reject_unknown_variables(environ: Mapping[str, str], known: Mapping[str, Option]) -> None:
    names = {option.variable for option in known.values()} | _OTHER_VARIABLES
    for variable in environ:
        if variable.startswith("PELTON_") and variable not in names:
            raise ConfigError(f"Unknown variable {variable}.{_nearest(variable, names)}")


def _nearest(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else " `pelton check` lists the known ones."


def _validate(settings: Settings) -> None:
    entity = settings.entity
    if entity.workload_size and entity.concurrency:
        raise ConfigError(
            "--workload-size and --concurrency both give the number of slots; give one of them."
        )
    if settings.http.port > 65535:
        raise ConfigError(f"port: {settings.http.port} is no port; the largest is 65535.")
    if settings.admission.timeout <= 0:
        raise ConfigError("timeout: must be more than 0 s.")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,63}", entity.name):
        raise ConfigError(
            f"name: {entity.name!r} must be 1 to 63 letters, digits, '-' or '_', as on Databricks."
        )
    if entity.max_concurrency and entity.max_concurrency < entity.min_concurrency:
        raise ConfigError("max_concurrency is less than min_concurrency.")
