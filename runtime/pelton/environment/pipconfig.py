"""pip's own settings, said in uv's words.

uv does not read pip's configuration; a user whose private index stands in ``pip.conf`` should not
have to write it down twice. What the user has told uv itself counts before this.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

# pip's name, uv's variable, and what separates several values there.
_SETTINGS: Final = (
    ("index-url", "UV_DEFAULT_INDEX", " "),
    ("extra-index-url", "UV_INDEX", " "),
    ("find-links", "UV_FIND_LINKS", ","),
    ("trusted-host", "UV_INSECURE_HOST", " "),
    ("cert", "SSL_CERT_FILE", " "),
    ("proxy", "ALL_PROXY", " "),
    ("timeout", "UV_HTTP_TIMEOUT", " "),
)
# uv's older names for the same: whoever uses them has configured uv.
_SAME: Final = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}
_TRUE: Final = frozenset({"1", "true", "yes", "on"})


def as_uv(environment: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables and the options that make uv look where pip would.

    A variable that is in ``environment`` is left out.
    """
    settings = read_pip_settings(environment)
    variables: dict[str, str] = {}
    for name, variable, separator in _SETTINGS:
        value = separator.join(settings.get(name, "").split())
        if value and not {variable, _SAME.get(variable, variable)} & environment.keys():
            variables[variable] = value
    if "UV_INDEX" in variables and "UV_INDEX_STRATEGY" not in environment:
        # pip takes the best version of all indexes, uv that of the first one with the package.
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    no_index = settings.get("no-index", "").lower() in _TRUE
    return variables, ("--no-index",) if no_index else ()


def read_pip_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Read pip's files and variables, the later over the earlier, as ``pip config list`` does."""
    settings: dict[str, str] = {}
    for path in _files(environment):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip itself will complain of it, in its own words
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update(parser.items(section))
    for name, value in environment.items():
        if name.startswith("PIP_"):
            settings[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    if "default-timeout" in settings:
        settings.setdefault("timeout", settings["default-timeout"])
    return settings


def _files(environment: Mapping[str, str]) -> list[Path]:
    """Return where pip looks on Linux and macOS, the weakest first."""
    named = environment.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    home = Path(environment.get("HOME", "~")).expanduser()
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    system = [
        Path(folder) / "pip" / "pip.conf"
        for folder in reversed(environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"))
    ]
    files = [*system, Path("/etc/pip.conf"), home / ".pip" / "pip.conf"]
    if sys.platform == "darwin":
        files.append(home / "Library" / "Application Support" / "pip" / "pip.conf")
    files += [config / "pip" / "pip.conf", Path(sys.prefix) / "pip.conf"]
    return [*files, Path(named)] if named else files
