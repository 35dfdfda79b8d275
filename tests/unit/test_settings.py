from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from pelton.errors import ConfigError
from pelton.notation import show
from pelton.resolution import Resolved, resolve
from pelton.settings import Option, options

OPTIONS = list(options())
ids = [option.name for option in OPTIONS]


def _value(resolved: Resolved, option: Option) -> Any:
    return getattr(getattr(resolved.settings, option.section), option.name)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def toml(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "settings.toml"
        path.write_text(text)
        return path

    return write


def _resolve(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Resolved:
    return resolve(flags or {}, environ or {}, file)


@pytest.mark.parametrize("option", OPTIONS, ids=ids)
def test_every_option_reads_its_own_default(option: Option) -> None:
    assert _value(_resolve(), option) == option.default
    if option.default is not None:
        assert option.parse(option.default) == option.default
        assert option.parse(show(option.default)) == option.default
        again = _resolve(environ={option.variable: show(option.default)})
        assert _value(again, option) == option.default
        assert again.sources[option.name] == option.variable


@pytest.mark.parametrize("option", OPTIONS, ids=ids)
def test_every_option_is_documented_and_named_alike_everywhere(option: Option) -> None:
    assert option.help
    assert option.flag == "--" + option.name.replace("_", "-")
    assert option.variable == "PELTON_" + option.name.upper()


def test_option_names_are_unique() -> None:
    assert len(set(ids)) == len(ids)


def test_precedence(toml: Callable[[str], Path]) -> None:
    file = toml('timeout = "10s"')
    mlflow = {"MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": "20"}
    ours = {"PELTON_TIMEOUT": "30"}
    flags = {"timeout": "40"}
    cases: list[tuple[dict[str, Any], float, str]] = [
        ({}, 120.0, "default"),
        ({"file": file}, 10.0, str(file)),
        ({"file": file, "environ": mlflow}, 20.0, "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT"),
        ({"file": file, "environ": mlflow | ours}, 30.0, "PELTON_TIMEOUT"),
        ({"file": file, "environ": mlflow | ours, "flags": flags}, 40.0, "flag --timeout"),
    ]
    for given, timeout, source in cases:
        resolved = _resolve(**given)
        assert (resolved.settings.admission.timeout, resolved.sources["timeout"]) == (
            timeout,
            source,
        )


def test_file_of_the_working_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "pelton.toml").write_text('model = "models:/a/1"\nport = 9000\nlog-json = true\n')
    resolved = _resolve()
    assert resolved.model == "models:/a/1"
    assert resolved.settings.http.port == 9000
    assert resolved.settings.telemetry.log_json is True


def test_model_comes_from_the_nearest_place(toml: Callable[[str], Path]) -> None:
    file = toml('model = "from-file"')
    assert _resolve(file=file).model == "from-file"
    assert _resolve(file=file, environ={"PELTON_MODEL": "from-env"}).model == "from-env"
    assert _resolve({"model": "given"}, {"PELTON_MODEL": "from-env"}, file).model == "given"
    assert _resolve().model is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conkurrency = 2", r"unknown key 'conkurrency'. Did you mean 'concurrency'\?"),
        ("max-paylod = 2", r"Did you mean 'max_payload'\?"),
        ("xyzzy = 2", "`pelton check` lists the known ones"),
        ("[http]\nport = 1", "unknown key 'http'"),
        ("port = [1]", "must be a plain value"),
        ("port = ", "is not valid TOML"),
        ("port = 1.5", r"port \(.*settings.toml\): '?1.5'? is no whole number"),
    ],
)
def test_wrong_file_says_what_is_wrong(
    toml: Callable[[str], Path], text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        _resolve(file=toml(text))


def test_missing_file_that_was_asked_for_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Cannot read"):
        _resolve(file=tmp_path / "nowhere.toml")


def test_unknown_variable_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"PELTON_TIMOUT. Did you mean 'PELTON_TIMEOUT'\?"):
        _resolve(environ={"PELTON_TIMOUT": "3"})


def test_other_programs_variables_are_left_alone() -> None:
    _resolve(environ={"HOME": "/", "MLFLOW_TRACKING_URI": "x", "PELTON_CONFIG": "x"})


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"workload_size": "Small", "concurrency": "4"}, "give one of them"),
        ({"port": "70000"}, "is no port"),
        ({"timeout": "0"}, "more than 0"),
        ({"name": "a b"}, "1 to 63 letters"),
        ({"name": ""}, "1 to 63 letters"),
        ({"max_concurrency": "2", "min_concurrency": "3"}, "less than min_concurrency"),
        ({"port": "http"}, r"port \(flag --port\): 'http' is no whole number"),
        ({"workload_type": "TPU"}, "none of CPU, CPU_MEDIUM"),
    ],
)
def test_values_that_cannot_be_are_refused(flags: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _resolve(flags)


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        _resolve().settings.http.port = 1  # type: ignore[misc]


def test_what_kubernetes_makes_of_a_service_called_pelton_is_no_setting() -> None:
    environ = {
        "PELTON_SERVICE_HOST": "10.0.0.7",
        "PELTON_SERVICE_PORT": "8080",
        "PELTON_SERVICE_PORT_HTTP": "8080",
        "PELTON_PORT": "tcp://10.0.0.7:8080",
        "PELTON_PORT_8080_TCP": "tcp://10.0.0.7:8080",
        "PELTON_PORT_8080_TCP_ADDR": "10.0.0.7",
        "PELTON_TIMEOUT": "7",
    }

    resolved = resolve({}, environ, None)

    assert resolved.settings.http.port == 8080
    assert resolved.sources["port"] == "default"
    assert resolved.settings.admission.timeout == 7.0
