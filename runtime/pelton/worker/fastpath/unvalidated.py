"""An estimator that does not find out again what is known of its input.

Nine tenths of the time that scikit-learn's linear models take for a prediction go to finding out
that an array is an array, of which library, and that nobody forgot to call ``fit``. The answers are
the same each time. So a copy of an estimator runs the library's own functions, the same code
objects, with those helpers replaced that find it out: each asks the library's once, and answers the
same for as long as what the answer depends on is the same. Asked of anything else it is the
library's helper again, with its errors and warnings. The library itself is left as it is.

What an answer depends on was read in scikit-learn 1.6, 1.8 and 1.9, with array API dispatch off.
Earlier versions validate in a method, and have their own way.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

import numpy as np

_VALIDATION: Final = "sklearn.utils.validation"
_ARRAY_API: Final = "sklearn.utils._array_api"
#: Of ``validate_data``: what decides with the array's type, shape and layout, and not its values,
#: whether it is returned as it is. ``ensure_all_finite`` is about values, which are looked at.
_KNOWN_CHECKS: Final = frozenset(
    ["accept_sparse", "accept_large_sparse", "dtype", "order", "reset", "ensure_all_finite"]
)


def unvalidated(estimator: Any) -> Any:
    """Return a copy of ``estimator`` whose methods know the answers of the library's helpers.

    Returns ``estimator`` itself if its methods use none of them. The copy shares every attribute,
    and is of a subclass of its class with the same name.
    """
    kind = type(estimator)
    copy = shallow_copy(estimator)
    methods = _rebound_methods(kind, _replacements(copy))
    if not methods:
        return estimator
    members = {**methods, "__module__": kind.__module__, "__doc__": kind.__doc__}
    copy.__class__ = types.new_class(
        kind.__name__, (kind,), exec_body=lambda it: it.update(members)
    )
    return copy


def shallow_copy(estimator: Any) -> Any:
    """Return a shallow copy; ``copy.copy`` would run the estimator's own ``__setstate__``."""
    copy = object.__new__(type(estimator))
    copy.__dict__.update(vars(estimator))
    return copy


def rebound(function: FunctionType, replacements: dict[Any, Any]) -> FunctionType | None:
    """Return ``function`` with each global that is a key of ``replacements`` replaced.

    ``None`` if it uses none of them. The copy has the same code object, so that tracebacks are the
    same, and the module's globals as they are now.
    """
    places = function.__globals__
    known = {
        name: replacements[value]
        for name in function.__code__.co_names
        if isinstance(value := places.get(name), FunctionType) and value in replacements
    }
    if not known:
        return None
    copy = FunctionType(
        function.__code__,
        {**places, **known},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__ = function.__qualname__
    copy.__dict__.update(vars(function))
    return copy


def _rebound_methods(kind: type, replacements: dict[Any, Any]) -> dict[str, FunctionType]:
    methods: dict[str, FunctionType] = {}
    for base in reversed(kind.__mro__):
        for name, member in vars(base).items():
            methods.pop(name, None)
            copy = rebound(member, replacements) if isinstance(member, FunctionType) else None
            if copy is not None:
                methods[name] = copy
    return methods


def _replacements(estimator: Any) -> dict[Any, Any]:
    """Return what stands in for each helper of the library's, for methods of ``estimator``."""
    makers: dict[tuple[str, str], Callable[[Any], Any]] = {
        (_VALIDATION, "validate_data"): lambda helper: _validate_data(helper, estimator),
        (_VALIDATION, "check_is_fitted"): lambda helper: _check_is_fitted(helper, estimator),
        (_ARRAY_API, "get_namespace"): _same_for_arrays,
        (_ARRAY_API, "get_namespace_and_device"): _same_for_arrays,
        (_ARRAY_API, "check_same_namespace"): _nothing_for_arrays,
        (_ARRAY_API, "move_to"): _stays,
    }
    found = {}
    for (module, name), make in makers.items():
        helper = getattr(sys.modules.get(module), name, None)
        if isinstance(helper, FunctionType):
            found[helper] = make(helper)
    return found


def _validate_data(helper: Callable[..., Any], estimator: Any) -> Callable[..., Any]:
    """``validate_data`` returns a finite array as it is, if it did so with one of its kind."""
    unchanged: set[Any] = set()

    def validate_data(_estimator: Any, X: Any = "no_validation", /, *y: Any, **checks: Any) -> Any:
        if _estimator is not estimator or type(X) is not np.ndarray or X.ndim != 2 or y:
            return helper(_estimator, X, *y, **checks)
        if not checks.keys() <= _KNOWN_CHECKS or checks.get("reset", True):
            return helper(_estimator, X, **checks)
        flags = X.flags
        kind = (
            X.shape[1],
            len(X) > 1,
            X.dtype,
            flags.c_contiguous,
            flags.f_contiguous,
            flags.writeable,
            repr(checks),
        )
        if kind in unchanged and len(X) and _is_finite(X):
            return X
        found = helper(_estimator, X, **checks)
        if found is X:
            unchanged.add(kind)
        return found

    return validate_data


def _is_finite(array: np.ndarray[Any, Any]) -> bool:
    """Whether all numbers are finite; a sum that is not leaves it open, which is no."""
    if array.dtype.kind != "f":
        return False
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum()))


def _check_is_fitted(helper: Callable[..., None], estimator: Any) -> Callable[..., None]:
    """``check_is_fitted`` need not be asked twice: nobody takes an attribute of the copy away."""
    is_fitted = False

    def check_is_fitted(_estimator: Any, /, *args: Any, **kwargs: Any) -> None:
        nonlocal is_fitted
        if _estimator is not estimator or args or kwargs:
            helper(_estimator, *args, **kwargs)
        elif not is_fitted:
            helper(_estimator)
            is_fitted = True

    return check_is_fitted


def _same_for_arrays(helper: Callable[..., Any]) -> Callable[..., Any]:
    """``get_namespace`` and its like say NumPy of NumPy's arrays, whatever is in them."""
    answer = helper(np.zeros((1, 1)))

    def get_namespace(*arrays: Any, **options: Any) -> Any:
        for array in arrays:
            if type(array) is not np.ndarray:
                return helper(*arrays, **options)
        return helper(*arrays, **options) if options or not arrays else answer

    return get_namespace


def _nothing_for_arrays(helper: Callable[..., None]) -> Callable[..., None]:
    """``check_same_namespace`` has nothing against NumPy's arrays while dispatch is off."""

    def check_same_namespace(X: Any, *args: Any, **options: Any) -> None:
        if type(X) is not np.ndarray:
            helper(X, *args, **options)

    return check_same_namespace


def _stays(helper: Callable[..., Any]) -> Callable[..., Any]:
    """``move_to`` leaves a NumPy array where it is if that is where it is to go."""
    places = sys.modules[_ARRAY_API].get_namespace_and_device(np.zeros((1, 1)))
    namespace, _, place = places

    def move_to(*arrays: Any, xp: Any, device: Any) -> Any:
        if len(arrays) == 1 and xp is namespace and device == place:
            (array,) = arrays
            if type(array) is np.ndarray:
                return array
        return helper(*arrays, xp=xp, device=device)

    return move_to
