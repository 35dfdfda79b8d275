"""The watcher begins an update when what is served has a new version, and only then."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import yaml
from tests.unit.supervisor.doubles import (
    MLMODEL,
    FakeRevisions,
    Registry,
    model,
    registered,
    revision,
)

from pelton.errors import LoadFailed, ModelUriError, UpdateConflict, UpdateRejected
from pelton.supervisor.snapshot import survey
from pelton.supervisor.watcher import Watcher

ALIAS = "models:/fraud@champion"


def fraud(version: int) -> str:
    return f"models:/fraud/{version}"


def scenario(story: Callable[[FakeRevisions, Registry, Watcher], Awaitable[None]]) -> None:
    """Tell a story of an alias that means version 1, which is served."""

    async def tell() -> None:
        revisions = FakeRevisions(registered(1, ALIAS, "fraud", "1"))
        registry = Registry(fraud(1))
        await story(revisions, registry, Watcher(revisions, 60.0, registry))

    asyncio.run(tell())


def test_alias_that_stays_and_alias_that_moves() -> None:
    async def story(revisions: FakeRevisions, registry: Registry, watcher: Watcher) -> None:
        await watcher.look()
        await watcher.look()
        assert revisions.begun == 0

        registry.meaning = fraud(2)
        await watcher.look()
        assert revisions.begun == 1

        revisions.becomes_active(model(ALIAS, fraud(2), "fraud", "2"))
        await watcher.look()
        assert revisions.begun == 1

    scenario(story)


def test_alias_that_moved_before_the_first_look() -> None:
    async def story(revisions: FakeRevisions, registry: Registry, watcher: Watcher) -> None:
        registry.meaning = fraud(2)
        await watcher.look()
        assert revisions.begun == 1

    scenario(story)


def test_no_look_during_an_update() -> None:
    async def story(revisions: FakeRevisions, registry: Registry, watcher: Watcher) -> None:
        registry.meaning = fraud(2)
        await watcher.look()
        looking = asyncio.ensure_future(watcher.look())
        await asyncio.sleep(0)
        assert (registry.asked, looking.done()) == (1, False)

        revisions.becomes_active(model(ALIAS, fraud(2), "fraud", "2"))
        await looking
        assert (registry.asked, revisions.begun) == (2, 1)

    scenario(story)


def test_rejected_version_is_not_tried_again_until_it_changes() -> None:
    async def story(revisions: FakeRevisions, registry: Registry, watcher: Watcher) -> None:
        registry.meaning = fraud(2)
        await watcher.look()
        revisions.is_rejected(LoadFailed("broken"), model(ALIAS, fraud(2), "fraud", "2"))
        await watcher.look()
        await watcher.look()
        assert revisions.begun == 1

        registry.meaning = fraud(3)
        await watcher.look()
        assert revisions.begun == 2

    scenario(story)


def test_version_that_was_rejected_for_somebody_else_is_not_tried() -> None:
    async def story(revisions: FakeRevisions, registry: Registry, watcher: Watcher) -> None:
        revisions.begin_update()
        revisions.is_rejected(LoadFailed("broken"), model(ALIAS, fraud(2), "fraud", "2"))
        registry.meaning = fraud(2)
        await watcher.look()
        assert revisions.begun == 1

    scenario(story)


def test_cancelled_version_is_not_tried_again() -> None:
    async def story(revisions: FakeRevisions, registry: Registry, watcher: Watcher) -> None:
        registry.meaning = fraud(2)
        await watcher.look()
        revisions.is_rejected(UpdateRejected("The update was cancelled."))
        await watcher.look()
        assert revisions.begun == 1

    scenario(story)


def test_version_that_could_not_be_fetched_is_tried_again() -> None:
    """That its store did not answer says nothing of the model."""

    async def story(revisions: FakeRevisions, registry: Registry, watcher: Watcher) -> None:
        registry.meaning = fraud(2)
        for _ in range(3):
            await watcher.look()
            revisions.is_rejected(ModelUriError("the store does not answer"))
        assert revisions.begun == 3

    scenario(story)


def test_alias_after_a_rollback_still_means_what_was_left() -> None:
    async def story(revisions: FakeRevisions, registry: Registry, watcher: Watcher) -> None:
        registry.meaning = fraud(2)
        await watcher.look()
        revisions.becomes_active(model(ALIAS, fraud(2), "fraud", "2"))
        await watcher.look()
        revisions.becomes_active(model(ALIAS, fraud(1), "fraud", "1"), is_pinned=True)
        await watcher.look()
        await watcher.look()
        assert revisions.begun == 1

        registry.meaning = fraud(3)
        await watcher.look()
        assert revisions.begun == 2

    scenario(story)


def test_alias_that_comes_back_to_what_serves_is_no_update() -> None:
    async def story(revisions: FakeRevisions, registry: Registry, watcher: Watcher) -> None:
        registry.meaning = fraud(2)
        await watcher.look()
        revisions.becomes_active(model(ALIAS, fraud(1), "fraud", "1"), is_pinned=True)
        registry.meaning = fraud(1)
        await watcher.look()
        assert revisions.begun == 1
        registry.meaning = fraud(2)
        await watcher.look()
        assert revisions.begun == 2

    scenario(story)


def test_registry_outage_is_said_once_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(revisions: FakeRevisions, registry: Registry, watcher: Watcher) -> None:
        registry.is_down = True
        for _ in range(3):
            await watcher.look()
        registry.is_down = False
        await watcher.look()
        assert revisions.begun == 0
        registry.meaning = fraud(2)
        await watcher.look()
        assert revisions.begun == 1

    with caplog.at_level(logging.INFO, "pelton"):
        scenario(story)

    events = [record.getMessage().split()[0] for record in caplog.records]
    assert events == ["watch.began", "watch.failed", "watch.recovered", "watch.changed"]


def test_somebody_was_quicker() -> None:
    async def story(revisions: FakeRevisions, registry: Registry, watcher: Watcher) -> None:
        registry.meaning = fraud(2)
        revisions.refusal = UpdateConflict("busy")
        await watcher.look()
        revisions.refusal = None
        await watcher.look()
        assert revisions.begun == 1

    scenario(story)


def test_fixed_version_is_never_asked_about(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        revisions = FakeRevisions(registered(1, fraud(1), "fraud", "1"))
        registry = Registry(fraud(1))
        watcher = Watcher(revisions, 60.0, registry)
        await watcher.look()
        await watcher.look()
        assert registry.asked == 0

    asyncio.run(story())

    assert caplog.text.count("watch.nothing") == 1


def test_another_uri_is_followed() -> None:
    async def story(revisions: FakeRevisions, registry: Registry, watcher: Watcher) -> None:
        await watcher.look()
        other = "models:/risk@champion"
        revisions.active = registered(2, other, "risk", "7")
        registry.meaning = "models:/risk/7"
        await watcher.look()
        assert revisions.begun == 0
        registry.meaning = "models:/risk/8"
        await watcher.look()
        assert revisions.begun == 1

    scenario(story)


# Folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    write(made, "1")
    return made


def write(folder: Path, weights: str) -> None:
    (folder / "weights").write_text(weights)
    (folder / "MLmodel").write_text(yaml.safe_dump(MLMODEL))


def watching(folder: Path) -> tuple[FakeRevisions, Watcher]:
    made = revision(1, str(folder))
    made.model = model(str(folder), str(folder))
    made.fingerprint = survey(folder).fingerprint
    revisions = FakeRevisions(made)
    return revisions, Watcher(revisions, 60.0)


def test_folder_counts_once_it_is_still(folder: Path) -> None:
    async def story() -> None:
        revisions, watcher = watching(folder)
        await watcher.look()
        await watcher.look()
        assert revisions.begun == 0
        for weights in ("20", "300", "4000"):  # being written: another at each look
            write(folder, weights)
            await watcher.look()
            assert revisions.begun == 0
        await watcher.look()
        assert revisions.begun == 1

    asyncio.run(story())


def test_folder_that_is_rewritten_in_place_at_the_same_size(folder: Path) -> None:
    async def story() -> None:
        revisions, watcher = watching(folder)
        weights = folder / "weights"
        before = weights.stat()
        weights.write_text("2")
        os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        await watcher.look()
        await watcher.look()
        assert revisions.begun == 1

    asyncio.run(story())


def test_folder_that_is_swapped_by_renaming(folder: Path, tmp_path: Path) -> None:
    async def story() -> None:
        revisions, watcher = watching(folder)
        new = tmp_path / "new"
        new.mkdir()
        write(new, "1")
        for name in ("weights", "MLmodel"):  # even if a copy has kept the times
            facts = (folder / name).stat()
            os.utime(new / name, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        os.rename(folder, tmp_path / "old")
        os.rename(new, folder)
        await watcher.look()
        await watcher.look()
        assert revisions.begun == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    "half", ["", "flavors: [", yaml.safe_dump({"flavors": MLMODEL["flavors"]})], ids=repr
)
def test_half_a_model_is_none(half: str, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        revisions, watcher = watching(folder)
        (folder / "MLmodel").write_text(half)
        for _ in range(4):
            await watcher.look()
        assert revisions.begun == 0
        write(folder, "2")
        await watcher.look()
        await watcher.look()
        assert revisions.begun == 1

    asyncio.run(story())

    assert caplog.text.count("watch.failed") == 1


def test_folder_that_vanishes_and_comes_back(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        revisions, watcher = watching(folder)
        away = tmp_path / "away"
        os.rename(folder, away)
        for _ in range(3):
            await watcher.look()
        os.rename(away, folder)
        for _ in range(3):
            await watcher.look()
        assert revisions.begun == 0

    asyncio.run(story())

    assert caplog.text.count("watch.failed") == 1


def test_bytecode_that_a_worker_wrote_is_no_change(folder: Path) -> None:
    async def story() -> None:
        revisions, watcher = watching(folder)
        (folder / "code" / "__pycache__").mkdir(parents=True)
        (folder / "code" / "__pycache__" / "m.pyc").write_bytes(b"x")
        for _ in range(3):
            await watcher.look()
        assert revisions.begun == 0

    asyncio.run(story())
