"""What is wrong with a model, or will be: told from its files, before anything is built or run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pelton.environment.artifacts import LocalModel
from pelton.environment.finding import Finding, Severity, shortened
from pelton.environment.imports import Import, own_modules, read_imports, unprovided
from pelton.environment.mlmodel import MLmodel
from pelton.environment.pickles import Pickle, read_pickles
from pelton.environment.requirement import Line
from pelton.environment.requirement_findings import find_in_requirements
from pelton.environment.satisfied import effective_lines
from pelton.environment.spec import EnvironmentSpec, read_spec
from pelton.errors import EnvironmentError_

# Where people keep files that no container has. Python sources are names in tracebacks.
_ABSOLUTE: Final = re.compile(
    r"^(?:file://)?(?:/(?:home|Users|root|mnt|media|dbfs|Workspace|Volumes|tmp|data|scratch|content)"
    r"/[^\s:*?\"<>|]+|[A-Za-z]:\\[^\s*?\"<>|]+)$"
)


@dataclass(frozen=True)
class _Model:
    """All that the checks look at."""

    directory: Path
    mlmodel: MLmodel
    spec: EnvironmentSpec
    lines: Sequence[Line]
    pickles: Sequence[Pickle]
    sources: Sequence[Path]
    importable: Collection[str] | None


def find_in_files(
    model: LocalModel,
    *,
    overrides: Sequence[str] = (),
    importable: Collection[str] | None = None,
) -> list[Finding]:
    """Look through a model's files; the worst findings come first.

    Reads every pickle and source file, but runs none of them: for a thread, not for a loop.

    Args:
        overrides: requirements that count before the model's own.
        importable: the top-level modules that the model's environment has, if it is built.
    """
    try:
        spec = read_spec(model.path, model.mlmodel)
    except EnvironmentError_ as error:
        remedy = "log the model again with a supported Python and its requirements"
        return [Finding("ENVIRONMENT_UNREADABLE", Severity.ERROR, str(error), remedy)]
    seen = _Model(
        directory=model.path,
        mlmodel=model.mlmodel,
        spec=spec,
        lines=effective_lines(spec, overrides),
        pickles=list(read_pickles(model.path)),
        sources=_sources(model),
        importable=importable,
    )
    found = list(find_in_requirements(spec, seen.lines))
    found += [finding for check in _CHECKS for finding in check(seen)]
    order = list(Severity)
    return sorted(found, key=lambda finding: order.index(finding.severity))


def _sources(model: LocalModel) -> list[Path]:
    folder = model.path / (model.mlmodel.code or "code")
    at_top = [path for path in model.path.glob("*.py") if path.is_file()]
    return sorted([*at_top, *folder.rglob("*.py")])


def _interface(model: _Model) -> Iterator[Finding]:
    document = model.mlmodel.document
    if not model.mlmodel.has_signature:
        yield Finding(
            "NO_SIGNATURE",
            Severity.WARNING,
            "the model has no signature: requests are not checked, and types are guessed",
            "log it again with an input_example or a signature, or use "
            "mlflow.models.set_signature on the logged model",
        )
    if model.mlmodel.input_example is None:
        yield Finding(
            "NO_INPUT_EXAMPLE",
            Severity.WARNING,
            "the model has no input example: workers cannot be warmed up or batching proved safe",
            "log it again with input_example=...",
        )
    signature = document.get("signature")
    for side in ("inputs", "outputs", "params"):
        text = signature.get(side) if isinstance(signature, Mapping) else None
        if isinstance(text, str) and not _is_json(text):
            yield Finding(
                "SIGNATURE_UNREADABLE",
                Severity.ERROR,
                f"the signature's {side} are not JSON",
                "set it again with mlflow.models.set_signature",
            )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _files(model: _Model) -> Iterator[Finding]:
    missing = [name for name in _referenced(model.mlmodel) if not (model.directory / name).exists()]
    if missing:
        yield Finding(
            "FILE_MISSING",
            Severity.ERROR,
            f"MLmodel names files that are not there: {', '.join(missing)}",
            "the copy of the model is incomplete: fetch it again, or log it again",
        )


def _referenced(mlmodel: MLmodel) -> Iterator[str]:
    """Yield the paths that ``MLmodel`` says are inside the model."""
    pyfunc = mlmodel.pyfunc
    for key in ("data", "code", "model_path", "python_model", "model_code_path"):
        value = pyfunc.get(key)
        # `model_code_path` is where it was logged from, too: only its name is inside the model.
        if isinstance(value, str):
            yield Path(value).name if key == "model_code_path" else value
    artifacts = pyfunc.get("artifacts")
    for artifact in artifacts.values() if isinstance(artifacts, Mapping) else ():
        if isinstance(artifact, Mapping) and isinstance(artifact.get("path"), str):
            yield artifact["path"]
    yield from filter(None, (mlmodel.input_example, mlmodel.serving_input_example))


def _absolute_paths(model: _Model) -> Iterator[Finding]:
    found = [
        f"{pickle.path}: {text}"
        for pickle in model.pickles
        for text in sorted(pickle.strings)
        if _ABSOLUTE.match(text) and not text.endswith(".py")
    ]
    found += _absolute_in_sources(model)
    if found:
        yield Finding(
            "ABSOLUTE_PATH",
            Severity.WARNING,
            f"paths that exist only where the model was made: {shortened(found)}",
            "log such files as artifacts={name: path} and open context.artifacts[name], or with "
            "code_paths",
        )


def _absolute_in_sources(model: _Model) -> Iterator[str]:
    import ast

    for path in model.sources:
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
            if is_text and _ABSOLUTE.match(node.value):  # type: ignore[attr-defined]
                yield f"{path.relative_to(model.directory)} line {node.lineno}: {node.value}"  # type: ignore[attr-defined]


def _imports(model: _Model) -> Iterator[Finding]:
    folder = model.directory / (model.mlmodel.code or "code")
    own = own_modules(folder) | {path.stem for path in model.directory.glob("*.py")}
    imports = list(read_imports(model.directory, model.sources))
    imports += [
        Import(module, str(pickle.path)) for pickle in model.pickles for module in pickle.modules
    ]
    packages = {line.name for line in model.lines if line.name and not line.constraint}
    packages |= {"mlflow"}
    lacking = unprovided(
        {each.module for each in imports} - own, packages - {None}, model.importable
    )
    first = {each.module: each.where for each in reversed(imports) if each.module in lacking}
    if first:
        known = model.importable is not None
        yield Finding(
            "IMPORT_NOT_IN_REQUIREMENTS",
            Severity.ERROR if known else Severity.WARNING,
            "imported, but not among the requirements: "
            + shortened([f"{module} ({where})" for module, where in sorted(first.items())]),
            "`pelton requirements MODEL_URI add NAME==VERSION`, or log code of your own with "
            "code_paths",
        )


def _pickled(model: _Model) -> Iterator[Finding]:
    logged, declared = model.mlmodel.python_version, model.spec.python
    if model.pickles and logged and _minor(logged) != _minor(declared):
        yield Finding(
            "PICKLE_OF_ANOTHER_PYTHON",
            Severity.ERROR,
            f"pickled by Python {logged}, to be loaded by Python {declared}, which its environment "
            "asks for: code in pickles is not the same for both",
            f"log the model again with Python {_minor(declared)}, or set `python: {logged}` in "
            "python_env.yaml",
        )
    from_main = [
        f"{pickle.path}: {name}"
        for pickle in model.pickles
        for name in sorted(pickle.globals)
        if name.startswith("__main__.")
    ]
    if from_main:
        yield Finding(
            "PICKLE_NEEDS_MAIN",
            Severity.ERROR,
            f"pickled by reference to the program that trained it: {shortened(from_main)}",
            "define those in a module, log it with code_paths, and pickle again; or save with "
            "cloudpickle",
        )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


_CHECKS: Final[Sequence[Callable[[_Model], Iterator[Finding]]]] = (
    _interface,
    _files,
    _absolute_paths,
    _imports,
    _pickled,
)
