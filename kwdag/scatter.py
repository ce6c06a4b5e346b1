"""Scatter: what a job listed becomes branches, each a row of its own behind it.

Pure. A row whose list is not known yet stays one row, and nothing behind it is planned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kwdag.errors import PlanError, did_you_mean
from kwdag.grid import ABSENT, OPEN, Grid, Mark
from kwdag.node import ProcessNode
from kwdag.plan import Branch, Item, Job
from kwdag.ports import Edge


def branch(grid: Grid, node: ProcessNode, scattered: Mapping[str, Sequence[Item]]) -> None:
    """Multiply the rows of a grid by what the jobs of a scattering node have listed.

    Raises:
        PlanError: an item sets a parameter that no node behind it has.
    """
    behind = [
        edge for edge in grid.wiring.edges if (edge.src_node, edge.src_port) == (node.name, node.scatter)
    ]
    if not behind:
        return
    rows: list[Mapping[str, Any]] = []
    origin: list[int] = []
    branches: dict[int, dict[str, Branch]] = {}
    marks: dict[int, dict[str, Mark]] = {}
    for index, row in enumerate(grid.rows):
        for extra, found in _items(grid, grid.cells[node.name][index], scattered, behind):
            if index in grid.marks or isinstance(found, Mark):
                own = {node.name: found} if isinstance(found, Mark) else {}
                marks[len(rows)] = {**grid.marks.get(index, {}), **own}
            if index in grid.branches or isinstance(found, Branch):
                at = {node.name: found} if isinstance(found, Branch) else {}
                branches[len(rows)] = {**grid.branches.get(index, {}), **at}
            rows.append({**row, **extra} if extra else row)
            origin.append(index)
    grid.rows, grid.branches, grid.marks = rows, branches, marks
    grid.cells = {name: [cells[i] for i in origin] for name, cells in grid.cells.items()}
    grid.find_keys()


def _items(
    grid: Grid, cell: Job | Mark, scattered: Mapping[str, Sequence[Item]], behind: Sequence[Edge]
) -> Iterator[tuple[dict[str, Any], Branch | Mark]]:
    """What each branch adds to its row; a row without branches stays, marked."""
    items = scattered.get(cell.id) if isinstance(cell, Job) else None
    if isinstance(cell, Job) and items:
        for item in items:
            yield _values(grid, cell, item, behind), Branch(cell, item.key)
    else:
        yield {}, ABSENT if cell is ABSENT or items is not None else OPEN


def _values(grid: Grid, job: Job, item: Item, behind: Sequence[Edge]) -> dict[str, Any]:
    """The values of an item under the keys of the nodes that take them: those next in line, or as dotted."""
    found: dict[str, Any] = {}
    for name, value in item.values.items():
        owned = grid.wiring.owner(name)
        nodes = [grid.wiring.nodes[owned[0]]] if owned else [grid.wiring.nodes[e.dst_node] for e in behind]
        param = owned[1] if owned else name
        behind_it = (taker for taker in nodes if job.node.name in grid.wiring.ancestors[taker.name])
        takers = [taker for taker in behind_it if taker.accepts(param)]
        if not takers:
            hint = did_you_mean(param, {known for node in nodes for known in node.accepted})
            raise PlanError(
                f"item {item.key!r} sets {name!r}, which no node behind it has", where=job.id, hint=hint
            )
        found |= {f"{taker.name}.{param}": value for taker in takers}
    return found
