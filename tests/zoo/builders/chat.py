"""MLflow's chat and agent classes."""

from __future__ import annotations

from pathlib import Path

from tests.zoo.builders.saving import save_code
from tests.zoo.model import Model


def chat_model(model: Model, path: Path) -> None:
    save_code(model, path, input_example={"messages": [{"role": "user", "content": "Hello"}]})


def chat_agent(model: Model, path: Path) -> None:
    save_code(model, path, input_example={"messages": [{"role": "user", "content": "Hello"}]})


def responses_agent(model: Model, path: Path) -> None:
    save_code(model, path, input_example={"input": [{"role": "user", "content": "Hello"}]})
