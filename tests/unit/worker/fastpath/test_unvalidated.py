"""An estimator that knows its input answers as the library's own does, errors included."""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np
import pytest
import sklearn.utils.validation
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from pelton.worker.fastpath.unvalidated import rebound, unvalidated

_RANDOM = np.random.default_rng(0)
ROWS = _RANDOM.normal(size=(40, 3))
LABELS = np.array(["red", "green", "blue"])[_RANDOM.integers(0, 3, 40)]
ESTIMATORS: dict[str, Any] = {
    "logistic": LogisticRegression().fit(ROWS, LABELS),
    "binary": LogisticRegression().fit(ROWS, LABELS == "red"),
    "linear": LinearRegression().fit(ROWS, ROWS @ [1.0, -2.0, 0.5]),
    "ridge": RidgeClassifier().fit(ROWS, LABELS),
    "bayes": GaussianNB().fit(ROWS, LABELS),
    "forest": RandomForestClassifier(3, random_state=0).fit(ROWS, LABELS),
    "neighbours": KNeighborsClassifier(3).fit(ROWS, LABELS),
    "network": MLPClassifier((4,), max_iter=5, random_state=0).fit(ROWS, LABELS),
    "vectors": SVC().fit(ROWS, LABELS),
    "scaler": StandardScaler().fit(ROWS),
}
_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform")
_NUMBERS = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-3, 3)


def _outcome(estimator: Any, method: str, array: Any) -> Any:
    given = array.copy(order="K") if isinstance(array, np.ndarray) else array
    with np.errstate(all="ignore"):
        try:
            output = getattr(estimator, method)(given)
        except Exception as error:
            return type(error), str(error)
    kept = given.tobytes() if isinstance(given, np.ndarray) else None
    return type(output), output.dtype, output.shape, output.tobytes(), kept


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ESTIMATORS)
@settings(max_examples=40)
@given(st.data())
def test_answers_and_errors_are_the_librarys(name: str, data: st.DataObject) -> None:
    estimator = ESTIMATORS[name]
    known = unvalidated(estimator)
    method = data.draw(st.sampled_from([name for name in _METHODS if hasattr(estimator, name)]))
    for method_ in (method, method):  # once before it knows, and once after
        rows = data.draw(st.integers(0, 3))
        columns = data.draw(st.sampled_from([3, 3, 3, 2]))
        cells = st.lists(_NUMBERS, min_size=rows * columns, max_size=rows * columns)
        dtype = data.draw(st.sampled_from(["float64", "float64", "float32", "int64", "object"]))
        values = np.array(data.draw(cells), dtype="float64").reshape(rows, columns)
        with np.errstate(all="ignore"):
            array = values.astype(dtype, order=data.draw(st.sampled_from("CF")))
        array.flags.writeable = data.draw(st.booleans())
        assert _outcome(known, method_, array) == _outcome(estimator, method_, array)


@pytest.mark.parametrize(
    "given", [[[1.0, 2.0, 3.0]], np.zeros(3), "text", None, np.zeros((1, 3, 1))]
)
def test_what_is_no_table_is_refused_as_by_the_library(given: Any) -> None:
    estimator = ESTIMATORS["logistic"]
    known = unvalidated(estimator)
    known.predict(ROWS)
    assert _outcome(known, "predict", given) == _outcome(estimator, "predict", given)


def test_a_finite_array_of_a_known_kind_is_not_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = unvalidated(ESTIMATORS["logistic"])
    expected = known.predict(ROWS)

    def looked_at(*_: Any, **__: Any) -> Any:
        raise AssertionError("looked at")

    monkeypatch.setattr(sklearn.utils.validation, "check_array", looked_at)
    assert known.predict(ROWS).tolist() == expected.tolist()
    with pytest.raises(AssertionError, match="looked at"):
        known.predict(ROWS * np.nan)
    with pytest.raises(AssertionError, match="looked at"):
        known.predict(np.asfortranarray(ROWS))
    with pytest.raises(AssertionError, match="looked at"):
        ESTIMATORS["logistic"].predict(ROWS)


def test_it_can_be_fitted_as_any_other() -> None:
    known = unvalidated(LogisticRegression())
    assert known.fit(ROWS, LABELS).predict(ROWS).tolist() == (
        ESTIMATORS["logistic"].predict(ROWS).tolist()
    )


def test_neither_the_estimator_nor_its_class_is_changed() -> None:
    estimator = ESTIMATORS["logistic"]
    before = dict(vars(estimator)), LogisticRegression.decision_function
    known = unvalidated(estimator)
    assert type(estimator) is LogisticRegression
    assert (dict(vars(estimator)), LogisticRegression.decision_function) == before
    assert isinstance(known, LogisticRegression)
    assert (type(known).__name__, type(known).__module__) == (
        "LogisticRegression",
        LogisticRegression.__module__,
    )


def test_what_uses_none_of_the_helpers_stays_as_it_is() -> None:
    class Plain:
        def predict(self, rows: Any) -> Any:
            return rows

    plain = Plain()
    assert unvalidated(plain) is plain


def test_a_traceback_names_the_librarys_lines() -> None:
    def lines(estimator: Any) -> list[tuple[str, int | None, str]]:
        with pytest.raises(ValueError, match="NaN") as caught:
            estimator.predict(ROWS * np.nan)
        found = traceback.extract_tb(caught.value.__traceback__)
        return [
            (line.filename, line.lineno, line.name)
            for line in found
            if "linear_model" in line.filename
        ]

    estimator = ESTIMATORS["logistic"]
    assert lines(unvalidated(estimator)) == lines(estimator) != []


def _helper() -> int:
    return 1


def _uses(number: int = 1, *, more: int = 0) -> int:
    return _helper() + number + more


def test_a_rebound_function_keeps_its_defaults_and_leaves_the_original() -> None:
    copy = rebound(_uses, {_helper: lambda: 10})
    assert copy is not None
    assert (copy(), copy(2, more=3), _uses()) == (11, 15, 2)
    assert rebound(_helper, {_uses: _uses}) is None
