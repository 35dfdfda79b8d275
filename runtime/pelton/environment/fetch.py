"""The child process that knows mlflow: ``python -m pelton.environment.fetch``.

Reads one JSON request per line on stdin, writes JSON lines on stdout: any number of
``{"progress": text}``, then one ``{"result": ...}`` or ``{"error": text}``. Requests::

    {"op": "version", "uri": ...}                  the same URI with a concrete version in it
    {"op": "locate", "uri": ...}                   what the URI stands for, without its big files
    {"op": "download", "uri": ..., "into": dir}    all its files; the result is their directory
    {"op": "requirements", "uri": ..., "operation": "add" | "remove", "packages": [...]}

End of file on stdin means that the parent is gone: the child kills itself and its own children at
once, whatever it is doing. mlflow is imported through ``importlib`` so that the import rules see
what is true: no module that the server imports reaches it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import queue
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pelton.environment.diagnosis import describe
from pelton.errors import ModelUriError

# Small files that decide what is served and that can be edited in place, size unchanged.
_SMALL: Final = frozenset(
    {"MLmodel", "requirements.txt", "conda.yaml", "python_env.yaml", "constraints.txt", "uv.lock"}
)
_PROGRESS_EVERY_S: Final = 1.0
_DEFAULTS: Final = {
    # mlflow's own defaults would try a registry that is down for four minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}

Report = Callable[[dict[str, Any]], None]


def version(request: dict[str, Any], report: Report) -> str:
    """Replace an alias, a stage or ``latest`` by the version it means now."""
    uri: str = request["uri"]
    if not uri.startswith("models:"):
        return uri
    models = importlib.import_module("mlflow.store.artifact.utils.models")
    found = models.get_model_name_and_version(_client(uri), uri)
    if len(found) == 1:
        return uri
    prefix = (
        uri[: uri.index("/", len("models://")) + 1] if uri.startswith("models://") else "models:/"
    )
    return f"{prefix}{found[0]}/{found[1]}"


def locate(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Find the files of a model: where, how large, and a fingerprint of what they are."""
    source = _without_run(version(request, report))
    report({"progress": f"{request['uri']} is {source}" if source != request["uri"] else source})
    facts = _registered(source)
    repository = _repository(source)
    files = dict(_list_files(repository))
    if "MLmodel" not in files:
        raise ModelUriError(_not_a_model(source, files))
    digest = hashlib.sha256(json.dumps([facts, source, sorted(files.items())]).encode())
    with tempfile.TemporaryDirectory() as scratch:
        for name in sorted(_SMALL & files.keys()):
            path = repository.download_artifacts(name, dst_path=scratch)
            digest.update(name.encode() + b"\0" + Path(path).read_bytes() + b"\0")
    return {
        **facts,
        "source": source,
        "fingerprint": digest.hexdigest()[:32],
        "size_bytes": sum(size or 0 for size in files.values()),
    }


def download(request: dict[str, Any], report: Report) -> str:
    """Fetch all files of a model, with progress once a second."""
    into = Path(request["into"])
    total_mb = request["size_bytes"] / 1e6
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_PROGRESS_EVERY_S):
            have = sum(path.stat().st_size for path in _existing(into))
            report({"progress": f"downloaded {have / 1e6:.0f} of {total_mb:.0f} MB"})

    report({"progress": f"downloading {total_mb:.1f} MB"})
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        into.mkdir(parents=True)
        path: str = _repository(request["uri"]).download_artifacts("", dst_path=os.fspath(into))
        return path
    finally:
        done.set()
        watcher.join()


def requirements(request: dict[str, Any], report: Report) -> list[str]:
    """Change a logged model's requirements, as ``mlflow.models.update_model_requirements`` does."""
    uri = _without_run(request["uri"])
    facts = _registered(uri)
    if facts["name"] is not None:
        raise ModelUriError(
            f"{uri} is a registered version, which is read-only; change the logged model "
            f"{facts['logged']} instead, or register a new version"
        )
    models = importlib.import_module("mlflow.models")
    models.update_model_requirements(uri, request["operation"], request["packages"])
    with tempfile.TemporaryDirectory() as scratch:
        path = _repository(uri).download_artifacts("requirements.txt", dst_path=scratch)
        return Path(path).read_text().splitlines()


_OPERATIONS: Final[dict[str, Callable[[dict[str, Any], Report], Any]]] = {
    "version": version,
    "locate": locate,
    "download": download,
    "requirements": requirements,
}


def _client(uri: str) -> Any:
    """Return a client of the registry that ``uri`` names, or of the default one."""
    mlflow = importlib.import_module("mlflow")
    uris = importlib.import_module("mlflow.utils.uri")
    profile = uris.get_databricks_profile_uri_from_artifact_uri(uri)
    return mlflow.MlflowClient(registry_uri=profile or mlflow.get_registry_uri())


def _repository(uri: str) -> Any:
    """Return the store of the files at ``uri``.

    mlflow's own repository for ``runs:/`` swallows errors and mixes two stores, so the run's
    directory is addressed directly; models that the run logged are dealt with before.
    """
    stores = importlib.import_module("mlflow.store.artifact.artifact_repository_registry")
    if uri.startswith("runs:"):
        runs = importlib.import_module("mlflow.store.artifact.runs_artifact_repo")
        uri = runs.RunsArtifactRepository.get_underlying_uri(uri)
    return stores.get_artifact_repository(uri)


def _without_run(uri: str) -> str:
    """Turn ``runs:/<run>/<name>`` into ``models:/<id>`` if mlflow 3 logged a model of that name."""
    if not uri.startswith("runs:"):
        return uri
    run_id, _, name = urlsplit(uri).path.strip("/").partition("/")
    logged = _logged_models(_client(uri), run_id, name)
    if name in logged:
        return f"models:/{logged[name]}"
    if not name and logged:
        names = " or ".join(f"runs:/{run_id}/{each}" for each in logged)
        raise ModelUriError(f"{uri} names a run, not a model; did you mean {names}?")
    return uri


def _logged_models(client: Any, run_id: str, name: str) -> dict[str, str]:
    """Return the ids of the models that a run logged, by name; the latest where names repeat.

    With ``name``, all of that name are looked through, as mlflow does; else only the latest ones.
    """
    experiment = client.get_run(run_id).info.experiment_id
    wanted = {"filter_string": f"name = '{name}'"} if name else {}
    logged: dict[str, str] = {}
    token = None
    try:
        while True:
            page = client.search_logged_models([experiment], page_token=token, **wanted)
            for model in page:
                if model.source_run_id == run_id:
                    logged.setdefault(model.name, model.model_id)
            token = page.token
            if logged or not wanted or not token:
                return logged
    except (AttributeError, importlib.import_module("mlflow.exceptions").MlflowException):
        return logged  # this mlflow, or the server, is of before version 3


def _registered(source: str) -> dict[str, Any]:
    """Return what the registry says of a model version; nothing for other URIs.

    ``created`` tells versions apart whose registered model was deleted and made again.
    """
    name, _, number = source.removeprefix("models:/").rpartition("/")
    if not source.startswith("models:") or not number.isdigit():
        return {"name": None, "version": None, "run_id": None, "logged": None}
    found = _client(source).get_model_version(name.rpartition("/")[2], number)
    if found.status not in ("READY", None):
        raise ModelUriError(
            f"{source} is {found.status}{_because(found.status_message)}; wait until it is READY, "
            "or register it again"
        )
    return {
        "name": found.name,
        "version": str(found.version),
        "run_id": found.run_id or None,
        "logged": found.source,
        "created": found.creation_timestamp,
    }


def _because(message: str | None) -> str:
    return f" ({message})" if message else ""


def _list_files(repository: Any, folder: str | None = None) -> Iterator[tuple[str, int | None]]:
    for info in repository.list_artifacts(folder):
        if info.is_dir:
            yield from _list_files(repository, info.path)
        else:
            yield info.path, info.file_size


def _not_a_model(source: str, files: dict[str, int | None]) -> str:
    message = f"no MLmodel file in {source}"
    nested = sorted(path for path in files if path.endswith("/MLmodel"))
    if nested:
        return f"{message}; did you mean {source.rstrip('/')}/{nested[0].removesuffix('/MLmodel')}?"
    if not files:
        return f"there are no files at {source}: nothing was logged there, or the path is wrong"
    return f"{message}; it holds {', '.join(sorted(files)[:5])}"


def _existing(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _read_requests(requests: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        requests.put(line)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def main() -> None:
    """Answer requests until the parent is gone."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    # Whatever libraries print goes to the log, not into the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    writing = threading.Lock()

    def report(answer: dict[str, Any]) -> None:
        with writing:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    while True:
        request = json.loads(requests.get())
        try:
            report({"result": _OPERATIONS[request["op"]](request, report)})
        except Exception as error:  # whatever mlflow, a store or a plugin may raise
            report({"error": describe(error, request["uri"], _client)})


if __name__ == "__main__":
    main()
