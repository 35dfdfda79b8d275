"""Answers any type of output that a scoring server knows how to write; column `kind` says which.

The kinds are the methods of `Outputs` after `as_`; each gets the number of rows.
"""

import datetime
import enum

import numpy as np
import pandas as pd
import pydantic
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

FLOATS = [0.1, 1e22, 1e-7, 5e-324, 1.7976931348623157e308, -0.0, 1 / 3, 1e16, 123456789.123456789]
MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)


class Answer(pydantic.BaseModel):
    text: str = "é"
    at: datetime.datetime = MOMENT
    scores: list[float] = [0.5, float("nan")]
    nothing: str | None = None


class Color(str, enum.Enum):
    RED = "red"


class Outputs(PythonModel):
    def predict(self, context, model_input, params=None):
        kind = model_input["kind"].iloc[0]
        return getattr(self, "as_" + kind)(len(model_input))

    def as_dataframe(self, n):
        return pd.DataFrame({"a": range(n), "b": [0.5] * n, "c": ["é"] * n, "d": [True] * n})

    def as_dataframe_index(self, n):
        return pd.DataFrame({"a": range(n)}, index=[f"row{i}" for i in range(n)])

    def as_dataframe_int_labels(self, n):
        return pd.DataFrame({0: range(n), 1: range(n)})

    def as_dataframe_duplicate_labels(self, n):
        return pd.DataFrame([[1, 2]] * n, columns=["a", "a"])

    def as_dataframe_categorical(self, n):
        return pd.DataFrame({"a": pd.Categorical(["x", "y"][i % 2] for i in range(n))})

    def as_dataframe_nullable(self, n):
        return pd.DataFrame(
            {
                "i": pd.array([1, None] * n, dtype="Int64"),
                "b": pd.array([True, None] * n, dtype="boolean"),
                "f": pd.array([0.5, None] * n, dtype="Float64"),
                "s": pd.array(["a", None] * n, dtype="string"),
            }
        )

    def as_dataframe_floats(self, n):
        return pd.DataFrame({"x": [*FLOATS, np.nan, np.inf, -np.inf]})

    def as_dataframe_float32(self, n):
        return pd.DataFrame({"x": np.array([0.1] * n, dtype="float32")})

    def as_dataframe_datetimes(self, n):
        return pd.DataFrame(
            {
                "t": pd.to_datetime([MOMENT, None] * n),
                "z": pd.to_datetime([MOMENT] * 2 * n).tz_localize("Europe/Paris"),
                "d": [MOMENT.date()] * 2 * n,
            }
        )

    def as_dataframe_mixed(self, n):
        return pd.DataFrame({"x": [1, "a", None, 2.5, [1, {"b": None}], {"k": 1}, b"xyz"]})

    def as_dataframe_arrays(self, n):
        return pd.DataFrame({"x": [np.arange(3, dtype="float32")] * n})

    def as_dataframe_bytes(self, n):
        return pd.DataFrame({"x": [b"\x00\xff" * 50] * n})

    def as_dataframe_empty(self, n):
        return pd.DataFrame()

    def as_dataframe_no_rows(self, n):
        return pd.DataFrame({"a": []})

    def as_series(self, n):
        return pd.Series([0.5] * n, name="score")

    def as_series_unnamed(self, n):
        return pd.Series(range(n))

    def as_series_strings(self, n):
        return pd.Series(["a", None] * n, name="s")

    def as_array(self, n):
        return np.arange(n, dtype="int64")

    def as_array_2d(self, n):
        return np.linspace(0, 1, 3 * n).reshape(n, 3)

    def as_array_0d(self, n):
        return np.array(2.5)

    def as_array_float32(self, n):
        return np.array([0.1, 1e30, np.nan], dtype="float32")

    def as_array_float16(self, n):
        return np.array([0.1, 65504], dtype="float16")

    def as_array_unsigned(self, n):
        return np.array([2**64 - 1], dtype="uint64")

    def as_array_bool(self, n):
        return np.array([True, False])

    def as_array_strings(self, n):
        return np.array(["a", "é", "\u2028", "\U0001f600"])

    def as_array_objects(self, n):
        return np.array([1, "a", None, np.float32(0.1), {"k": np.int8(1)}], dtype=object)

    def as_array_ns(self, n):
        return np.array(["2024-02-29T12:30:15"], dtype="datetime64[ns]")

    def as_array_us(self, n):
        return np.array(["2024-02-29T12:30:15.5", "NaT"], dtype="datetime64[us]")

    def as_array_days(self, n):
        return np.array(["2024-02-29"], dtype="datetime64[D]")

    def as_array_bytes(self, n):
        return np.array([b"ab", b"c"])

    def as_array_empty(self, n):
        return np.empty((0, 3))

    def as_list(self, n):
        return [float(i) for i in range(n)]

    def as_list_numpy(self, n):
        return [np.float32(0.1), np.int64(2), np.bool_(True), np.str_("s"), np.arange(2)]

    def as_tuple(self, n):
        return (1, (2, 3))

    def as_named_tuple(self, n):
        return pd.DataFrame({"a": [1]}).itertuples().__next__()

    def as_dict(self, n):
        return {"a": [1, 2], "b": {"c": None, "d": True}}

    def as_dict_odd_keys(self, n):
        return {1: "int", None: "none", 2.5: "float", "é": "text", False: "false"}

    def as_dict_of_arrays(self, n):
        return {"x": np.arange(n), "y": np.ones((n, 2), dtype="float32")}

    def as_string(self, n):
        return 'quote " backslash \\ tab \t nul \x00 del \x7f é \u2028 \U0001f600 / </script>'

    def as_surrogate(self, n):
        return "\ud800 alone"

    def as_int(self, n):
        return 2**70

    def as_float(self, n):
        return FLOATS

    def as_nan(self, n):
        return [float("nan"), float("inf"), -float("inf")]

    def as_bool(self, n):
        return True

    def as_none(self, n):
        return None

    def as_bytes(self, n):
        return bytes(range(256))

    def as_bytes_list(self, n):
        return [b"", b"abc", bytearray(b"def"), np.bytes_(b"ghi")]

    def as_datetime(self, n):
        return [MOMENT, MOMENT.date(), MOMENT.time(), MOMENT.replace(tzinfo=datetime.UTC)]

    def as_timestamp(self, n):
        return [pd.Timestamp("2024-02-29T12:30:15.123456789"), pd.NaT]

    def as_datetime64(self, n):
        return [np.datetime64("2024-02-29T12:30:15", "s")]

    def as_pydantic(self, n):
        return Answer()

    def as_pydantic_list(self, n):
        return [Answer(text=str(i)) for i in range(n)]

    def as_enum(self, n):
        return [Color.RED]

    def as_long_list(self, n):
        return list(range(20_000))

    def as_deep(self, n):
        value = []
        for _ in range(200):
            value = [value]
        return value


set_model(Outputs())
