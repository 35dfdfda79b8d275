"""Copies of local folders: whole, safe from whoever writes the original, and gone in time."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
import yaml
from tests.unit.supervisor.doubles import MLMODEL

from pelton.environment.artifacts import LocalModel, resolve
from pelton.errors import ModelUriError
from pelton.supervisor import snapshot
from pelton.supervisor.snapshot import Snapshots, choose, survey

MB = 1024**2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "data").mkdir(parents=True)
    (made / "MLmodel").write_text(yaml.safe_dump(MLMODEL))
    (made / "data" / "weights").write_bytes(b"1" * 1000)
    return made


def local(folder: Path) -> LocalModel:
    return asyncio.run(resolve(str(folder), folder, on_progress=lambda _: None))


def secure(snapshots: Snapshots, folder: Path) -> LocalModel:
    return asyncio.run(snapshots.secure(local(folder)))[0]


def test_copy_does_not_change_with_the_original(folder: Path, tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "cache", MB, watched=False)
    copy = secure(snapshots, folder)

    with (folder / "data" / "weights").open("r+b") as weights:  # in place: same name, same inode
        weights.write(b"2222")
    (folder / "MLmodel").unlink()

    assert copy.path.is_relative_to(tmp_path / "cache" / "snapshots")
    assert copy.source == str(folder)
    assert (copy.path / "data" / "weights").read_bytes() == b"1" * 1000
    assert (copy.path / "MLmodel").is_file()


def test_unchanged_folder_is_copied_once(folder: Path, tmp_path: Path) -> None:
    first = secure(Snapshots(tmp_path / "cache", MB, watched=False), folder)
    again = secure(Snapshots(tmp_path / "cache", MB, watched=False), folder)

    assert again.path == first.path


def test_copies_that_nobody_needs_go(folder: Path, tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "cache", MB, watched=False)
    old = secure(snapshots, folder)
    (folder / "data" / "weights").write_bytes(b"2")
    new = secure(snapshots, folder)

    snapshots.keep_only([new, None])
    asyncio.run(snapshots.prune())

    assert (old.path.exists(), new.path.exists()) == (False, True)


def test_copies_of_another_server_stay(folder: Path, tmp_path: Path) -> None:
    other = Snapshots(tmp_path / "cache", MB, watched=False)
    theirs = secure(other, folder)
    ours = Snapshots(tmp_path / "cache", MB, watched=False)
    secure(ours, folder)

    ours.keep_only([])
    asyncio.run(ours.prune())

    assert theirs.path.exists()


def test_folder_that_changes_while_it_is_copied_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = snapshot._copy

    def copy_while_somebody_writes(source: Path, target: Path, stopped: object) -> None:
        copy(source, target, lambda: False)
        (folder / "data" / "weights").write_bytes(b"2")

    monkeypatch.setattr(snapshot, "_copy", copy_while_somebody_writes)

    with pytest.raises(ModelUriError, match="changed while it was read"):
        secure(Snapshots(tmp_path / "cache", MB, watched=False), folder)

    assert not list((tmp_path / "cache" / "snapshots").glob("[!.]*"))


def test_folder_that_cannot_be_copied_is_used_in_place(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")

    with caplog.at_level(logging.INFO):
        model = secure(Snapshots(tmp_path / "cache", MB, watched=False), folder)

    assert model.path == folder
    assert "revision.in_place" in caplog.text


def test_folder_in_place_must_stay_what_it_was(folder: Path, tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "cache", 10, watched=False)
    fingerprint = survey(folder).fingerprint
    copy = secure(Snapshots(tmp_path / "cache", MB, watched=False), folder)
    asyncio.run(snapshots.check_unchanged(local(folder), fingerprint))

    in_place = local(folder)
    (folder / "data" / "weights").write_bytes(b"2")

    with pytest.raises(ModelUriError, match="has changed since"):
        asyncio.run(snapshots.check_unchanged(in_place, fingerprint))
    asyncio.run(snapshots.check_unchanged(copy, fingerprint))


def test_links_are_followed_but_in_no_circle(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("linked")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "data" / "circle").symlink_to(folder)

    copy = secure(Snapshots(tmp_path / "cache", MB, watched=False), folder)

    assert (copy.path / "link").read_text() == "linked"
    assert not (copy.path / "link").is_symlink()
    assert sorted(p.name for p in (copy.path / "data").iterdir()) == ["weights"]


def test_survey_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelUriError, match="cannot read"):
        survey(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("size", "clones", "watched", "copied"),
    [
        (256 * MB, False, False, True),
        (257 * MB, False, False, False),
        (257 * MB, True, False, True),
        (257 * MB, False, True, True),
        (901 * MB, False, True, False),
        (901 * MB, True, False, True),
    ],
)
def test_what_is_copied(size: int, clones: bool, watched: bool, copied: bool) -> None:
    reason = choose(size, 256 * MB, 1000 * MB, clones=clones, watched=watched)

    assert (reason is None) is copied
