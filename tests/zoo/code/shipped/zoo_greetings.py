"""Code that is shipped beside a model."""


def greet(name):
    return f"Hello {name}"
