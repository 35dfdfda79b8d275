"""The conformance suite: pelton answers what MLflow's own scoring server answers, byte for byte.

A case is a request to one model of the zoo. Every case is sent to MLflow's server app (the oracle,
whose answers are recorded under ``.cache/conformance``) and to pelton (the subject); status, media
type and body must be equal, but for the deliberate differences of ``differences.py``.
``python -m tests.conformance --help`` runs it.
"""
