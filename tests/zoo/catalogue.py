"""Every model of the zoo, by name."""

from __future__ import annotations

from tests.zoo.model import Model

_SKLEARN = ("scikit-learn",)
_WITNESS = "witness.py"  # answers with a description of what reached predict

_FLAVORS = (
    Model("sklearn4", "LogisticRegression over 4 named doubles", "flavors", packages=_SKLEARN),
    Model("sklearn-proba", "the same, predict_proba: rows of floats", "flavors", packages=_SKLEARN),
    Model("sklearn-wide", "Ridge over 100 doubles", "flavors", packages=_SKLEARN),
    Model("sklearn-pipeline", "mixed columns, text labels", "flavors", packages=_SKLEARN),
    Model("lightgbm", "booster over 4 doubles", "flavors", packages=("lightgbm", "scikit-learn")),
    Model("torch", "torch on CPU over 4 doubles", "flavors", packages=("torch",)),
    Model("torch-tensor", "torch on CPU, tensor signature", "flavors", packages=("torch",)),
    Model("onnx", "ONNX, tensor signature", "flavors", packages=("onnx", "onnxruntime")),
    Model("pyfunc-class", "pickled class with an artifact", "flavors"),
    Model("pyfunc-function", "pickled function", "flavors"),
    Model(
        "code-paths",
        "imports code shipped beside it",
        "flavors",
        "greeting_model.py",
        ("zoo_greetings.py",),
    ),
    Model("loader-module", "loaded by a module of its own", "flavors", ships=("zoo_loader.py",)),
)

_COLUMNS = (
    Model("witness", "no signature", "columns", _WITNESS),
    Model("columns-required", "each scalar type, required", "columns", _WITNESS),
    Model("columns-optional", "each scalar type, optional", "columns", _WITNESS),
    Model("columns-unnamed", "three columns without names", "columns", _WITNESS),
    Model("columns-odd-names", "spaces, accents, digits, reserved words", "columns", _WITNESS),
    Model("column-single", "one named double", "columns", _WITNESS),
    Model("column-single-string", "one named string, list example", "columns", _WITNESS),
    Model("column-unnamed-string", "one string without a name", "columns", _WITNESS),
    Model("columns-array", "Array columns", "columns", _WITNESS),
    Model("columns-object", "Object columns, nested", "columns", _WITNESS),
    Model("columns-map", "Map columns", "columns", _WITNESS),
    Model("columns-any", "AnyType columns", "columns", _WITNESS),
    Model("params-all", "parameters of each type", "columns", _WITNESS),
    Model("params-only", "parameters, no inputs in the signature", "columns", _WITNESS),
    Model("unified-llm", "messages, prompt or input; parameters", "columns", _WITNESS),
)

_TENSORS = (
    Model("tensor-unnamed", "float32 (-1, 3)", "tensors", _WITNESS),
    Model("tensor-integer", "int64 (-1,)", "tensors", _WITNESS),
    Model("tensor-bytes", "uint8 (-1, 2, 2)", "tensors", _WITNESS),
    Model("tensor-boolean", "bool (-1, 2)", "tensors", _WITNESS),
    Model("tensor-any-shape", "float64 (-1, -1, -1)", "tensors", _WITNESS),
    Model("tensor-object", "object (-1,)", "tensors", _WITNESS),
    Model("tensor-text", "str (-1,)", "tensors", _WITNESS),
    Model("tensor-named", "one named float64 (-1, 2)", "tensors", _WITNESS),
    Model("tensors-named", "three named, three dtypes", "tensors", _WITNESS),
)

_HINTS = (
    Model("hint-ints", "list[int]", "hints", "hints/ints.py"),
    Model("hint-floats", "list[float]", "hints", "hints/floats.py"),
    Model("hint-bools", "list[bool]", "hints", "hints/bools.py"),
    Model("hint-strings", "list[str]", "hints", "hints/strings.py"),
    Model("hint-bytes", "list[bytes]", "hints", "hints/blobs.py"),
    Model("hint-datetimes", "list[datetime]", "hints", "hints/datetimes.py"),
    Model("hint-dicts", "list[dict[str, list[float]]]", "hints", "hints/dicts.py"),
    Model("hint-nested", "list[list[str]]", "hints", "hints/nested.py"),
    Model("hint-any", "list[Any]", "hints", "hints/anything.py"),
    Model("hint-optional", "list[dict] of optional unions", "hints", "hints/optional.py"),
    Model("hint-pydantic", "list of nested pydantic models", "hints", "hints/pydantic.py"),
    Model("hint-function", "decorated function", "hints", "hints/decorated.py"),
    Model("hint-dataframe", "pd.DataFrame", "hints", "hints/dataframe.py"),
    Model("example-list", "TypeFromExample, list", "hints", "hints/example.py"),
    Model("example-records", "TypeFromExample, list of dicts", "hints", "hints/example.py"),
    Model("example-dataframe", "TypeFromExample, DataFrame", "hints", "hints/example.py"),
)

_CHAT = (
    Model("chat-model", "ChatModel", "chat", "chat/chat_model.py"),
    Model("chat-agent", "ChatAgent", "chat", "chat/chat_agent.py"),
    Model("responses-agent", "ResponsesAgent", "chat", "chat/responses_agent.py"),
)

_BEHAVIOR = (
    Model("echo", "no signature; returns its input", "behavior", "echo.py"),
    Model("outputs", "each type of output, by column `kind`", "behavior", "outputs.py"),
    Model("unencodable", "outputs nobody can write, by `kind`", "behavior", "unencodable.py"),
    Model("raises", "each error, by column `kind`", "behavior", "raises.py"),
    Model("noisy", "prints, logs and warns", "behavior", "noisy.py"),
    Model("configured", "answers its model_config", "behavior", "configured.py"),
    Model("environment", "answers what it sees of its process", "behavior", "environment.py"),
    Model("slow", "sleeps as long as asked, in Python or C", "behavior", "slow.py"),
    Model("fixed-cost", "a predict costs base_s + n * row_s", "behavior", "fixed_cost.py"),
    Model("faults", "does to its process what `fault` says", "behavior", "faults.py"),
    Model("versioned-a", "answers 'a' for each row", "behavior", "versioned.py"),
    Model("versioned-b", "answers 'b' for each row", "behavior", "versioned.py"),
    Model("loads-slowly", "takes 3 s to load", "behavior", "loads_slowly.py"),
    Model("load-raises", "raises in load_context", "behavior", "load_raises.py", loads=False),
    Model("load-exits", "exits in load_context", "behavior", "load_exits.py", loads=False),
    Model("predict-raises", "loads, fails each prediction", "behavior", "predict_raises.py"),
)

MODELS: dict[str, Model] = {
    model.name: model for model in (*_FLAVORS, *_COLUMNS, *_TENSORS, *_HINTS, *_CHAT, *_BEHAVIOR)
}
