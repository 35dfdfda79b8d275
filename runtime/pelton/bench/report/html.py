"""A run as one page: plots drawn by the page itself from the JSON inside it, nothing fetched."""

from __future__ import annotations

import html
import json
from importlib import resources
from typing import Any, Final

_DATA: Final = "/*DATA*/null"
_TITLE: Final = "<!--TITLE-->"


def page(run: dict[str, Any]) -> str:
    """Return the page for a run (the JSON form)."""
    template = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    # Inside a script element only "</" and "<!--" could end it; no string of JSON needs them bare.
    data = json.dumps(run).replace("<", "\\u003c")
    return template.replace(_TITLE, html.escape(str(run["target"]))).replace(_DATA, data)
