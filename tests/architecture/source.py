"""Where the sources are, for the tests of their shape."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = (ROOT / "runtime", ROOT / "kernels")


@cache
def tracked(*patterns: str) -> tuple[Path, ...]:
    """Return the files of the project that match, as git knows them (new ones included)."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:  # an archive without .git
        paths = [path for pattern in patterns for path in ROOT.glob(f"**/{pattern}")]
        paths = [path for path in paths if not {".venv", ".cache"} & set(path.parts)]
    return tuple(sorted(path for path in paths if path.is_file()))
