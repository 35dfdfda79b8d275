"""From a model URI to local files and a Python interpreter that can serve them.

The straight line: ``artifacts`` (URI -> :class:`~pelton.environment.artifacts.LocalModel`), then
``interpreter`` (its requirements -> a Python environment, built once and cached), beside them
``findings`` (what will bite later). mlflow is only ever imported in child processes, never here.
"""
