"""Gather: which upstream jobs come together in which downstream job.

Pure. One Group object stands for all jobs that read the same members, however many they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kwdag import hashing
from kwdag.errors import PlanError, did_you_mean
from kwdag.grid import ABSENT, OPEN, Grid, Mark
from kwdag.node import REQUIRED, Edge, ProcessNode
from kwdag.plan import External, Group, Job, Output

_UP, _DOWN = 0, 1


def groups_of(grid: Grid, edge: Edge, node: ProcessNode) -> list[Group | Mark]:
    """The group that the job of each row reads through a gather edge, or why there is none."""
    assert edge.gather is not None
    source = grid.wiring.nodes[edge.src_node]
    rows = range(len(grid.rows))
    up_keys = [_key(grid, edge, source, index, _UP) for index in rows]
    members: dict[Any, dict[Job, None]] = {}
    unknown: set[Any] = set()
    for key, cell in zip(up_keys, grid.cells[edge.src_node], strict=True):
        if isinstance(cell, Job):
            members.setdefault(key, {})[cell] = None
        elif cell is OPEN:
            unknown.add(key)
    groups: dict[Any, Group | Mark] = {
        key: _group(grid, jobs, edge) for key, jobs in members.items() if key not in unknown
    }
    groups |= dict.fromkeys(unknown, OPEN)
    if any(OPEN in key for key in unknown):  # a member whose own group is not known may belong to any
        groups = dict.fromkeys(groups, OPEN)
    return [groups.get(_key(grid, edge, node, index, _DOWN), ABSENT) for index in rows]


def _group(grid: Grid, jobs: Iterable[Job], edge: Edge) -> Group:
    """Members in the order of their ids, or of ``order_by``; that order is part of what the job is."""
    assert edge.gather is not None
    members = sorted(jobs, key=lambda job: job.id)
    if edge.gather.order_by:
        keys = edge.gather.order_by
        members.sort(key=lambda job: [_rank(known_param(grid, job, key)) for key in keys])
    identity = [[job.id, edge.src_port] for job in members]
    return Group(tuple(Output(job, edge.src_port) for job in members), hashing.digest(identity))


def _rank(value: Any) -> tuple[int, Any]:
    """Numbers by size, then text, then nothing."""
    if isinstance(value, int | float):
        return 0, value
    return (2, "") if value is None else (1, str(value))


def _key(grid: Grid, edge: Edge, node: ProcessNode, index: int, side: int) -> tuple[Any, ...]:
    assert edge.gather is not None
    return tuple([_key_part(grid, edge, pair, node, index, side) for pair in edge.gather.group_by])


def _key_part(grid: Grid, edge: Edge, pair: tuple[str, str], node: ProcessNode, index: int, side: int) -> Any:
    name = pair[side]
    if name in grid.wiring.nodes:
        return _job_of(grid, edge, name, index)
    owned = grid.wiring.owner(name)
    owner, param = (grid.wiring.nodes[owned[0]], owned[1]) if owned else (node, name)
    if owner.accepts(param):
        return _value(grid, owner, param, index)
    if side == _DOWN:  # the downstream node does not know the key: the upstream job of its own row decides
        return _key_part(grid, edge, (pair[_UP], pair[_UP]), grid.wiring.nodes[edge.src_node], index, _UP)
    hint = did_you_mean(param, owner.accepted)
    raise PlanError(f"{edge}: group_by names {name!r}, which node {owner.name!r} does not have", hint=hint)


def _job_of(grid: Grid, edge: Edge, name: str, index: int) -> Any:
    """A key that names a node stands for its job in the row."""
    if name not in grid.cells:
        raise PlanError(f"{edge}: group_by names node {name!r}, which is not upstream of it")
    cell = grid.cells[name][index]
    return cell.id if isinstance(cell, Job) else cell


def _value(grid: Grid, node: ProcessNode, param: str, index: int) -> Any:
    """The text of a node's parameter in a row, whether or not its job is resolved yet."""
    value = grid.given(index, grid.keys[node.name].get(param, ()))
    if value is not REQUIRED:
        found = grid.external(node, param, value)
        return found and found.value
    cell = grid.cells[node.name][index] if node.name in grid.cells else None
    if cell is OPEN:
        return OPEN
    source = cell.sources.get(param) if isinstance(cell, Job) else _wired(grid, node, param, index)
    if source is None:
        default = node.default(param)
        return None if default is REQUIRED else grid.token(default)
    return source.value if isinstance(source, External) else source


def _wired(grid: Grid, node: ProcessNode, param: str, index: int) -> Any:
    edge = grid.wiring.sources.get((node.name, param))
    return grid.wired(edge, index) if edge is not None and edge.gather is None else None


def known_param(grid: Grid, job: Job, key: str) -> Any:
    """A parameter of a job or, dotted, of one of its ancestors; None where it is not known."""
    owned = grid.wiring.owner(key)
    if owned is None or owned[0] == job.node.name:
        return job.params.get(owned[1] if owned else key)
    for up in job.predecessors():
        if up.node.name == owned[0] or owned[0] in grid.wiring.ancestors[up.node.name]:
            return known_param(grid, up, key)
    return None
