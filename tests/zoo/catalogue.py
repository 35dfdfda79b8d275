"""Every model of the zoo, by name."""

from __future__ import annotations

from tests.zoo.model import Model

_SKLEARN = ("scikit-learn",)

MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        # Flavours: fitted estimators as users have them.
        Model(
            "sklearn4", "LogisticRegression over 4 named double columns", "flavors", None, _SKLEARN
        ),
        # Behaviour: what tests and benchmarks of a server ask for.
        Model("echo", "no signature; returns its input", "behavior", "echo.py"),
        Model("slow", "sleeps as many seconds as asked, in Python or in C", "behavior", "slow.py"),
        Model("fixed-cost", "a predict costs base_s + n * row_s", "behavior", "fixed_cost.py"),
        Model(
            "faults", "does to its process what the column `fault` says", "behavior", "faults.py"
        ),
        Model("versioned-a", "answers 'a' for each row", "behavior", "versioned.py"),
        Model("versioned-b", "answers 'b' for each row", "behavior", "versioned.py"),
        Model("loads-slowly", "takes 3 s to load", "behavior", "loads_slowly.py"),
        Model("load-raises", "raises in load_context", "behavior", "load_raises.py", loads=False),
        Model("load-exits", "exits in load_context", "behavior", "load_exits.py", loads=False),
        Model(
            "predict-raises", "loads, and fails each prediction", "behavior", "predict_raises.py"
        ),
    )
}
