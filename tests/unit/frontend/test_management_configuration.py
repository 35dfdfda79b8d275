"""What a body of PUT .../config asks for."""

from __future__ import annotations

from typing import Any

import pytest

from pelton.errors import RequestError
from pelton.frontend.management.configuration import read_configuration


def one(**entity: Any) -> dict[str, Any]:
    named = {"entity_name": "fraud", "entity_version": "3"}
    return {"served_entities": [{**named, **entity}]}


def test_registered_model() -> None:
    found = read_configuration(one())

    assert found.uri == "models:/fraud/3"
    assert (found.changes, found.served_name, found.environment_vars) == ({}, None, {})


def test_catalog_name_and_version_as_a_number() -> None:
    found = read_configuration(one(entity_name="main.risk.fraud", entity_version=12))

    assert found.uri == "models:/main.risk.fraud/12"


def test_served_models_are_the_old_name_of_entities() -> None:
    body = {"served_models": [{"model_name": "fraud", "model_version": "3", "name": "x"}]}

    found = read_configuration(body)

    assert (found.uri, found.served_name) == ("models:/fraud/3", "x")


@pytest.mark.parametrize("uri", ["models:/fraud@champion", "./model", "/srv/m", "runs:/abc/model"])
def test_uri_as_entity_name(uri: str) -> None:
    assert read_configuration({"served_entities": [{"entity_name": uri}]}).uri == uri


def test_sizes_and_switches_as_the_documented_samples_write_them() -> None:
    found = read_configuration(
        one(workload_type="cpu_medium", workload_size="small", scale_to_zero_enabled="false")
    )

    assert found.changes == {
        "workload_type": "CPU_MEDIUM",
        "workload_size": "Small",
        "scale_to_zero": False,
        "concurrency": 0,
        "min_concurrency": 0,
        "max_concurrency": 0,
    }


def test_camel_case_of_protocol_buffers() -> None:
    body = {
        "servedEntities": [
            {
                "entityName": "fraud",
                "entityVersion": "3",
                "scaleToZeroEnabled": True,
                "minProvisionedConcurrency": "4",
                "maxProvisionedConcurrency": 8,
                "environmentVars": {"someName": "x"},
            }
        ],
        "trafficConfig": {"routes": [{"servedModelName": "fraud-3", "trafficPercentage": "100"}]},
    }

    found = read_configuration(body)

    assert found.uri == "models:/fraud/3"
    assert found.environment_vars == {"someName": "x"}
    assert found.changes == {
        "scale_to_zero": True,
        "workload_size": None,
        "concurrency": 0,
        "min_concurrency": 4,
        "max_concurrency": 8,
    }


def test_null_is_as_good_as_absent() -> None:
    found = read_configuration(one(workload_size=None, environment_vars=None, name=None))

    assert (found.changes, found.environment_vars) == ({}, {})


def test_environment_variables_become_text() -> None:
    found = read_configuration(one(environment_vars={"A": "b", "N": 3, "ON": True}))

    assert found.environment_vars == {"A": "b", "N": "3", "ON": "true"}


def test_fields_of_the_client_that_change_nothing_are_ignored() -> None:
    body = {
        "name": "model",
        "auto_capture_config": {"enabled": "false"},
        **one(instance_profile_arn="arn", burst_scaling_enabled=True),
    }

    assert read_configuration(body).uri == "models:/fraud/3"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "JSON object"),
        ({}, "served_entities must be a list"),
        ({"served_entities": []}, "served_entities must be a list"),
        ({"served_entities": ["fraud"]}, "served_entities must be a list"),
        ({"served_entities": [{}, {}]}, "one served entity per endpoint so far"),
        ({"served_entities": [{"entity_version": "3"}]}, "entity_name is missing"),
        ({"served_entities": [{"entity_name": "fraud"}]}, "models:/fraud@champion"),
        (one(entity_version="champion"), "entity_version is 'champion'"),
        (one(entity_name="models:/fraud/3"), "takes no entity_version"),
        (one(name="no spaces"), "1 to 63 letters"),
        (one(name="x" * 64), "1 to 63 letters"),
        (one(workload_type="TPU"), "workload_type"),
        (one(workload_size="Tiny"), "workload_size"),
        (one(scale_to_zero_enabled="perhaps"), "scale_to_zero_enabled must be true or false"),
        (one(workload_size="Small", min_provisioned_concurrency=4), "give one of them"),
        (one(min_provisioned_concurrency=8, max_provisioned_concurrency=4), "at least"),
        (one(max_provisioned_concurrency=0), "at least 1"),
        (one(max_provisioned_concurrency="many"), "whole number"),
        (one(max_provisioned_concurrency=1.5), "whole number"),
        (one(max_provisioned_concurrency=1e400), "whole number"),
        (one(max_provisioned_concurrency=True), "whole number"),
        (one(external_model={"name": "gpt"}), "external_model"),
        (one(environment_vars=["A=b"]), "environment_vars must be an object"),
        (one(environment_vars={"A=B": "c"}), "environment variable"),
        (one(environment_vars={"A": "b\0c"}), "environment variable"),
        (one(environment_vars={"A": {"b": "c"}}), "environment variable"),
        (one(environment_vars={str(n): "x" for n in range(31)}), "at most 30"),
        (one(environment_vars={"KEY": "{{secrets/scope/key}}"}), "secret store"),
        ({**one(), "auto_capture_config": {"catalog_name": "main"}}, "Inference tables"),
        ({**one(), "traffic_config": []}, "traffic_config must be"),
        ({**one(), "traffic_config": {"routes": [1]}}, "traffic_config must be"),
        (
            {**one(), "traffic_config": {"routes": [{"traffic_percentage": 50}]}},
            "50 percent in 1",
        ),
        (
            {
                **one(name="a"),
                "traffic_config": {
                    "routes": [{"served_model_name": "b", "traffic_percentage": 100}]
                },
            },
            "no served entity 'b'",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused(body: object, message: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_configuration(body)

    assert message in str(refused.value)
