"""Documents that must agree with the code."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
import sys

import pytest
from tests.architecture.source import ROOT

from pelton import errors, lifecycle, settings
from pelton.cli import COMMANDS

README = (ROOT / "README.md").read_text()
SHELL_BLOCKS = re.findall(
    r"^```(?:sh|bash|console|shell)\n(.*?)^```", README, re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize(
    ("page", "generated"),
    [("lifecycle.md", lifecycle.markdown()), ("configuration.md", settings.markdown())],
)
def test_generated_page_is_what_the_code_says(page: str, generated: str) -> None:
    assert (ROOT / "docs" / page).read_text() == generated, "run `make docs`"


def test_every_error_stands_in_the_tree_under_its_parent() -> None:
    tree = (errors.__doc__ or "").split("::", 1)[1].split("There are no HTTP")[0]
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in filter(str.strip, tree.splitlines()):
        indent = len(line) - len(line.lstrip())
        above = [pair for pair in above if pair[0] < indent]
        # Several classes may share a line; a description follows two blanks.
        names = re.split(r"\s{2,}", line.strip())[0].rstrip(",").split(", ")
        for name in names:
            parents[name] = above[-1][1] if above else "Exception"
        above.append((indent, names[-1]))
    drawn = {
        name: kind.__base__.__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.PeltonError)
    }
    assert parents == drawn


def test_changelog_has_a_place_for_what_is_next() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (.+)$", changelog, re.MULTILINE)
    assert headings[0].strip("[]") == "Unreleased"


def _commands() -> list[str]:
    lines = [line for block in SHELL_BLOCKS for line in block.replace("\\\n", " ").splitlines()]
    words = [line.strip().removeprefix("$ ") for line in lines]
    return [line for line in words if re.match(r"(pelton|make) ", line)]


@pytest.mark.parametrize("line", _commands())
def test_commands_of_the_readme_exist(line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {word for word in words[1:] if "=" not in word} <= targets
        return
    assert words[1] in COMMANDS or words[1].startswith("-")
    done = subprocess.run(
        [sys.executable, "-m", "pelton", words[1], "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    known = set(re.findall(r"--[a-z][a-z-]*", done.stdout))
    flags = {word.partition("=")[0] for word in words[2:] if word.startswith("--")}
    assert flags <= known


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_explains_itself(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pelton", command, "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: pelton {command}")
