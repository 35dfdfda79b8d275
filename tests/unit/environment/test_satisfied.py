from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from pelton.environment.satisfied import Distributions, shortcomings

from .conftest import MakeSpec

_INSTALLED = {
    "mlflow": "3.1.4",
    "six": "1.16.0",
    "torch": "2.13.0+cpu",
    "numpy": "2.0.0rc1",
    "with-extra": "1.0",
}
_METADATA = """\
Metadata-Version: 2.1
Name: {name}
Version: {version}
Provides-Extra: fast
Requires-Dist: six ; extra == 'fast'
Requires-Dist: absent ; extra == 'slow'
"""


@pytest.fixture
def distribution(tmp_path: Path) -> Distributions:
    """Installed packages as the standard library sees them, in a directory of their own."""
    site = tmp_path / "site"
    for name, version in _INSTALLED.items():
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(_METADATA.format(name=name, version=version))

    def find(name: str) -> metadata.Distribution:
        found = list(metadata.distributions(name=name, path=[str(site)]))
        if not found:
            raise metadata.PackageNotFoundError(name)
        return found[0]

    return find


def _reasons(
    make_spec: MakeSpec, distribution: Distributions, requirements: str, *overrides: str
) -> list[str]:
    spec = make_spec(requirements=f"mlflow==3.1.4\n{requirements}")
    return shortcomings(spec, overrides, python=(3, 11), distribution=distribution)


@pytest.mark.parametrize(
    "requirement",
    [
        *("six==1.16.0", "six", "SIX<2", "torch==2.13.0", "torch==2.13.0+cpu", "numpy==2.0.0rc1"),
        *("numpy<3", "absent==1; python_version < '3'", "with_extra[fast]==1.0", "-f wheels"),
        "--extra-index-url https://example.org",
    ],
)
def test_what_is_installed_as_logged_is_enough(
    make_spec: MakeSpec, distribution: Distributions, requirement: str
) -> None:
    assert _reasons(make_spec, distribution, requirement) == []


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        ("six==1.17.0", "requirements.txt line 2: six==1.17.0: six 1.16.0 is installed"),
        ("absent", "requirements.txt line 2: absent: absent is not installed"),
        ("torch==2.13.0+cu121", "torch 2.13.0+cpu is installed"),
        ("with-extra[slow]", "extra 'slow': absent is not installed"),
        ("six @ https://example.org/six.whl", "cannot be compared"),
        ("git+https://example.org/x.git", "cannot be compared"),
        ("-e ./package", "cannot be compared"),
    ],
)
def test_what_differs_is_said_with_its_line(
    make_spec: MakeSpec, distribution: Distributions, requirement: str, reason: str
) -> None:
    (found,) = _reasons(make_spec, distribution, requirement)
    assert reason in found


def test_another_python_is_not_enough(make_spec: MakeSpec, distribution: Distributions) -> None:
    found = shortcomings(make_spec(), python=(3, 12), distribution=distribution)
    assert found == ["the model wants Python 3.11.7, this is 3.12"]


def test_constraints_bind_only_what_is_installed(
    make_spec: MakeSpec, distribution: Distributions
) -> None:
    spec = make_spec(requirements="mlflow\n-c c.txt\n", c__txt="absent==1\nsix<1.16\n")
    found = shortcomings(spec, python=(3, 11), distribution=distribution)
    assert found == ["c.txt line 2: six<1.16: six 1.16.0 is installed"]


def test_overrides_take_the_place_of_what_they_name(
    make_spec: MakeSpec, distribution: Distributions
) -> None:
    assert _reasons(make_spec, distribution, "six==9", "six==1.16.0") == []
    (found,) = _reasons(make_spec, distribution, "six==1.16.0", "six==9")
    assert found == "--override line 1: six==9: six 1.16.0 is installed"


def test_an_added_mlflow_has_to_be_there_too(
    make_spec: MakeSpec, distribution: Distributions
) -> None:
    spec = make_spec(requirements="mlflow-skinny==3.0.0")
    found = shortcomings(spec, python=(3, 11), distribution=distribution)
    assert "added line 1: mlflow==3.0.0: mlflow 3.1.4 is installed" in found


def test_an_mlflow_that_is_too_old_cannot_serve(make_spec: MakeSpec, tmp_path: Path) -> None:
    info = tmp_path / "old" / "mlflow-2.9.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(_METADATA.format(name="mlflow", version="2.9.2"))

    def find(name: str) -> metadata.Distribution:
        return next(iter(metadata.distributions(name=name, path=[str(info.parent)])))

    spec = make_spec(requirements="mlflow==2.9.2")
    (found,) = shortcomings(spec, python=(3, 11), distribution=find)
    assert found == "pelton needs mlflow 2.20 or newer: mlflow 2.9.2 is installed"
