"""One base image and one store for all tests of images."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.image.container import Container, Store, missing
from tests.zoo.store import REPOSITORY, locked

BASE = "localhost/pelton-test-base"
_CACHE = REPOSITORY / ".cache" / "image"
_INCLUDED = "python3,python3-venv,ca-certificates"


@pytest.fixture(scope="session")
def base_archive() -> Path:
    """The smallest Debian with Python, of the release that this machine runs."""
    if (reason := missing()) is not None:
        pytest.skip(reason)
    facts = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if line
    )
    release = facts.get("VERSION_CODENAME", "stable").strip('"')
    archive = _CACHE / f"{release}.tar"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with locked(_CACHE / "lock"):
        if not archive.is_file():
            part = archive.with_suffix(".part.tar")
            subprocess.run(
                ["mmdebstrap", "--variant=minbase", f"--include={_INCLUDED}", release, str(part)],
                check=True,
                timeout=1800,
            )
            part.replace(archive)
    return archive


@pytest.fixture(scope="session")
def store(base_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    # On the disk of the cache: pytest's own temporary folder may be in memory.
    folder = tmp_path_factory.mktemp("store")
    store = Store(folder)
    context = tmp_path_factory.mktemp("base")
    store.import_base(base_archive, BASE, context)
    (context / "base.tar").unlink()
    yield store
    store.buildah("rm", "--all")
    store.buildah("rmi", "--all", "--force")


@pytest.fixture
def container(store: Store, image: str) -> Iterator[Container]:
    with Container(store, image) as container:
        yield container
