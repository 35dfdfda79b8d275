"""The builder child: reads ``{name: directory}`` from stdin and saves each model there."""

from __future__ import annotations

import json
import shutil
import sys
import traceback
from importlib import import_module
from pathlib import Path

from tests.zoo.catalogue import MODELS


def main() -> int:
    targets: dict[str, str] = json.load(sys.stdin)
    failures = 0
    for name, target in targets.items():
        model = MODELS[name]
        builder = import_module(f"tests.zoo.builders.{model.builder}")
        try:
            getattr(builder, model.function)(model, Path(target))
        except Exception:
            # Whatever one model's builder raises, the others are still built.
            failures += 1
            traceback.print_exc()
            shutil.rmtree(target, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
