"""The models that are measured, saved by MLflow itself, and what they answer."""
