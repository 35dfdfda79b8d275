"""The first file a worker runs: makes ``pelton`` importable, and nothing else of the server.

Started as ``python -P boot.py <pelton_kernels folder> <arguments of worker.main>``. The model's
interpreter may be another one than the server's, so the server's site-packages must not get onto
``sys.path``: the two packages are registered by their location instead.
"""

from __future__ import annotations

import importlib.util
import os
import sys


def _register(name: str, folder: str) -> None:
    spec = importlib.util.spec_from_file_location(
        name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _boot() -> int:
    here = os.path.dirname(os.path.abspath(__file__))
    # Python 3.10 has no -P: it puts this folder first on the path, where `main` or `loop` would
    # shadow a model's own modules.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    _register("pelton", os.path.dirname(here))
    _register("pelton_kernels", sys.argv[1])
    from pelton.worker.main import main

    return main(sys.argv[2:])


if __name__ == "__main__":  # not in the children that multiprocessing spawns
    sys.exit(_boot())
