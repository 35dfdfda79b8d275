"""MLflow's answers, recorded under ``.cache/conformance`` by everything they depend on."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from tests.conformance.answer import NO_ANSWER, Answer
from tests.conformance.case import Case
from tests.conformance.cases import all_cases
from tests.conformance.server import environment
from tests.conformance.wire import Address, ask_all
from tests.zoo import MODELS, build_all
from tests.zoo.store import REPOSITORY, locked

CACHE = REPOSITORY / ".cache" / "conformance"

Recording = dict[str, Answer]

# What answers besides the model's own libraries, which are in the model's key.
_PACKAGES = ("fastapi", "starlette", "uvicorn", "httptools", "pydantic", "pyarrow")


def recordings(models: Iterable[str]) -> dict[str, Recording]:
    """The oracle's answers to all cases of the models; what is missing is asked now."""
    places = {model: CACHE / f"{model}-{_key(model, all_cases()[model])}.json" for model in models}
    CACHE.mkdir(parents=True, exist_ok=True)
    if any(not place.exists() for place in places.values()):
        with locked(CACHE / "lock"):
            missing = [model for model, place in places.items() if not place.exists()]
            if missing:  # another process may have recorded them while this one waited
                _record({model: places[model] for model in missing})
    return {model: _read(place) for model, place in places.items()}


def _record(places: dict[str, Path]) -> None:
    with _oracle(places) as servers:
        for model, address in servers:
            answers = ask_all(address, all_cases()[model])
            if silent := [name for name, a in answers.items() if a.status == NO_ANSWER]:
                raise RuntimeError(f"the oracle gives no answer to {model}: {silent}")
            text = json.dumps({name: answer.to_json() for name, answer in answers.items()})
            scratch = places[model].with_suffix(".writing")
            scratch.write_text(text)
            for older in CACHE.glob(f"{model}-" + "[0-9a-f]" * 16 + ".json"):
                older.unlink()
            os.rename(scratch, places[model])


@contextmanager
def _oracle(models: Iterable[str]) -> Iterator[Iterator[tuple[str, Address]]]:
    """Addresses of the models, each as soon as it is served."""
    directories = build_all(models)
    command = [sys.executable, "-m", "tests.conformance.oracle_pool"]
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [*command, *(f"{model}={place}" for model, place in directories.items())],
            cwd=directory,
            env={**environment(), "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
        )

        def addresses() -> Iterator[tuple[str, Address]]:
            assert process.stdout is not None
            waiting = set(directories)
            for line in process.stdout:
                # Models print too: a line that is no announcement is theirs.
                name, _, port = line.strip().partition(" ")
                if name in waiting and port.isdigit():
                    waiting.remove(name)
                    yield name, ("127.0.0.1", int(port))
                if not waiting:
                    return
            errors.seek(0)
            text = errors.read().decode(errors="replace")
            raise RuntimeError(f"the oracle ended without serving {sorted(waiting)}:\n{text}")

        try:
            yield addresses()
        finally:
            process.terminate()
            process.communicate()


def _key(model: str, cases: tuple[Case, ...]) -> str:
    parts = [MODELS[model].key, str(build_all([model])[model])]
    parts += [f"{package} {version(package)}" for package in _PACKAGES]
    parts += [repr(case) for case in cases]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _read(place: Path) -> Recording:
    content = json.loads(place.read_text())
    return {name: Answer.from_json(value) for name, value in content.items()}
