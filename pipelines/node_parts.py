"""What the nodes of all pipelines share: how a program is started, and the words for a metric.

The nodes themselves stand in the nodes.py of each pipeline.
"""

from __future__ import annotations

import shlex
import sys
from typing import Any


def program(module: str, *fixed: str) -> str:
    """The start of a command line, as in ``program("pipelines.fpe.run_train")``."""
    # The interpreter that runs kwdag can import this package; another `python` on PATH may not.
    return " ".join([shlex.quote(sys.executable), "-m", module, *fixed])


def metric(name: str, objective: str = "maximize", primary: bool = False, **more: Any) -> dict[str, Any]:
    """A float in [0, 1] unless said otherwise."""
    return {"metric": name, "objective": objective, "primary": primary, "display": primary,
            "type": "float", "range": (0, 1), **more}  # fmt: skip
