"""A small model as mlflow would have saved it, and the same with one fault each."""

from __future__ import annotations

import pickle
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

_LOADER = """\
import pandas

def _load_pyfunc(path):
    return Doubling()

class Doubling:
    def predict(self, model_input, params=None):
        return model_input * 2
"""
_COLUMN = '[{"type": "double", "name": "x", "required": true}]'
REQUEST = '{"dataframe_split": {"columns": ["x"], "data": [[1.0], [2.5]]}}'
ANSWER = {"predictions": [{"x": 2.0}, {"x": 5.0}]}


def pinned(*packages: str) -> str:
    """Requirements as they are met here."""
    return "".join(f"{each}=={metadata.version(each)}\n" for each in packages)


def good() -> dict[str, Any]:
    """The files of a model that nothing is wrong with; it doubles the column ``x``."""
    python = platform.python_version()
    return {
        "MLmodel": {
            "flavors": {
                "python_function": {
                    "code": "code",
                    "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
                    "loader_module": "doubling",
                    "python_version": python,
                }
            },
            "mlflow_version": metadata.version("mlflow"),
            "model_uuid": "0" * 32,
            "saved_input_example_info": {
                "artifact_path": "input_example.json",
                "pandas_orient": "split",
                "serving_input_path": "serving_input_example.json",
                "type": "dataframe",
            },
            "signature": {"inputs": _COLUMN, "outputs": _COLUMN, "params": None},
        },
        "python_env.yaml": {"python": python, "dependencies": ["-r requirements.txt"]},
        "conda.yaml": {"channels": ["conda-forge"], "dependencies": [f"python={python}"]},
        "requirements.txt": pinned("mlflow", "pandas"),
        "code/doubling.py": _LOADER,
        "input_example.json": '{"columns": ["x"], "data": [[1.0], [2.5]]}',
        "serving_input_example.json": REQUEST,
    }


def write(folder: Path, changes: Mapping[str, Any] | None = None) -> Path:
    """Write the good model with ``changes``: file name to content, ``None`` for no such file."""
    for name, content in {**good(), **(changes or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return folder


def loader(text: str) -> dict[str, Any]:
    """Another loader module; ``predict`` is to be the body of its method."""
    return {"code/doubling.py": text}


def predicting(*lines: str) -> dict[str, Any]:
    """The same model with another ``predict``."""
    body = "\n        ".join(lines)
    return loader(_LOADER.replace("return model_input * 2", body))


def mlmodel(**changes: Any) -> dict[str, Any]:
    return {"MLmodel": good()["MLmodel"] | changes}


def requirements(text: str) -> dict[str, Any]:
    return {"requirements.txt": f"{good()['requirements.txt']}{text}\n"}


_OTHER_PYTHON = "3.12.1" if platform.python_version_tuple()[1] != "12" else "3.11.7"

BROKEN: Mapping[str, dict[str, Any]] = {
    "REQUIREMENT_UNPINNED": requirements("six"),
    "REQUIREMENT_LOCAL_VERSION": requirements("torch==2.3.1+cu121"),
    "REQUIREMENT_PATH": requirements("/home/somebody/own-1.0-py3-none-any.whl"),
    "MLFLOW_MISSING": {"requirements.txt": pinned("pandas")},
    "ANACONDA_CHANNEL": {"conda.yaml": {"channels": ["defaults"], "dependencies": []}},
    "NO_SIGNATURE": mlmodel(signature=None),
    "NO_INPUT_EXAMPLE": mlmodel(saved_input_example_info=None)
    | {"input_example.json": None, "serving_input_example.json": None},
    "ABSOLUTE_PATH": {"weights.pkl": pickle.dumps({"weights": "/home/somebody/weights.bin"})},
    "IMPORT_NOT_IN_REQUIREMENTS": {
        "code/doubling.py": f"import prometheus_client\n{_LOADER}",
    },
    "PICKLE_OF_ANOTHER_PYTHON": {
        "weights.pkl": pickle.dumps([1.0]),
        "python_env.yaml": {"python": _OTHER_PYTHON, "dependencies": ["-r requirements.txt"]},
    },
    "FILE_MISSING": mlmodel(
        flavors={
            "python_function": good()["MLmodel"]["flavors"]["python_function"]
            | {"data": "weights.bin"}
        }
    ),
    "LOAD_FAILED": loader("import nowhere_to_be_found\n"),
    "EXAMPLE_REFUSED": {"serving_input_example.json": '{"inputs": {"y": [1.0]}}'},
    "OUTPUT_MISMATCH": predicting("return model_input.rename(columns=str.upper)"),
    "WARMUP_FAILED": predicting("import time", "time.sleep(3600)"),
    "RELOAD_FAILED": loader(
        "import os, pathlib\n"
        + _LOADER.replace(
            "    return Doubling()",
            "    pathlib.Path(os.environ['LOADED_ONCE']).touch(exist_ok=False)\n"
            "    return Doubling()",
        )
    ),
    "RELOAD_DIFFERS": loader(
        _LOADER.replace(
            "import pandas", "import os, pandas, random\nDRAWN = random.random()"
        ).replace("model_input * 2", "model_input * DRAWN")
    ),
    "MODEL_UNREADABLE": {"MLmodel": "flavors: {python_function"},
}
"""Finding to what must be changed for it."""
