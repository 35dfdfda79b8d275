"""The oracle's process: MLflow's scoring app for several models, each on a port of its own.

``python -m tests.conformance.oracle_pool NAME=DIRECTORY ...`` prints ``NAME PORT`` once a model is
served, and serves until its stdin is closed. One process, because importing mlflow and the model
libraries costs more than all the answers; ``--subject mlflow`` asks one process for each model,
started as mlflow starts it, and shows that the answers are the same.
"""

from __future__ import annotations

import socket
import sys
import threading

import uvicorn
from mlflow.pyfunc.scoring_server import init, load_model_with_mlflow_config


def main() -> None:
    for argument in sys.argv[1:]:
        name, _, directory = argument.partition("=")
        app = init(load_model_with_mlflow_config(directory))
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        threading.Thread(target=server.run, args=([listener],), daemon=True).start()
        print(name, listener.getsockname()[1], file=sys.__stdout__, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
