"""The worker: one process, one loaded model, in the model's own Python environment.

Standard library, the model's mlflow, and Python 3.10 at the oldest. Nothing of the server may be
imported but ``pelton.channel``, ``pelton.errors`` and ``pelton.platform``.

``boot`` starts it, ``main`` connects and loads, ``loop`` runs requests, ``answerer`` decides how
each is answered: the fast path where it is proven equal, else ``oracle``.
"""
