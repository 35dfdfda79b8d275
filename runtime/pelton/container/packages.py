"""Where a build's packages come from: this machine's settings, handed over as a secret.

pip's and uv's settings hold hosts and passwords, which must not stand in an image or its history.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pelton.environment.pipconfig import as_uv, read_pip_settings

_PASSED: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE")
# Places of this machine that mean nothing in a container.
_NOT_PASSED: Final = frozenset(
    {
        "UV_CACHE_DIR",
        "UV_CONFIG_FILE",
        "UV_LINK_MODE",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON",
        "UV_PYTHON_INSTALL_DIR",
        "PIP_CACHE_DIR",
        "PIP_CONFIG_FILE",
        "PIP_PYTHON",
        "PIP_REQUIRE_VIRTUALENV",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_USER",
    }
)


@dataclass(frozen=True)
class PackageSettings:
    """What a build must be told.

    Attributes:
        script: shell variables to be sourced; empty if there is nothing to tell.
        folders: local files and folders that the variables name.
    """

    script: str
    folders: tuple[Path, ...]


def package_settings(environment: Mapping[str, str]) -> PackageSettings:
    """Collect pip's and uv's settings from their variables and files."""
    variables = {
        f"PIP_{name.upper().replace('-', '_')}": " ".join(value.split())
        for name, value in read_pip_settings(environment).items()
    }
    variables |= as_uv(environment)[0]
    variables |= {
        name: value
        for name, value in environment.items()
        if name.startswith("UV_") or name.upper() in _PASSED
    }
    variables = {name: value for name, value in variables.items() if name not in _NOT_PASSED}
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items())]
    return PackageSettings("".join(lines), tuple(_folders(variables)))


def _folders(variables: Mapping[str, str]) -> list[Path]:
    found = set()
    for value in variables.values():
        for word in value.replace(",", " ").split():
            path = urlsplit(word).path if word.startswith("file:") else word
            if path.startswith("/") and os.path.exists(path):
                # A static index's pages point to files beside them.
                found.add(Path(path).parent if Path(path).name == "simple" else Path(path))
    return sorted(found)
