"""Type hint `pd.DataFrame`, which mlflow infers no schema from: the signature is given."""

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Hinted(PythonModel):
    def predict(self, model_input: pd.DataFrame, params=None) -> pd.DataFrame:
        return model_input


set_model(Hinted())
