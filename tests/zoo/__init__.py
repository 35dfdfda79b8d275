"""The model zoo: tiny real MLflow models, saved once by real mlflow and kept in ``.cache/zoo``.

``build(name)`` gives the directory of a saved model; ``MODELS`` says what there is. Importing this
package, or finding a model already built, imports neither mlflow nor a model library.
``python -m tests.zoo list`` prints the catalogue.
"""

from tests.zoo.catalogue import MODELS
from tests.zoo.model import Model
from tests.zoo.store import build, build_all

__all__ = ["MODELS", "Model", "build", "build_all"]
