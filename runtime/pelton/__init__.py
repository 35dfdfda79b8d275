"""pelton serves an MLflow model as a production endpoint.

Importing the package costs nothing on purpose: ``python -m pelton.worker`` runs this file in the
model's environment, where the server's libraries do not exist.
"""

__version__ = "0.1.0"
