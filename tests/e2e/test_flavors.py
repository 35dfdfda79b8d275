"""Real models of each kind are loaded and answer right, each by its own library's word."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conftest import Serve
from tests.zoo import build

IRIS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
ROWS = {"dataframe_split": {"columns": IRIS, "data": FLOWERS}}


def test_scikit_learn(live_endpoint: Serve) -> None:
    answer = live_endpoint(build("sklearn4")).ask(ROWS)

    assert answer.headers["content-type"] == "application/json"
    assert (answer.status_code, answer.json()) == (200, {"predictions": [0, 2]})


def test_lightgbm(live_endpoint: Serve) -> None:
    import lightgbm

    model = build("lightgbm")
    booster = lightgbm.Booster(model_file=model / "model.lgb")

    answer = live_endpoint(model).ask(ROWS)

    assert {"predictions": list(booster.predict(FLOWERS))} == answer.json()


def test_torch(live_endpoint: Serve) -> None:
    import torch

    model = build("torch")
    network = torch.load(model / "data" / "model.pth", weights_only=False)
    with torch.no_grad():
        expected = network(torch.tensor(FLOWERS, dtype=torch.float32)).tolist()

    predictions = live_endpoint(model).ask(ROWS).json()["predictions"]

    assert [pytest.approx(row) for row in expected] == [list(row.values()) for row in predictions]


def test_onnx(live_endpoint: Serve) -> None:
    answer = live_endpoint(build("onnx")).ask({"inputs": [[1.0, 2.0, 3.0]]})

    assert answer.json() == {"predictions": {"square": [[1.0, 4.0, 9.0]]}}


def test_pickled_class_with_an_artifact(live_endpoint: Serve) -> None:
    answer = live_endpoint(build("pyfunc-class")).ask({"dataframe_records": [{"x": 2.0, "y": 4.0}]})

    assert answer.json() == {"predictions": [{"x": 5.0, "y": 10.0}]}


def test_model_from_code_with_code_beside_it(live_endpoint: Serve) -> None:
    answer = live_endpoint(build("code-paths")).ask({"inputs": {"name": ["World", "pelton"]}})

    assert answer.json() == {"predictions": ["Hello World", "Hello pelton"]}


def test_type_hints(live_endpoint: Serve) -> None:
    endpoint = live_endpoint(build("hint-ints"))

    assert endpoint.ask({"inputs": [1, 2]}).json() == {"predictions": ["int 1", "int 2"]}
    refused = endpoint.ask({"inputs": ["one"]})
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_chat_model(live_endpoint: Serve) -> None:
    request = {"messages": [{"role": "user", "content": "hello"}], "temperature": 0.5}

    answer = live_endpoint(build("chat-model")).ask(request).json()

    assert (answer["object"], answer["id"]) == ("chat.completion", "chat-1")
    said = answer["choices"][0]["message"]
    assert said["role"] == "assistant"
    assert said["content"].startswith("user: hello\n")
    assert "'temperature': 0.5" in said["content"]


def test_responses_agent(live_endpoint: Serve) -> None:
    request: dict[str, Any] = {
        "input": [{"role": "user", "content": "hello"}],
        "custom_inputs": {"key": "value"},
    }

    answer = live_endpoint(build("responses-agent")).ask(request).json()

    assert answer["object"] == "response"
    assert answer["custom_outputs"] == {"key": "value"}
    assert "'content': 'hello'" in answer["output"][0]["content"][0]["text"]
