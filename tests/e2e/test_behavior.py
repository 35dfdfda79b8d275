"""What a model is given besides rows: parameters, its configuration, MLflow's variables."""

from __future__ import annotations

import json

from tests.conftest import Serve
from tests.zoo import build


def test_params(live_endpoint: Serve) -> None:
    endpoint = live_endpoint(build("params-all"))
    rows = {"inputs": {"x": [1.0]}}

    answer = endpoint.ask({**rows, "params": {"p_long": 7, "p_strings": ["a", "b"]}})
    text = json.dumps(answer.json()["predictions"]["params"])
    assert answer.status_code == 200
    assert all(part in text for part in ("p_long", '"7"', "p_strings", "'b'", "p_double"))

    refused = endpoint.ask({**rows, "params": {"p_long": "seven"}})
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert endpoint.ask(rows).status_code == 200


def test_model_configuration_from_the_environment(live_endpoint: Serve) -> None:
    variables = {"SERVING_MODEL_CONFIG": json.dumps({"greeting": "moin", "repeat": 3})}
    endpoint = live_endpoint(build("configured"), variables=variables)

    answer = endpoint.ask({"inputs": [1]}).json()["predictions"]

    assert (answer["at_load"]["greeting"], answer["in_predict"]["repeat"]) == ("moin", 3)


def test_mlflow_s_own_time_limit(live_endpoint: Serve) -> None:
    variables = {"MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": "1"}
    endpoint = live_endpoint(build("slow"), "--concurrency", "1", variables=variables)

    answer = endpoint.ask({"dataframe_records": [{"seconds": 600.0, "how": "c"}]})

    assert (answer.status_code, answer.json()["error_code"]) == (504, "DEADLINE_EXCEEDED")
