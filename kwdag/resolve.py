"""From rows to jobs: resolve each row once, hash each distinct configuration once.

Pure, and one node at a time, upstream first; gather.py and scatter.py do what concerns more than one row.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kwdag import hashing
from kwdag.errors import PlanError, did_you_mean
from kwdag.gather import groups_of
from kwdag.grid import ABSENT, OPEN, Grid, Mark
from kwdag.node import ENABLED, REQUIRED, SLURM_OPTIONS, SWITCHES, ProcessNode
from kwdag.pipeline import Wiring
from kwdag.plan import Branch, External, Group, Item, Job, Output, Plan, Source
from kwdag.ports import Edge
from kwdag.render import Token, token
from kwdag.scatter import branch


@dataclass(frozen=True, slots=True)
class _Slot:
    """An input or parameter of a node, as it is for all rows alike.

    Attributes:
        keys: the keys under which rows give it.
        edge: the connection that feeds it, if any.
        needed: an input that is not optional.
    """

    name: str
    default: Any
    keys: Sequence[str]
    edge: Edge | None
    needed: bool


_OFF, _ON, _REDO = 0, 1, 2
_SWITCH = {"0": _OFF, "False": _OFF, "1": _ON, "True": _ON, "redo": _REDO}


def check_keys(wiring: Wiring, keys: Mapping[str, str]) -> None:
    """Refuse keys that name no node or no parameter.

    Args:
        keys: dotted key -> where it stands (`params.yaml, line 7`).

    Raises:
        PlanError: naming the key, its place and the nearest valid key.
    """
    for key, where in keys.items():
        if key in SWITCHES:
            continue
        owned = wiring.owner(key)
        if owned is None:
            raise PlanError(f"no node in key {key!r}", where=where, hint=_nearest_key(wiring, key))
        node, param = wiring.nodes[owned[0]], owned[1]
        if param in node.out_paths:
            raise PlanError(f"{key!r} is an output of node {node.name!r}, not a parameter", where=where)
        if not node.accepts(param) and param not in SWITCHES:
            hint = did_you_mean(param, [*node.accepted, *SWITCHES])
            raise PlanError(f"no parameter {param!r} in node {node.name!r}", where=where, hint=hint)


def _nearest_key(wiring: Wiring, key: str) -> str:
    known = [f"{node.name}.{name}" for node in wiring.nodes.values() for name in node.accepted]
    hint = did_you_mean(key, known) or ""
    return hint if hint.startswith("did") else f"nodes: {', '.join(wiring.nodes)}"


def build_plan(
    wiring: Wiring,
    rows: Sequence[Mapping[str, Any]],
    root: str,
    *,
    workdir: str,
    scattered: Mapping[str, Sequence[Item]] | None = None,
    where: Mapping[str, str] | None = None,
) -> Plan:
    """Resolve rows to the distinct jobs that they ask for.

    Args:
        root: absolute path below which the job directories lie.
        workdir: absolute path against which relative input paths are resolved.
        scattered: what scattering jobs that are done have listed, by job id.
        where: dotted key -> its place, for messages.

    Raises:
        PlanError: an input neither given nor connected, a bad switch, two jobs with one id.
    """
    grid = Grid(wiring, rows, workdir, where or {})
    resolver = _Resolver(grid, root)
    with _no_collection():
        for place, node in enumerate(wiring.nodes.values()):
            grid.cells[node.name] = resolver.resolve(node, place)
            if node.scatter is not None:
                branch(grid, node, scattered or {})
    return resolver.plan(len(rows))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Planning makes many objects and no garbage: to search them for cycles costs a third of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Resolver:
    """Makes jobs; a configuration that was seen before gives the job of that time."""

    def __init__(self, grid: Grid, root: str):
        self.grid = grid
        self.root = root
        self.jobs: dict[str, Job] = {}
        self.switches: dict[str, int] = {}
        self.slurm: dict[str, Mapping[str, Any]] = {}

    def resolve(self, node: ProcessNode, place: int) -> list[Job | Mark]:
        """The job of every row for one node."""
        grid = self.grid
        slots = list(_slots(grid, node))
        edges = grid.wiring.into(node.name)
        groups = {edge.dst_port: groups_of(grid, edge, node) for edge in edges if edge.gather}
        upstream = [grid.cells[edge.src_node] for edge in edges if not edge.gather]
        enabled_key = f"{node.name}.{ENABLED}"
        given = [slot for slot in slots if slot.keys]
        seen: dict[Any, Job | Mark] = {}
        cells: list[Job | Mark] = []
        for index, row in enumerate(grid.rows):
            gathered = {port: found[index] for port, found in groups.items()}
            cell: Job | Mark | None = self._mark(node, index, gathered)
            if cell is None:
                key = (
                    tuple([grid.token(grid.given(index, slot.keys)) for slot in given]),
                    tuple([jobs[index] for jobs in upstream]),
                    tuple(gathered.values()),
                    str(row.get(enabled_key)),
                    self._branch_key(index),
                )
                cell = seen.get(key)
                if cell is None:
                    cell = seen[key] = self._resolve_row(node, index, place, slots, gathered)
            cells.append(cell)
        return cells

    def _mark(self, node: ProcessNode, index: int, gathered: Mapping[str, Any]) -> Mark | None:
        """Why a row has no job of a node, if so: its branches are not known, or there are none."""
        if not gathered and index not in self.grid.marks:
            return None
        known = self.grid.marks.get(index, {})
        above = self._ancestors(node.name, index) if known else ()
        marks = [mark for name, mark in known.items() if name in above]
        marks += [group for group in gathered.values() if isinstance(group, Mark)]
        return OPEN if OPEN in marks else (ABSENT if marks else None)

    def _ancestors(self, node: str, index: int) -> Collection[str]:
        """The nodes upstream of a node in a row: a value given on a connected input cuts the connection."""
        cut = self.grid.cut(index)
        if not cut:
            return self.grid.wiring.ancestors[node]
        edges = self.grid.wiring.into(node)
        above = {edge.src_node for edge in edges if (edge.dst_node, edge.dst_port) not in cut}
        return above.union(*(self._ancestors(name, index) for name in above))

    def _branch_key(self, index: int) -> Any:
        branches = self.grid.branches.get(index)
        return branches and tuple((branch.job, branch.key) for branch in branches.values())

    def _resolve_row(
        self,
        node: ProcessNode,
        index: int,
        place: int,
        slots: Sequence[_Slot],
        gathered: Mapping[str, Any],
    ) -> Job | Mark:
        row = self.grid.rows[index]
        switch = self._switch(node, row.get(f"{node.name}.{ENABLED}", True))
        sources: dict[str, Source] = {}
        recorded: dict[str, Any] = {}
        for slot in slots:
            value = self.grid.given(index, slot.keys) if slot.keys else REQUIRED
            source = self._source(node, slot, value, index, gathered)
            if source is OPEN:
                return OPEN
            if source is None or isinstance(source, Mark):
                value = slot.default
                source = None if value is REQUIRED else self.grid.external(node, slot.name, value)
            if source is not None:
                sources[slot.name] = source
            elif slot.needed:
                if switch == _OFF:
                    return ABSENT
                raise self._missing(node, slot.name)
            if value is not REQUIRED and isinstance(source, External):  # a shared one: at its source
                recorded[slot.name] = source.value if slot.name in node.in_paths else value
        return self._job(node, sources, recorded, (index, place), switch)

    def _source(
        self, node: ProcessNode, slot: _Slot, value: Any, index: int, gathered: Mapping[str, Any]
    ) -> Source | Mark | None:
        """Gathered, else given, else from a connection; the default is the caller's."""
        if slot.name in gathered:
            if value is not REQUIRED:
                key = f"{node.name}.{slot.name}"
                raise PlanError(
                    f"{key} is gathered and cannot be given as well", where=self.grid.place(node, slot.name)
                )
            return gathered[slot.name]
        if value is not REQUIRED:
            return self.grid.external(node, slot.name, value)
        return self.grid.wired(slot.edge, index)

    def _job(
        self,
        node: ProcessNode,
        sources: Mapping[str, Source],
        params: Mapping[str, Any],
        order: tuple[int, int],
        switch: int,
    ) -> Job:
        digest = hashing.digest(identity(node, sources, self.root))
        job_id = hashing.job_id(node.name, digest)
        job = self.jobs.get(job_id)
        if job is None:
            job = self.jobs[job_id] = Job(job_id, digest, node, params, sources, order)
            self._note_slurm_options(job, self.grid.rows[order[0]])
        elif job.digest != digest:
            raise PlanError(
                f"two different jobs share the id {job_id}", hint="change a parameter of one of them"
            )
        self.switches[job_id] = max(self.switches.get(job_id, _OFF), switch)
        return job

    def _note_slurm_options(self, job: Job, row: Mapping[str, Any]) -> None:
        options = {
            **(row.get(SLURM_OPTIONS) or {}),
            **job.node.slurm_options,
            **(row.get(f"{job.node.name}.{SLURM_OPTIONS}") or {}),
        }
        if options:
            self.slurm[job.id] = options

    def _switch(self, node: ProcessNode, value: Any) -> int:
        """Off, on or redo; of the rows that share a job, the strongest wish counts."""
        if str(value) not in _SWITCH:
            where = self.grid.place(node, ENABLED)
            raise PlanError(f"{node.name}.{ENABLED} is {value!r}", where=where, hint="known: 0, 1, redo")
        return _SWITCH[str(value)]

    def _missing(self, node: ProcessNode, name: str) -> PlanError:
        key = f"{node.name}.{name}"
        edge = self.grid.wiring.sources.get((node.name, name))
        if edge is not None:
            problem = f"input {key!r} has no value: {edge.src} is disabled or not given"
        else:
            problem = f"input {key!r} is neither given nor connected"
        file = next((place.rpartition(", line")[0] for place in self.grid.where.values()), "")
        return PlanError(problem, where=file or None, hint=f"give {key!r} in the matrix")

    def plan(self, n_rows: int) -> Plan:
        """The plan, once all nodes are resolved."""
        return Plan(
            wiring=self.grid.wiring,
            root=self.root,
            workdir=self.grid.workdir,
            n_rows=n_rows,
            jobs=self.jobs,
            disabled=frozenset(job_id for job_id, switch in self.switches.items() if switch == _OFF),
            redo=frozenset(job_id for job_id, switch in self.switches.items() if switch == _REDO),
            slurm_options=self.slurm,
            open=self._count(OPEN),
            skipped=self._count(ABSENT),
        )

    def _count(self, mark: Mark) -> dict[str, int]:
        counts = {name: sum(cell is mark for cell in cells) for name, cells in self.grid.cells.items()}
        return {name: count for name, count in counts.items() if count}


def _slots(grid: Grid, node: ProcessNode) -> Iterator[_Slot]:
    """The inputs and parameters of a node, in the order of the command line."""
    params = grid.params_of(node)
    declared = {**node.in_paths, **node.algo_params, **node.perf_params}
    for name in dict.fromkeys([*declared, *params]):
        edge = grid.wiring.sources.get((node.name, name))
        needed = name in node.in_paths and name not in node.optional
        yield _Slot(name, declared.get(name, REQUIRED), params.get(name, ()), edge, needed)


def identity(node: ProcessNode, sources: Mapping[str, Source], root: str) -> dict[str, Any]:
    """What makes a job this job and no other; the README's "What makes a job" says it in words."""
    old_names = {new: old for old, new in node.renamed.items()}
    params: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    for name, source in sources.items():
        if name in node.perf_params or node.tags.get(name) == "volatile":
            continue
        known_as = old_names.get(name, name)
        if not isinstance(source, External):
            inputs[known_as] = _source_identity(source)
        elif source.value is None or (name in node.neutral and source.value == token(node.neutral[name])):
            continue
        elif name in node.in_paths:
            inputs[known_as] = _below(root, source.value)
        else:
            params[known_as] = source.value
    return {"node": node.name, "params": params, "inputs": inputs}


def _source_identity(source: Output | Branch | Group) -> dict[str, Any]:
    if isinstance(source, Output):
        return {"job": source.job.id, "port": source.port}
    if isinstance(source, Branch):
        return {"job": source.job.id, "branch": source.key}
    return {"gather": source.digest}


def _below(root: str, value: Token) -> Any:
    """A path below the root is told relative to it, so that moving the root keeps every id."""
    if isinstance(value, tuple):
        return [_below(root, item) for item in value]
    if value is None or not (value == root or value.startswith(root + os.sep)):
        return value
    return {"root": value[len(root) + 1 :]}
