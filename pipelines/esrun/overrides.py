"""Values of a grid of experiments in place of those in esrun.yaml.

Reading esrun.yaml, and what the values do, do not belong here.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipelines.errors import BadInput
from pipelines.esrun.class_path import find_class
from pipelines.esrun.project import PARTITIONING, Project

SECTION = "partition_strategies"
PLACES = {  # name of the override -> whose init_args, and which of them
    "partition_grid_size": (PARTITIONING[0], "grid_size"),
    "window_size": (PARTITIONING[1], "window_size"),
    "overlap_size": (PARTITIONING[1], "overlap_size"),
    "grid_size": (PARTITIONING[1], "grid_size"),
}


def overridden(project: Project, values: Mapping[str, Any]) -> Project:
    """The project with ``values`` in place of its own; those that are None change nothing.

    Args:
        values: by the names of PLACES.

    Raises:
        BadInput: the class that esrun.yaml names does not take such a value.
    """
    strategies = dict(project.section(SECTION))
    for name, value in values.items():
        if value is not None:
            tool, argument = PLACES[name]
            strategies[tool] = _with(project, strategies.get(tool), tool, argument, name, value)
    return replace(project, config={**project.config, SECTION: strategies})


def _with(project: Project, spec: Any, tool: str, argument: str, name: str, value: Any) -> dict[str, Any]:
    key, where = f"{SECTION}.{tool}", project.config_fpath
    if not isinstance(spec, Mapping) or not isinstance(spec.get("class_path"), str):
        raise BadInput(f"{key}: has no class_path that could take --{name}", where=where)
    args = spec.get("init_args") or {}
    if not isinstance(args, Mapping):
        raise BadInput(f"{key}.init_args: must be a mapping, not {args!r}", where=where)
    taken = inspect.signature(find_class(spec["class_path"], key, where)).parameters
    free = any(one.kind is one.VAR_KEYWORD for one in taken.values())  # handed on to the class it is made of
    if argument not in taken and not free:
        raise BadInput(
            f"{key}: {spec['class_path'].rpartition('.')[2]} takes no {argument}, so --{name} cannot set it",
            where=where,
            hint=f"it takes {', '.join(taken)}",
        )
    return {**spec, "init_args": {**args, argument: value}}
