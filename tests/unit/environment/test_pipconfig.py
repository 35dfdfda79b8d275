from __future__ import annotations

from pathlib import Path

import pytest

from pelton.environment.pipconfig import as_uv, read_pip_settings

_PIP_CONF = """\
[global]
index-url = https://one.example/simple
extra-index-url =
    https://two.example/simple
    https://three.example/simple
find-links = /wheels /more
cert = /ca.pem

[install]
trusted-host = two.example
"""


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment whose user has a pip.conf."""
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "pip.conf").write_text(_PIP_CONF)
    return {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "XDG_CONFIG_DIRS": str(tmp_path / "none"),
        # Overrules whatever the machine that runs the tests has.
        "PIP_NO_INDEX": "false",
        "PIP_PROXY": "",
        "PIP_TIMEOUT": "60",
    }


def test_pips_settings_are_said_in_uvs_words(home: dict[str, str]) -> None:
    assert as_uv(home) == (
        {
            "UV_DEFAULT_INDEX": "https://one.example/simple",
            "UV_INDEX": "https://two.example/simple https://three.example/simple",
            "UV_INDEX_STRATEGY": "unsafe-best-match",
            "UV_FIND_LINKS": "/wheels,/more",
            "UV_INSECURE_HOST": "two.example",
            "SSL_CERT_FILE": "/ca.pem",
            "UV_HTTP_TIMEOUT": "60",
        },
        (),
    )


def test_what_uv_was_told_itself_counts_first(home: dict[str, str]) -> None:
    told = {"UV_INDEX_URL": "https://uv.example", "UV_EXTRA_INDEX_URL": "", "SSL_CERT_FILE": "/x"}
    variables, _ = as_uv(home | told)
    assert set(variables) == {"UV_FIND_LINKS", "UV_INSECURE_HOST", "UV_HTTP_TIMEOUT"}


def test_a_chosen_index_strategy_stays(home: dict[str, str]) -> None:
    variables, _ = as_uv(home | {"UV_INDEX_STRATEGY": "first-index"})
    assert "UV_INDEX_STRATEGY" not in variables


def test_variables_count_before_files(home: dict[str, str]) -> None:
    settings = read_pip_settings(home | {"PIP_INDEX_URL": "https://four.example"})
    assert settings["index-url"] == "https://four.example"
    assert settings["cert"] == "/ca.pem"


def test_a_named_file_counts_before_the_users(home: dict[str, str], tmp_path: Path) -> None:
    named = tmp_path / "named.conf"
    named.write_text("[global]\nindex-url = https://named.example\n")
    settings = read_pip_settings(home | {"PIP_CONFIG_FILE": str(named)})
    assert settings["index-url"] == "https://named.example"
    assert settings["cert"] == "/ca.pem"
    no_files = read_pip_settings(home | {"PIP_CONFIG_FILE": "/dev/null"})
    assert set(no_files) == {"config-file", "no-index", "proxy", "timeout"}


def test_no_index_becomes_an_option(home: dict[str, str]) -> None:
    assert as_uv(home | {"PIP_NO_INDEX": "1"})[1] == ("--no-index",)


def test_a_broken_file_is_left_to_pip(home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "pip" / "pip.conf").write_text("index-url = no section")
    assert "index-url" not in read_pip_settings(home)
