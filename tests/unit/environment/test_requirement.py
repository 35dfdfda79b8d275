from pathlib import Path

import pytest

from pelton.environment.requirement import Line, included, parse_lines, read_lines


def test_lines_count_as_in_an_editor() -> None:
    texts = ["# head", "", "six==1.0  # why", "torch==2.0 \\", "  --hash=sha256:00", "numpy"]
    lines = list(parse_lines(texts, "r.txt"))
    assert [(line.number, line.text) for line in lines] == [
        (3, "six==1.0"),
        (4, "torch==2.0   --hash=sha256:00"),
        (6, "numpy"),
    ]
    assert lines[0].where == "r.txt line 3: six==1.0"
    assert [line.name for line in lines] == ["six", "torch", "numpy"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Scikit_Learn>=1.0", "scikit-learn"),
        ("mlflow[databricks,extras]==3.1.0; python_version > '3.9'", "mlflow"),
        ("six @ https://example.org/six.whl", "six"),
        ("wheels/my_pkg-1.2-py3-none-any.whl", "my-pkg"),
        ("git+https://example.org/x.git", None),
        ("-e ./package", None),
        ("--index-url https://example.org", None),
        ("scikit learn", None),
    ],
)
def test_names_are_normalised(text: str, name: str | None) -> None:
    assert Line(text, "r.txt", 1).name == name


def test_options_are_not_requirements() -> None:
    assert Line("--extra-index-url https://example.org", "r.txt", 1).is_option
    assert Line("-f wheels", "r.txt", 1).is_option
    assert not Line("-e ./package", "r.txt", 1).is_option
    assert not Line("six", "r.txt", 1).is_option


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-r requirements.txt", ("requirements.txt", False)),
        ("--requirement=more/r.txt", ("more/r.txt", False)),
        ("-c constraints.txt", ("constraints.txt", True)),
        ("-rfile.txt", ("file.txt", False)),
        ("six", None),
        ("-e ./x", None),
    ],
)
def test_inclusions_are_seen(text: str, expected: tuple[str, bool] | None) -> None:
    assert included(Line(text, "r.txt", 1)) == expected


def test_included_files_are_followed_and_cycles_end(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "r.txt").write_text("six\n-r more/m.txt\n-c c.txt\n")
    (tmp_path / "more" / "m.txt").write_text("numpy\n-r ../r.txt\n")
    (tmp_path / "c.txt").write_text("pandas<3\n")
    lines = [(line.file, line.text, line.constraint) for line in read_lines(tmp_path, "r.txt")]
    assert ("r.txt", "six", False) in lines
    assert ("more/m.txt", "numpy", False) in lines
    assert ("c.txt", "pandas<3", True) in lines
