"""Bodies from files, examples and signatures, of model folders written as MLflow writes them."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pelton.bench import signature, source
from pelton.bench.modeldir import ModelDir, is_model_uri
from pelton.errors import ConfigError, ModelUriError

COLUMNS = [
    {"type": "double", "name": "a", "required": True},
    {"type": "string", "name": "b", "required": True},
]


def model(folder: Path, *, inputs: Any = None, example: Any = None, info: Any = None) -> ModelDir:
    content: dict[str, Any] = {"flavors": {}}
    if inputs is not None:
        content["signature"] = {"inputs": json.dumps(inputs), "outputs": None, "params": None}
    if example is not None:
        (folder / "example.json").write_text(json.dumps(example))
        content["saved_input_example_info"] = info or {"serving_input_path": "example.json"}
    (folder / "MLmodel").write_text(yaml.safe_dump(content))
    return ModelDir.open(str(folder))


def values(body: source.Body) -> Any:
    return json.loads(body.content)


def test_a_jsonl_file_has_a_request_a_line(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text(
        '{"inputs": [1, 2, 3]}\n\n'
        '{"request": {"dataframe_split": {"columns": ["a"], "data": [[1], [2]]}}, '
        '"response": {"predictions": [1.0, 2.0]}}\n'
    )
    bodies = source.from_file(file).bodies
    assert [body.rows for body in bodies] == [3, 2]
    assert bodies[0].answer is None
    assert json.loads(bodies[1].answer or b"") == {"predictions": [1.0, 2.0]}


def test_another_file_is_one_body(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("a,b\n1,x\n")
    (body,) = source.from_file(file).bodies
    assert body.content_type == "text/csv"
    assert body.content == b"a,b\n1,x\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("x.jsonl", "{}\n{", "line 2"), ("x.json", " ", "empty"), ("y.json", None, "cannot be read")],
)
def test_a_bad_file_is_named(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=said):
        source.from_file(tmp_path / name)


def test_the_example_is_sent_as_it_was_logged(tmp_path: Path) -> None:
    example = {"dataframe_split": {"columns": ["a"], "data": [[1.0], [2.0]]}, "params": {"t": 1}}
    bodies = source.from_model(model(tmp_path, example=example), None, distinct=8)
    assert [values(body) for body in bodies.bodies] == [example]
    assert bodies.bodies[0].rows == 2


def test_the_examples_rows_are_repeated_for_a_mix(tmp_path: Path) -> None:
    example = {"dataframe_split": {"columns": ["a"], "data": [[1.0], [2.0]]}}
    bodies = source.from_model(model(tmp_path, example=example), {1: 0.5, 3: 0.5}, distinct=8)
    data = [values(body)["dataframe_split"]["data"] for body in bodies.bodies]
    assert data == [[[1.0]], [[2.0]], [[1.0], [2.0], [1.0]], [[2.0], [1.0], [2.0]]]
    assert bodies.shares == {1: 0.5, 3: 0.5}


def test_named_tensors_are_repeated_together(tmp_path: Path) -> None:
    example = {"inputs": {"x": [[1], [2]], "y": [3, 4]}}
    bodies = source.from_model(model(tmp_path, example=example), {3: 1.0}, distinct=1)
    assert values(bodies.bodies[0]) == {"inputs": {"x": [[1], [2], [1]], "y": [3, 4, 3]}}


def test_a_chat_has_no_rows_to_repeat(tmp_path: Path) -> None:
    folder = model(tmp_path, example={"messages": [{"role": "user", "content": "hi"}]})
    assert source.from_model(folder, None, distinct=4).bodies[0].rows == 1
    with pytest.raises(ConfigError, match="no rows"):
        source.from_model(folder, {2: 1.0}, distinct=4)


def test_an_old_example_of_a_frame_is_understood(tmp_path: Path) -> None:
    info = {"artifact_path": "example.json", "type": "dataframe", "pandas_orient": "split"}
    folder = model(tmp_path, example={"columns": ["a"], "data": [[1]]}, info=info)
    assert folder.example() == {"dataframe_split": {"columns": ["a"], "data": [[1]]}}


def test_without_an_example_the_signature_is_used(tmp_path: Path) -> None:
    bodies = source.from_model(model(tmp_path, inputs=COLUMNS), {4: 1.0}, distinct=3)
    assert len({body.content for body in bodies.bodies}) == 3
    for body in bodies.bodies:
        frame = values(body)["dataframe_split"]
        assert frame["columns"] == ["a", "b"]
        assert len(frame["data"]) == body.rows == 4
        assert all(isinstance(a, float) and isinstance(b, str) for a, b in frame["data"])


def test_a_model_without_either_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--input FILE"):
        source.from_model(model(tmp_path), None, distinct=1)


def test_every_scalar_type_has_values() -> None:
    kinds = ["boolean", "integer", "long", "float", "double", "string", "binary", "datetime"]
    specs = [{"type": kind, "name": kind} for kind in kinds]
    (row,) = signature.payload(specs, 1, 0)["dataframe_split"]["data"]
    made = dict(zip(kinds, row, strict=True))
    assert isinstance(made["boolean"], bool)
    assert isinstance(made["long"], int)
    assert isinstance(made["double"], float)
    assert base64.b64decode(made["binary"], validate=True)
    assert made["datetime"].startswith("2026-")


def test_nested_types_are_made_all_the_way_down() -> None:
    specs = [
        {"type": "array", "name": "v", "items": {"type": "array", "items": {"type": "long"}}},
        {"type": "object", "name": "o", "properties": {"p": {"type": "string"}}},
        {"type": "map", "name": "m", "values": {"type": "double"}},
        {"type": "any", "name": "n"},
    ]
    ((v, o, m, n),) = signature.payload(specs, 1, 0)["dataframe_split"]["data"]
    assert all(isinstance(x, int) for inner in v for x in inner)
    assert o.keys() == {"p"}
    assert all(isinstance(x, float) for x in m.values())
    assert n is None


def test_tensors_have_their_shape() -> None:
    def spec(dtype: str, *shape: int) -> dict[str, Any]:
        return {"dtype": dtype, "shape": list(shape)}

    unnamed = [{"type": "tensor", "tensor-spec": spec("float32", -1, 2, 3)}]
    tensor = signature.payload(unnamed, 5, 0)["inputs"]
    assert (len(tensor), len(tensor[0]), len(tensor[0][0])) == (5, 2, 3)
    named = [
        {"type": "tensor", "name": "a", "tensor-spec": spec("int64", -1)},
        {"type": "tensor", "name": "b", "tensor-spec": spec("bool", 2, -1)},
        {"type": "tensor", "name": "c", "tensor-spec": spec("str", -1)},
    ]
    inputs = signature.payload(named, 3, 0)["inputs"]
    assert [len(inputs[name]) for name in "abc"] == [3, 2, 3]
    assert all(isinstance(value, str) for value in inputs["c"])


def test_a_hinted_signature_takes_a_list() -> None:
    specs = [{"type": "object", "properties": {"q": {"type": "string"}}, "required": True}]
    made = signature.payload(specs, 2, 0, hinted=True)
    assert [list(item) for item in made["inputs"]] == [["q"], ["q"]]


def test_columns_without_names_are_a_list_of_rows() -> None:
    made = signature.payload([{"type": "double"}, {"type": "long"}], 2, 0)
    assert [len(row) for row in made["inputs"]] == [2, 2]


def test_a_folder_without_mlmodel_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelUriError, match="MLmodel"):
        ModelDir.open(str(tmp_path))
    with pytest.raises(ModelUriError, match="is not a model"):
        ModelDir.open(str(tmp_path / "nowhere"))


def test_a_file_uri_is_a_folder(tmp_path: Path) -> None:
    model(tmp_path, inputs=COLUMNS)
    assert ModelDir.open(tmp_path.as_uri()).path == tmp_path


def test_urls_and_models_are_told_apart() -> None:
    assert not is_model_uri("http://127.0.0.1:1")
    assert not is_model_uri("https://x/serving-endpoints/y/invocations")
    for uri in ("models:/m/1", "runs:/abc/model", "./folder", "s3://bucket/model", "file:///m"):
        assert is_model_uri(uri)
