"""``make serve``: train a small scikit-learn model with MLflow, once, and serve it with pelton.

Arguments go to ``pelton serve``: ``python -m benchmarks.demo --port 8090``. The model is kept in
``.cache/demo``, one folder for each combination of versions that it depends on.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sys
import time
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_CACHE = Path(__file__).resolve().parents[1] / ".cache" / "demo"
_LIBRARIES = ("mlflow", "scikit-learn", "skops", "pandas", "numpy")


def demo_model() -> Path:
    """Return the folder of the demo model; trains and saves it if it is not there yet."""
    requirements = []
    for library in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):  # older mlflows do without skops
            requirements.append(f"{library}=={version(library)}")
    key = " ".join([platform.python_version(), *requirements])
    folder = _CACHE / f"iris-{sha256(key.encode()).hexdigest()[:8]}"
    if (folder / "MLmodel").is_file():
        _say(f"demo: using the model in {_short(folder)}")
        return folder
    started = time.monotonic()
    _say("demo: training a LogisticRegression on the iris data (once)")
    _train(folder, requirements)
    _say(f"demo: saved with mlflow to {_short(folder)} in {time.monotonic() - started:.1f} s")
    return folder


def _train(folder: Path, requirements: list[str]) -> None:
    """Save a model with named columns, a signature and an input example."""
    import mlflow
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    iris = load_iris(as_frame=True)
    rows = iris.data.rename(columns=lambda name: name.removesuffix(" (cm)").replace(" ", "_"))
    model = LogisticRegression(max_iter=1000).fit(rows, iris.target_names[iris.target])
    example = rows.head(2)
    # Written whole or not at all: a Ctrl-C in between must not leave half a model.
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        mlflow.sklearn.save_model(
            model,
            part,
            signature=mlflow.models.infer_signature(example, model.predict(example)),
            input_example=example,
            pip_requirements=requirements,
        )
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _short(folder: Path) -> str:
    """Return a path as short as it can be pasted here."""
    return os.path.relpath(folder)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Serve the demo model in this very process, so that Ctrl-C reaches pelton itself."""
    folder = demo_model()
    command = [sys.executable, "-m", "pelton", "serve", str(folder), *sys.argv[1:]]
    _say(f"demo: pelton serve {' '.join([_short(folder), *sys.argv[1:]])}\n")
    os.execv(command[0], command)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
