from __future__ import annotations

import collections
import decimal
import pickle
import zipfile
from pathlib import Path

import pytest

from pelton.environment.pickles import read_pickles


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_imports_and_strings_are_found_in_every_protocol(tmp_path: Path, protocol: int) -> None:
    # The second of a module is imported through the memo, not spelled out.
    things = [decimal.Decimal(1), collections.OrderedDict(), decimal.Context(), "/home/me/x.bin"]
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "model.pkl").write_bytes(pickle.dumps(things, protocol))
    (found,) = read_pickles(tmp_path)
    assert found.path == Path("sub/model.pkl")
    assert {"decimal.Decimal", "decimal.Context", "collections.OrderedDict"} <= found.globals
    assert {"decimal", "collections"} <= found.modules
    assert "/home/me/x.bin" in found.strings


def test_nothing_in_a_pickle_is_run(tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "touched",)

    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Touch()))
    (found,) = read_pickles(tmp_path)
    assert "pathlib" in found.modules
    assert not (tmp_path / "touched").exists()


def test_pytorchs_archives_are_looked_into(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.pth", "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(decimal.Decimal(1)))
        archive.writestr("model/data/0", b"numbers")
    (found,) = read_pickles(tmp_path)
    assert found.modules == {"decimal"}


def test_a_damaged_file_gives_what_can_be_read(tmp_path: Path) -> None:
    whole = pickle.dumps([decimal.Decimal(1), "text"])
    (tmp_path / "a.pkl").write_bytes(whole[:-8])
    (tmp_path / "b.pkl").write_bytes(b"not a pickle")
    (tmp_path / "c.txt").write_text("no pickle by its name")
    cut, odd = read_pickles(tmp_path)
    assert cut.modules == {"decimal"}
    assert odd.modules == frozenset()
