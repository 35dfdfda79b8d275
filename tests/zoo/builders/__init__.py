"""The functions that save models, by group. They import mlflow, so only the builder child does."""
