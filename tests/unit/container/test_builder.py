"""Builders of images: which one, its command line, and what it means when one fails."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from pelton.container import builder
from pelton.container.packages import PackageSettings
from pelton.errors import ConfigError, EnvironmentError_

_NOTHING = PackageSettings("", ())


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, but for the shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", os.fspath(folder))
    return folder


def _program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_docker_without_its_daemon_is_passed_over(bin_folder: Path) -> None:
    _program(bin_folder, "docker", "exit 1")
    _program(bin_folder, "podman", "exit 0")
    assert asyncio.run(builder.find_builder("auto")) == "podman"
    with pytest.raises(ConfigError, match="docker has no daemon running"):
        asyncio.run(builder.find_builder("docker"))


def test_no_builder(bin_folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"buildah is not installed.*--dry-run"):
        asyncio.run(builder.find_builder("auto"))


def test_command_lines() -> None:
    context, secret = Path("/context"), Path("/secret")
    packages = PackageSettings("export A=b\n", (Path("/wheels"),))
    arguments = {"BASE_IMAGE": "base"}
    line = builder.command("buildah", context, "a:1", arguments, packages, secret, ["--network=x"])
    assert line == [
        *("buildah", "build", "--format", "docker", "--layers", "--tag", "a:1"),
        *("--build-arg", "BASE_IMAGE=base", "--secret", "id=packages,src=/secret"),
        *("--volume", "/wheels:/wheels:ro", "--network=x", "/context"),
    ]
    line = builder.command("docker", context, "a:1", {}, _NOTHING, None, [])
    assert line == ["docker", "build", "--tag", "a:1", "/context"]
    with pytest.raises(ConfigError, match=r"/wheels.*docker does not show"):
        builder.command("docker", context, "a:1", {}, packages, secret, [])


def _build(packages: PackageSettings = _NOTHING, timeout_s: float = 60.0) -> list[str]:
    said: list[str] = []
    build = builder.build(
        "buildah",
        Path("/context"),
        "a:1",
        {},
        packages,
        extra=[],
        timeout_s=timeout_s,
        on_progress=said.append,
    )
    asyncio.run(build)
    return said


def test_what_it_prints_is_progress_and_the_secret_is_gone_after(bin_folder: Path) -> None:
    _program(
        bin_folder,
        "buildah",
        'for word; do case "$word" in id=packages,src=*) secret="${word#id=packages,src=}";; esac;'
        ' done; echo "$secret"; while read -r line; do echo "$line"; done < "$secret"',
    )
    secret, line = _build(PackageSettings("export A=b\n", ()))
    assert line == "export A=b"
    assert not Path(secret).exists()


def test_a_full_disk_is_named(bin_folder: Path) -> None:
    _program(bin_folder, "buildah", "echo 'write /x: no space left on device' >&2; exit 125")
    with pytest.raises(EnvironmentError_, match=r"no space left to build.*rmi --prune"):
        _build()


def test_a_failure_shows_the_last_lines(bin_folder: Path) -> None:
    _program(bin_folder, "buildah", "echo at fault: six==99; exit 2")
    with pytest.raises(EnvironmentError_, match=r"exit status 2\):\nat fault: six==99"):
        _build()


def test_it_may_not_take_for_ever(bin_folder: Path, tmp_path: Path) -> None:
    _program(bin_folder, "buildah", "exec /bin/sleep 600")
    with pytest.raises(EnvironmentError_, match=r"not built within 0.5 s.*--time-limit"):
        _build(timeout_s=0.5)
