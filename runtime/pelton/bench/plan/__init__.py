"""``pelton plan``: how many slots a model needs, of which workload type, and whether that is so.

``measure`` runs the model at a few loads, ``queueing`` and ``cost`` turn that into expectations,
``recommend`` chooses, ``verify`` runs the choice.
"""
