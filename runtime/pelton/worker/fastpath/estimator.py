"""Arrays for estimators that make one of a frame anyway.

scikit-learn takes a frame's array out of it and works on that; finding out that it is a frame, and
that its columns are those of the fit, takes several times as long as most predictions. The decoder
knows both. So an estimator that does nothing else with a frame is given the array: the frame's
block transposed, which is what ``DataFrame.to_numpy`` returns, strides and flags included. And what
it would find out of the array each time is found out once (`unvalidated`). LightGBM's look at one
row after the other, whatever the strides, and are given rows as requests have brought them.

Only estimators in the tables below, as their library made them; and only once both ways have given
the same bytes for one row and for several. The user's own objects are never changed.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from mlflow.pyfunc import PyFuncModel

from pelton.worker.fastpath.decoded import Decoded, Frames
from pelton.worker.fastpath.layout import FrameCells, Layout
from pelton.worker.fastpath.likeness import same_input
from pelton.worker.fastpath.unvalidated import shallow_copy, unvalidated

log = logging.getLogger("pelton.worker")

#: Their predict takes the array out of a frame first and looks at nothing else of it.
PREDICTORS: Final = {
    "sklearn.cluster": "KMeans MiniBatchKMeans",
    "sklearn.discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
    "sklearn.ensemble": "ExtraTreesClassifier ExtraTreesRegressor GradientBoostingClassifier"
    " GradientBoostingRegressor HistGradientBoostingClassifier HistGradientBoostingRegressor"
    " RandomForestClassifier RandomForestRegressor",
    "sklearn.linear_model": "ARDRegression BayesianRidge ElasticNet ElasticNetCV GammaRegressor"
    " HuberRegressor Lars Lasso LassoCV LassoLars LinearRegression LogisticRegression"
    " LogisticRegressionCV OrthogonalMatchingPursuit Perceptron PoissonRegressor Ridge RidgeCV"
    " RidgeClassifier SGDClassifier SGDRegressor TweedieRegressor",
    "sklearn.naive_bayes": "BernoulliNB ComplementNB GaussianNB MultinomialNB",
    "sklearn.neighbors": "KNeighborsClassifier KNeighborsRegressor",
    "sklearn.neural_network": "MLPClassifier MLPRegressor",
    "sklearn.svm": "LinearSVC LinearSVR NuSVC NuSVR SVC SVR",
    "sklearn.tree": "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier"
    " ExtraTreeRegressor",
    "lightgbm.sklearn": "LGBMClassifier LGBMRegressor",
}
#: The same of their transform.
TRANSFORMERS: Final = {
    "sklearn.decomposition": "PCA",
    "sklearn.impute": "SimpleImputer",
    "sklearn.preprocessing": "MaxAbsScaler MinMaxScaler Normalizer PolynomialFeatures"
    " PowerTransformer QuantileTransformer RobustScaler StandardScaler",
}
#: Of PREDICTORS, those to whom each row is a thing of its own.
_BY_ROWS: Final = {module: PREDICTORS[module] for module in ("lightgbm.sklearn",)}
_METHODS: Final = ("predict", "predict_proba", "predict_log_proba")
_NAMES: Final = "feature_names_in_"
_FITTED_WITH_NAMES: Final = "_fitted_with_feature_names"  # LightGBM's


class Arrays:
    """Predicts on arrays what may be predicted on arrays. As thread-safe as the model is.

    Args:
        bare: a model whose ``predict`` enforces no schema; the way with frames.
    """

    def __init__(self, bare: PyFuncModel) -> None:
        self._bare = bare
        self._twin: PyFuncModel | None = None
        self._names: tuple[str, ...] = ()
        self._is_by_rows = False
        self._fits: dict[Layout, bool] = {}
        self._proven: dict[tuple[Layout, bool], bool] = {}  # value: whether arrays are writeable
        try:
            found = _twin(bare)
        except Exception as error:  # of another version than those known: frames, then
            log.debug("fastpath.arrays_off reason=%r", error)
            found = None
        if found is not None:
            self._twin, self._names = found
            kind = type(bare._model_impl.sklearn_model)
            self._is_by_rows = _is_library_class(kind, _BY_ROWS)

    def takes(self, decoded: Decoded) -> bool:
        """Return whether ``decoded`` is predicted as an array, so that nobody needs its frame."""
        return self._twin is not None and self._layout(decoded) is not None

    def predict(self, decoded: Decoded) -> Any:
        """Return what the model predicts for ``decoded``.

        Raises:
            BaseException: whatever the model raises when it is given a frame.
        """
        layout = self._layout(decoded)
        if self._twin is None or layout is None:
            return self._bare.predict(decoded.data, params=decoded.params)
        is_writeable = self._proven.get((layout, decoded.rows > 1))
        if is_writeable is None:
            return self._prove(decoded, layout)
        try:
            array = _rows(decoded) if self._is_by_rows else _array(decoded, is_writeable)
            return self._twin.predict(array, params=decoded.params)
        except Exception:
            # Not handled in here: the frame's error, the one that MLflow would show, is asked for
            # below, and must not have this one as its context.
            pass
        output = self._bare.predict(decoded.data, params=decoded.params)
        self._give_up("an array is refused where a frame is not")
        return output

    def _layout(self, decoded: Decoded) -> Layout | None:
        """Return the layout of a frame of one block, with the columns of the fit."""
        form = decoded.form
        if type(form) is not Frames or decoded.cells.index is not None:
            return None
        layout = form.layout
        if layout not in self._fits:
            self._fits[layout] = _is_one_block(layout) and tuple(layout.columns) == self._names
        return layout if self._fits[layout] else None

    def _prove(self, decoded: Decoded, layout: Layout) -> Any:
        """Predict both ways and compare; returns what the frame gave."""
        frame = decoded.data
        is_writeable = bool(frame.to_numpy().flags.writeable)
        output = self._bare.predict(frame, params=decoded.params)
        assert self._twin is not None
        # The second one knows what the first one found out.
        arrays = [_array(decoded, is_writeable) for _ in range(2)]
        if self._is_by_rows:
            arrays.append(_rows(decoded))
        try:
            others = [self._twin.predict(array, params=decoded.params) for array in arrays]
        except Exception as error:
            self._give_up(f"an array is refused where a frame is not: {error!r}")
            return output
        # Before it was predicted on: a model may write into what it is given.
        fresh = _array(decoded, is_writeable)
        if not same_input(decoded.data.to_numpy(), fresh) or not all(
            same_input(output, other) for other in others
        ):
            self._give_up("the answers to an array and a frame differ")
            return output
        self._proven[layout, decoded.rows > 1] = is_writeable
        return output

    def _give_up(self, reason: str) -> None:
        log.info("fastpath.arrays_off reason=%r", reason)
        self._twin = None


def _array(decoded: Decoded, is_writeable: bool) -> npt.NDArray[Any]:
    """Return (rows, columns), Fortran-ordered: what ``to_numpy`` returns for the frame."""
    cells: FrameCells = decoded.cells
    array = np.array(cells.blocks[0], order="C").T
    array.flags.writeable = is_writeable
    return array


def _rows(decoded: Decoded) -> npt.NDArray[Any]:
    """Return (rows, columns), C-ordered: as they are in memory, where they came as rows."""
    array = np.ascontiguousarray(decoded.cells.blocks[0].T)
    array.flags.writeable = False
    return array


def _is_one_block(layout: Layout) -> bool:
    if len(layout.blocks) != 1:
        return False
    (block,) = layout.blocks
    return (
        block.array_type is None
        and block.dtype in (np.dtype("float64"), np.dtype("float32"))
        and block.places.tolist() == list(range(len(layout.columns)))
    )


def _twin(bare: PyFuncModel) -> tuple[PyFuncModel, tuple[str, ...]] | None:
    """Return ``bare`` around a copy of its estimator that expects arrays, and the fit's columns.

    ``None`` if its estimator is not known to treat both alike.
    """
    flavor = sys.modules.get("mlflow.sklearn")
    wrapper = bare._model_impl
    if flavor is None or type(wrapper) is not flavor._SklearnModelWrapper:
        return None
    estimator = wrapper.sklearn_model
    method = bare._predict_fn.__name__
    if method not in _METHODS or bare._predict_fn.__self__ not in (wrapper, estimator):
        return None
    found = _nameless(estimator)
    if found is None or not _is_config_default():
        return None
    copy, names = found
    twin = object.__new__(type(bare))
    twin.__dict__.update(vars(bare))
    twin._predict_fn = getattr(type(wrapper)(copy), method)
    return twin, names


def _is_config_default() -> bool:
    import sklearn

    config = sklearn.get_config()
    return (
        config.get("transform_output", "default") == "default"
        and not config.get("array_api_dispatch")
        and not config.get("enable_metadata_routing")
    )


def _nameless(estimator: Any) -> tuple[Any, tuple[str, ...]] | None:
    """Return a copy of ``estimator`` that was never told column names, and those names."""
    if _is_library_class(type(estimator), {"sklearn.pipeline": "Pipeline"}):
        return _nameless_pipeline(estimator)
    if not _is_plain(estimator, PREDICTORS):
        return None
    return _without_names(estimator)


def _nameless_pipeline(pipeline: Any) -> tuple[Any, tuple[str, ...]] | None:
    if pipeline.memory is not None or getattr(pipeline, "transform_input", None) is not None:
        return None
    *transformers, (last_name, last) = pipeline.steps
    if not transformers or not _is_plain(last, PREDICTORS) or hasattr(last, _NAMES):
        return None
    (first_name, first), *others = transformers
    for _, transformer in transformers:
        if not _is_plain(transformer, TRANSFORMERS):
            return None
    if any(hasattr(other, _NAMES) for _, other in others):
        return None  # it was given frames, so something makes frames of arrays on the way
    found = _without_names(first)
    if found is None or _changed(pipeline):
        return None
    copy = shallow_copy(pipeline)
    known = [(name, unvalidated(step)) for name, step in (*others, (last_name, last))]
    copy.steps = [(first_name, found[0]), *known]
    return copy, found[1]


def _without_names(estimator: Any) -> tuple[Any, tuple[str, ...]] | None:
    names = getattr(estimator, _NAMES, None)
    if names is None:
        return None
    copy = shallow_copy(estimator)
    if _NAMES in vars(copy):
        del copy.__dict__[_NAMES]
    elif _FITTED_WITH_NAMES in vars(copy):
        setattr(copy, _FITTED_WITH_NAMES, False)
    if hasattr(copy, _NAMES):
        return None
    return unvalidated(copy), tuple(names)


def _is_plain(estimator: Any, table: dict[str, str]) -> bool:
    """Whether ``estimator`` is in ``table``, and nothing but what its library makes of it."""
    if not _is_library_class(type(estimator), table) or _changed(estimator):
        return False
    if getattr(estimator, "is_categorical_", None) is not None:  # HistGradientBoosting
        return False
    if hasattr(estimator, "booster_") and estimator.booster_.pandas_categorical:  # LightGBM
        return False
    parameters = estimator.get_params(deep=False).values()
    return not any(callable(value) or hasattr(value, "get_params") for value in parameters)


def _changed(estimator: Any) -> bool:
    """Whether the instance has methods of its own, or makes frames of its output."""
    return any(
        name in vars(estimator)
        for name in (*_METHODS, "transform", "decision_function", "_sklearn_output_config")
    )


def _is_library_class(kind: type, table: dict[str, str]) -> bool:
    for module, names in table.items():
        place = sys.modules.get(module)
        if place is not None and kind.__name__ in names.split():
            return getattr(place, kind.__name__, None) is kind
    return False
