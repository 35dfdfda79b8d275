"""The management API: Databricks' serving-endpoints calls, and a few verbs of our own.

``access`` says who may call, ``configuration`` reads a wanted configuration, ``routes`` answers,
``logs`` keeps the last lines for those who ask for them.
"""
