"""Will a model serve? Its files, its environment, and real predictions by the worker that would.

``validate`` does what ``mlflow.models.predict`` is used for before a deployment, and more: see
``docs/environments.md``. Nothing here serves; it starts the same workers and asks them.
"""

from pelton.validation.report import Report
from pelton.validation.validator import validate

__all__ = ["Report", "validate"]
