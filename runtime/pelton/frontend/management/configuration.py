"""A wanted configuration, as ``PUT .../config`` brings it.

Databricks parses JSON as protocol buffers do: names in snake_case or camelCase, and booleans and
numbers as strings too (its own documented samples send ``"false"`` and ``"100"``). Fields that do
not concern a custom model on one machine are ignored where that changes nothing for the caller,
and refused where it would.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pelton.errors import RequestError
from pelton.notation import one_of, switch
from pelton.tiers import SIZES, TIERS

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")
_MOST_VARIABLES: Final = 30
_NOT_OURS: Final = (
    "external_model",
    "foundation_model",
    "min_provisioned_throughput",
    "max_provisioned_throughput",
    "provisioned_model_units",
)


@dataclass(frozen=True)
class Configuration:
    """One served entity.

    Attributes:
        uri: its model.
        changes: fields of ``settings.Entity``; what was not said stays as it is.
        served_name: ``None`` for Databricks' default, ``{model}-{version}``.
        environment_vars: all variables of its own; not said is none.
    """

    uri: str
    changes: Mapping[str, Any]
    served_name: str | None
    environment_vars: Mapping[str, str]


def read_configuration(body: object) -> Configuration:
    """Read the body of ``PUT .../config``.

    Raises:
        RequestError: it is malformed, or asks for what one served entity here cannot be.
    """
    if not isinstance(body, dict):
        raise RequestError("The body must be a JSON object with served_entities.")
    config = _snake(body)
    entities = config.get("served_entities") or config.get("served_models")
    if not isinstance(entities, list) or not entities or not isinstance(entities[0], dict):
        raise RequestError(
            "served_entities must be a list of one object, such as"
            ' {"entity_name": "fraud", "entity_version": "3"}.'
        )
    if len(entities) > 1:
        raise RequestError(
            f"There can be one served entity per endpoint so far, and there are {len(entities)}."
        )
    capture = config.get("auto_capture_config")
    if isinstance(capture, dict) and _bool(_snake(capture).get("enabled", True), "enabled"):
        raise RequestError("Inference tables (auto_capture_config) are not kept here.")
    entity = _snake(entities[0])
    if refused := [field for field in _NOT_OURS if entity.get(field) is not None]:
        raise RequestError(f"{refused[0]} is for foundation or external models, not for this one.")
    served_name = _served_name(entity)
    _check_traffic(config.get("traffic_config"), served_name)
    return Configuration(
        uri=_uri(entity),
        changes=_changes(entity),
        served_name=served_name,
        environment_vars=_environment(entity.get("environment_vars")),
    )


def _snake(message: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of one message their snake_case names; ``null`` is as good as absent."""
    return {
        _CAMEL.sub(lambda m: "_" + m[1].lower(), str(key)): value
        for key, value in message.items()
        if value is not None
    }


def _uri(entity: Mapping[str, Any]) -> str:
    """Return the model's URI.

    A registered model is a name and a version. What has a ``/`` or a ``:`` in it is a URI or a
    folder as ``pelton serve`` takes it, and has no version of its own.
    """
    name = entity.get("entity_name", entity.get("model_name"))
    version = entity.get("entity_version", entity.get("model_version"))
    if not isinstance(name, str) or not name.strip():
        raise RequestError("entity_name is missing: the name of a registered model, or a URI.")
    version = "" if version is None else str(version).strip()
    if "/" in name or ":" in name:
        if version:
            raise RequestError(f"{name} is a URI, so it takes no entity_version ({version}).")
        return name
    if not version.isdigit():
        said = f"entity_version is {version!r}" if version else "entity_version is missing"
        raise RequestError(
            f"{said}: give the number of a version of {name}, or a URI as entity_name, such as"
            f" models:/{name}@champion."
        )
    return f"models:/{name}/{version}"


def _served_name(entity: Mapping[str, Any]) -> str | None:
    name = entity.get("name")
    if name is None or name == "":
        return None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RequestError(
            f"The served entity's name {name!r} must be 1 to 63 letters, digits, '-' or '_'."
        )
    return name


def _changes(entity: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "workload_type" in entity:
        changes["workload_type"] = _choice(entity, "workload_type", *TIERS)
    if "scale_to_zero_enabled" in entity:
        changes["scale_to_zero"] = _bool(entity["scale_to_zero_enabled"], "scale_to_zero_enabled")
    least = _count(entity, "min_provisioned_concurrency")
    most = _count(entity, "max_provisioned_concurrency")
    provisioned = least is not None or most is not None
    if "workload_size" in entity:
        if provisioned:
            raise RequestError(
                "workload_size and min_/max_provisioned_concurrency both give the number of slots;"
                " give one of them."
            )
        size = _choice(entity, "workload_size", *SIZES)
        changes.update(workload_size=size, concurrency=0, min_concurrency=0, max_concurrency=0)
    elif provisioned:
        most = most or least or 0
        least = least or 0
        if not most or most < least:
            raise RequestError(
                f"max_provisioned_concurrency ({most}) must be at least 1, and at least"
                f" min_provisioned_concurrency ({least})."
            )
        changes.update(
            workload_size=None, concurrency=0, min_concurrency=least, max_concurrency=most
        )
    return changes


def _environment(variables: object) -> dict[str, str]:
    if variables is None:
        return {}
    if not isinstance(variables, dict):
        raise RequestError("environment_vars must be an object of names and values.")
    if len(variables) > _MOST_VARIABLES:
        raise RequestError(f"There can be at most {_MOST_VARIABLES} environment_vars.")
    result = {}
    for name, value in variables.items():
        if not name or "=" in name or "\0" in f"{name}{value}" or isinstance(value, (dict, list)):
            raise RequestError(f"environment_vars: {name!r} cannot be an environment variable.")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if text.startswith("{{secrets/"):
            raise RequestError(
                f"environment_vars: {name} refers to a secret store, and there is none here. Set"
                f" the variable where the server is started: its workers inherit it."
            )
        result[name] = text
    return result


def _check_traffic(traffic: object, served_name: str | None) -> None:
    """With one served entity, there is one way to split the traffic."""
    if traffic is None:
        return
    routes = _snake(traffic).get("routes", []) if isinstance(traffic, dict) else None
    if not isinstance(routes, list) or not all(isinstance(route, dict) for route in routes):
        raise RequestError("traffic_config must be an object with a list of routes.")
    if not routes:
        return
    total = 0
    for route in map(_snake, routes):
        total += _count(route, "traffic_percentage") or 0
        name = route.get("served_entity_name", route.get("served_model_name"))
        if served_name is not None and name is not None and name != served_name:
            raise RequestError(
                f"traffic_config: there is no served entity {name!r}, only {served_name!r}."
            )
    if total != 100 or len(routes) > 1:
        raise RequestError(
            f"traffic_config: the one served entity must get 100 percent of the traffic, in one"
            f" route; here are {total} percent in {len(routes)}."
        )


def _choice(entity: Mapping[str, Any], field: str, *choices: str) -> str:
    try:
        return one_of(*choices)(entity[field])
    except ValueError as error:
        raise RequestError(f"{field}: {error}.") from None


def _bool(value: object, field: str) -> bool:
    try:
        return switch(value)
    except ValueError:
        raise RequestError(f"{field} must be true or false, not {value!r}.") from None


def _count(message: Mapping[str, Any], field: str) -> int | None:
    value = message.get(field)
    if value is None:
        return None
    try:
        number = float(value)
        if isinstance(value, bool) or number != int(number) or number < 0:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise RequestError(f"{field} must be a whole number, not {value!r}.") from None
    return int(number)
