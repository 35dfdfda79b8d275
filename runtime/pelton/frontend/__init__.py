"""The HTTP front end. It never runs user code, never imports mlflow and never parses a body."""
