"""Type hint `list[Order]`: pydantic models, nested, with optional and defaulted fields."""

import datetime

import pydantic
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Line(pydantic.BaseModel):
    product: str
    price: float
    tags: list[str] | None = None


class Order(pydantic.BaseModel):
    number: int
    lines: list[Line]
    at: datetime.datetime | None = None
    paid: bool = False
    extra: dict[str, int] | None = None


class Orders(PythonModel):
    def predict(self, model_input: list[Order], params=None) -> list[dict]:
        return [
            {"type": type(order).__name__, "repr": repr(order), "dump": order.model_dump()}
            for order in model_input
        ]


set_model(Orders())
