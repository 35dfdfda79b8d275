"""What uv complained of, said with the line at fault and the next step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from pelton.environment.requirement import Line

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHOWN_CHARACTERS: Final = 2000
_SHOWN_LINES: Final = 6
_LOCAL_VERSION: Final = re.compile(r"==\s*[^\s;,]+\+(?P<label>[\w.]+)")

_RETRY = "free some space, or move the cache"
# First match wins: a phrase of uv's, and what to do about it.
_REMEDIES: Final = (
    ("No space left on device", f"the disk is full: {_RETRY}"),
    ("os error 28", f"the disk is full: {_RETRY}"),
    ("Disk quota exceeded", f"the disk quota is used up: {_RETRY}"),
    (
        "network was disabled",
        "uv is offline (UV_OFFLINE) and the package is not in its cache: go online, or give a "
        "folder of wheels with UV_FIND_LINKS",
    ),
    (
        "401 Unauthorized",
        "the index wants a login: put it into UV_DEFAULT_INDEX or UV_INDEX, a .netrc, or a keyring "
        "(UV_KEYRING_PROVIDER)",
    ),
    ("403 Forbidden", "the index refuses access: check the login that UV_INDEX or .netrc gives"),
    (
        "error sending request",
        "the index cannot be reached: check that it is up, UV_DEFAULT_INDEX or pip's index-url, "
        "and the proxy settings (HTTPS_PROXY, NO_PROXY)",
    ),
    ("Git operation failed", "the repository cannot be fetched: check its address and your access"),
    (
        "was not found in the package registry",
        "no index has the package: correct its name, or name the index that has it (UV_INDEX, or "
        "pip's extra-index-url)",
    ),
    (
        "no wheels with a matching",
        "the package is not built for this platform or Python: take another version with "
        "--override, or remove it with `pelton requirements`",
    ),
    (
        "does not satisfy Python",
        "a package does not support this Python: take another version of it with --override",
    ),
    (
        "Failed to build",
        "there is no wheel, and building from source failed: install the compiler or libraries it "
        "names, or take a version that has a wheel for this Python with --override",
    ),
    ("parse requirement", "correct the line with `pelton requirements`, or log the model again"),
    ("Distribution not found", "the model lacks a file that its requirements name: log it again"),
    ("failed to read from file", "the model lacks a file that its requirements include"),
    ("there is no version of", "no index has this version: take another with --override"),
    (
        "requirements are unsatisfiable",
        "the requirements contradict each other: change one with --override NAME==VERSION",
    ),
)


def explain(stderr: str, lines: Sequence[Line]) -> str:
    """Turn what uv printed into a message.

    Args:
        lines: the model's requirements, among which the fault is looked for.
    """
    said = _without_noise(stderr)
    parts = [f"the model's environment cannot be built: {said}"]
    at_fault = _lines_at_fault(said, lines)
    if at_fault:
        parts.append("at fault:\n" + "\n".join(f"  {line.where}" for line in at_fault))
    parts.append(f"next step: {_remedy(said, at_fault)}")
    return "\n".join(parts)


def _remedy(said: str, at_fault: Iterable[Line]) -> str:
    for line in at_fault:
        if (local := _LOCAL_VERSION.search(line.text)) and "Failed to build" not in said:
            label = local["label"]
            return (
                f"+{label} is a local version, which the common index does not have: name the "
                f"index that has it (e.g. UV_INDEX=https://download.pytorch.org/whl/{label} for "
                "PyTorch), or take the version without it with --override"
            )
    for phrase, remedy in _REMEDIES:
        if phrase in said:
            return remedy
    return "correct the requirements, or try other versions with --override NAME==VERSION"


def _without_noise(stderr: str) -> str:
    """Drop progress and warnings before the error, and shorten what is very long."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    begin = next((i for i, line in enumerate(lines) if line.startswith("error:")), 0)
    text = "\n".join(lines[begin:]).removeprefix("error:").strip()
    if len(text) > _SHOWN_CHARACTERS:
        half = _SHOWN_CHARACTERS // 2
        text = f"{text[:half]}\n[...]\n{text[-half:]}"
    return text


def _lines_at_fault(said: str, lines: Sequence[Line]) -> list[Line]:
    """Return the lines whose very words or files uv quotes, else those whose packages it names."""
    squeezed = _squeezed(said)
    quoted = [line for line in lines if _squeezed(line.text) in squeezed or _is_path_in(said, line)]
    if quoted:
        # A conflict may be between a line that is quoted and one that is paraphrased.
        names = {line.name for line in quoted}
        quoted += [line for line in _named(said, lines) if line.name in names]
    found = quoted or _named(said, lines)
    return list(dict.fromkeys(found))[:_SHOWN_LINES]


def _is_path_in(said: str, line: Line) -> bool:
    name = line.text.rpartition("/")[2]
    return "/" in line.text and len(name) > 1 and name in said


def _named(said: str, lines: Sequence[Line]) -> list[Line]:
    from packaging.utils import canonicalize_name

    # A name ends before an operator, or at the end of a sentence.
    mentioned = {canonicalize_name(word.rstrip(".-_")) for word in _NAME.findall(said)}
    return [line for line in lines if line.name is not None and line.name in mentioned]


def _squeezed(text: str) -> str:
    return "".join(text.lower().split())
