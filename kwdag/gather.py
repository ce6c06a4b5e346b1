"""Gather: which upstream jobs come together in which downstream job.

Pure. One Group object stands for all jobs that read the same members, however many they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from kwdag import hashing
from kwdag.errors import PlanError, did_you_mean
from kwdag.grid import ABSENT, OPEN, Grid, Mark
from kwdag.node import REQUIRED, ProcessNode
from kwdag.plan import Branch, External, Group, Job, Output, Source
from kwdag.ports import Edge
from kwdag.render import Token

_UP, _DOWN = 0, 1


def groups_of(grid: Grid, edge: Edge, node: ProcessNode) -> list[Group | Mark]:
    """The group that the job of each row reads through a gather edge, or why there is none."""
    assert edge.gather is not None
    source = grid.wiring.nodes[edge.src_node]
    order_by = [_ordering(grid, edge, source, name) for name in edge.gather.order_by]
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
        key: _group(jobs, edge, order_by) for key, jobs in members.items() if key not in unknown
    }
    groups |= dict.fromkeys(unknown, OPEN)
    if any(OPEN in key for key in unknown):  # a member whose own group is not known may belong to any
        groups = dict.fromkeys(groups, OPEN)
    return [groups.get(_key(grid, edge, node, index, _DOWN), ABSENT) for index in rows]


def _ordering(grid: Grid, edge: Edge, source: ProcessNode, name: str) -> tuple[str, str | None]:
    """The node and the parameter that a key of ``order_by`` means; None for the id of the node's job."""
    if name in grid.wiring.nodes and not source.accepts(name):
        if name != source.name and name not in grid.wiring.ancestors[source.name]:
            raise PlanError(f"{edge}: order_by names node {name!r}, which is not upstream of it")
        return name, None
    owned = grid.wiring.owner(name)
    owner, param = (grid.wiring.nodes[owned[0]], owned[1]) if owned else (source, name)
    if owner is not source and owner.name not in grid.wiring.ancestors[source.name]:
        raise PlanError(f"{edge}: order_by names {name!r}, but {owner.name!r} is not upstream of it")
    if not owner.accepts(param):
        raise _unknown(edge, "order_by", name, owner)
    return owner.name, owner.renamed.get(param, param)


def _unknown(edge: Edge, field: str, name: str, owner: ProcessNode) -> PlanError:
    hint = did_you_mean(name.removeprefix(f"{owner.name}."), owner.accepted)
    return PlanError(f"{edge}: {field} names {name!r}, which node {owner.name!r} does not have", hint=hint)


def _group(jobs: Iterable[Job], edge: Edge, order_by: Sequence[tuple[str, str | None]]) -> Group:
    """Members in the order of their ids, or of ``order_by``; that order is part of what the job is."""
    members = sorted(jobs, key=lambda job: job.id)
    if order_by:
        members.sort(key=lambda job: [_rank(_param(job, *key)) for key in order_by])
    identity = [[job.id, edge.src_port] for job in members]
    return Group(tuple(Output(job, edge.src_port) for job in members), hashing.digest(identity))


def _param(job: Job, node: str, param: str | None) -> Token:
    """The text of a parameter of a job or of the nearest ancestor of that node; None where there is none.

    Without ``param``, the id of that job.
    """
    if job.node.name == node:
        if param is None:
            return job.id
        source = job.sources.get(param)
        return source.value if isinstance(source, External) else None
    return next((found for up in job.predecessors() if (found := _param(up, node, param)) is not None), None)


def _rank(value: Token) -> tuple[int, Any]:
    """Numbers by size, then text, then nothing. Ranked as text: `1` and `'1'` are one job."""
    if value is None:
        return 2, ""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 1, str(value)
    return (1, str(value)) if math.isnan(number) else (0, number)


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
    raise _unknown(edge, "group_by", name, owner)


def _job_of(grid: Grid, edge: Edge, name: str, index: int) -> Any:
    """A key that names a node stands for its job in the row."""
    if name not in grid.wiring.ancestors[edge.dst_node]:
        raise PlanError(f"{edge}: group_by names node {name!r}, which is not upstream of it")
    cell = grid.cells[name][index]
    return cell.id if isinstance(cell, Job) else cell


def _value(grid: Grid, node: ProcessNode, param: str, index: int) -> Any:
    """What a node's parameter is in a row, whether or not its job is resolved yet."""
    param = node.renamed.get(param, param)
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
    return _told(source)


def _told(source: Source | Mark) -> Any:
    """A source as a value that can be compared."""
    if isinstance(source, External):
        return source.value
    if isinstance(source, Output):
        return source.job.id, source.port
    if isinstance(source, Branch):
        return source.job.id, source.key
    return source.digest if isinstance(source, Group) else source


def _wired(grid: Grid, node: ProcessNode, param: str, index: int) -> Any:
    edge = grid.wiring.sources.get((node.name, param))
    return grid.wired(edge, index) if edge is not None and edge.gather is None else None
