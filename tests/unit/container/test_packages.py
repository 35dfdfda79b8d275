"""This machine's package settings, as a build is told of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from pelton.container.packages import package_settings


def _settings(**variables: str) -> dict[str, str]:
    return {"PIP_CONFIG_FILE": os.devnull, **variables}


def test_nothing_to_tell() -> None:
    found = package_settings(_settings(HOME="/nowhere", PATH="/bin"))
    assert (found.script, found.folders) == ("", ())


def test_pips_settings_are_said_in_uvs_words_too() -> None:
    found = package_settings(_settings(PIP_INDEX_URL="https://user:p'w@index.example/simple"))
    shown = subprocess.run(
        ["sh", "-c", f'{found.script} echo "$PIP_INDEX_URL $UV_DEFAULT_INDEX"'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    url = "https://user:p'w@index.example/simple"
    assert shown == f"{url} {url}\n"


def test_places_of_this_machine_are_left_out() -> None:
    found = package_settings(_settings(UV_CACHE_DIR="/x", PIP_TARGET="/y", UV_OFFLINE="1"))
    assert found.script == "export UV_OFFLINE=1\n"


def test_local_folders_are_shown_to_the_build(tmp_path: Path) -> None:
    wheels, index = tmp_path / "wheels", tmp_path / "index"
    (index / "simple").mkdir(parents=True)
    wheels.mkdir()
    variables = {
        "PIP_FIND_LINKS": f"{wheels} {tmp_path}/none",
        "UV_INDEX": f"file://{index}/simple",
    }
    # What a static index lists lies beside its pages.
    assert package_settings(_settings(**variables)).folders == (index, wheels)
