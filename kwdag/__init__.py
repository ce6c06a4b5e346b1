"""Run a grid of parameters over a pipeline of programs, each combination once, and rank the results.

The public names; each is imported when it is first used, so that `import kwdag` costs nothing.
"""

from typing import Any

from kwdag.version import __version__

__all__ = ["Pipeline", "ProcessNode", "__version__", "aggregate", "load_results", "schedule"]

_HOMES = {
    "Pipeline": "kwdag.pipeline",
    "ProcessNode": "kwdag.node",
    "Gather": "kwdag.ports",
    "schedule": "kwdag.scheduling",
    "aggregate": "kwdag.aggregation",
    "load_results": "kwdag.aggregation",
    "load_pipeline": "kwdag.pipeline_ref",
    "KwdagError": "kwdag.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kwdag' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
