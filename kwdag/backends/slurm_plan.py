"""Which jobs share a Slurm task, which tasks an array, and which arrays wait for which. Pure.

    jobs ──units──▶ chains that run one after the other ──layers──▶ equal options, equal depth
         ──chunks──▶ tasks of about a minute ──arrays──▶ one sbatch each

Units that wait for one task each come into an array that corresponds to theirs, task by task (aftercorr);
others wait for all the tasks they read from (afterany).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kwdag.plan import Group, Job

#: Seconds of work that a task should hold; and those below which starting one costs more than it brings.
AIM, WORTH = 60.0, 5.0
#: Tasks per CPU while nothing is known of the durations, so that unequal ones even out.
SPARE = 4
#: At most so many arrays for one layer only to let units wait for less.
SPLITS = 16
#: Waiting for more tasks than this is written as waiting for their arrays.
NAMED_TASKS = 40

Options = tuple[str, ...]
Task = tuple[int, int]  # (array, index)


@dataclass(frozen=True, slots=True)
class Array:
    """One sbatch to come.

    Attributes:
        options: words for sbatch, equal for all its tasks.
        nodes: names of the nodes whose jobs it runs.
        chunks: index of a task -> ids of its jobs, in the order they run.
        matches: arrays (by place) whose task of the same index each task waits for.
        after: tasks that all of its tasks wait for; index -1 stands for a whole array.
        elsewhere: tasks of other runs that they wait for, as Slurm names them.
    """

    options: Options
    nodes: tuple[str, ...]
    chunks: Mapping[int, tuple[str, ...]]
    matches: tuple[int, ...] = ()
    after: tuple[Task, ...] = ()
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sizes:
    """What decides how many jobs share a task.

    Attributes:
        pack: jobs per task, None to work it out.
        slots: options -> how many tasks with them fit the cluster at once.
        seconds: node -> how long its jobs took so far, where that is known.
        max_array_size: Slurm's: an index is smaller than this.
        max_tasks: how many tasks all arrays together should not exceed, where it is for us to say.
    """

    pack: int | None = None
    slots: Mapping[Options, int] | None = None
    seconds: Mapping[str, float] | None = None
    max_array_size: int = 1001
    max_tasks: int = 2000

    def slots_of(self, options: Options) -> int:
        return max(1, (self.slots or {}).get(options, 16))


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    """Jobs that run one after the other in one task, upstream first."""

    jobs: list[Job]
    options: Options


def plan_arrays(jobs: Sequence[Job], options: Mapping[str, Options], sizes: Sizes) -> list[Array]:
    """The arrays for these jobs (upstream first), each after those it waits for.

    Args:
        options: job id -> words for sbatch.
    """
    inside = set(jobs)
    graph = _Graph(jobs, inside)
    units = _units(jobs, graph, options, sizes)
    arrays: list[Array] = []
    place: dict[Job, Task] = {}
    for layer in _layers(units, graph):
        for array in _arrays_of(layer, graph, place, sizes, len(units), len(arrays)):
            for index, ids in array.chunks.items():
                place.update({graph.by_id[job_id]: (len(arrays), index) for job_id in ids})
            arrays.append(array)
    return arrays


class _Graph:
    """Who reads from whom, within the jobs at hand; a gathered group counts once for all its readers."""

    def __init__(self, jobs: Sequence[Job], inside: set[Job]):
        self.by_id = {job.id: job for job in jobs}
        self.direct = {job: [up for up in job.upstream if up in inside] for job in jobs}
        self.groups = {job: job.groups for job in jobs}
        self.members: dict[Group, list[Job]] = {}
        self.readers: dict[Job, int] = defaultdict(int)
        for job in jobs:
            for up in self.direct[job]:
                self.readers[up] += 1
            for group in self.groups[job]:
                if group not in self.members:
                    self.members[group] = list({m.job: None for m in group.members if m.job in inside})
                    for member in self.members[group]:
                        self.readers[member] += 2  # never the inner link of a chain

    def components(self) -> dict[Job, Job]:
        """job -> one job that stands for all it is connected with."""
        parent: dict[Job | Group, Job | Group] = {}

        def find(item: Job | Group) -> Job | Group:
            path: list[Job | Group] = [item]
            while (above := parent.setdefault(path[-1], path[-1])) is not path[-1]:
                path.append(above)
            parent.update(dict.fromkeys(path, path[-1]))
            return path[-1]

        for job, ups in self.direct.items():
            sources: list[Job | Group] = [*ups, *self.groups[job]]
            for other in sources:
                parent[find(other)] = find(job)
        for group, members in self.members.items():
            for member in members:
                parent[find(member)] = find(group)
        first: dict[Job | Group, Job] = {}
        return {job: first.setdefault(find(job), job) for job in self.direct}


def _units(jobs: Sequence[Job], graph: _Graph, options: Mapping[str, Options], sizes: Sizes) -> list[_Unit]:
    """Whole components where they are many or short, else chains."""
    whole: dict[Job, list[Job]] = defaultdict(list)
    for job, first in graph.components().items():
        whole[first].append(job)
    enough = 2 * max(sizes.slots_of(words) for words in set(options.values())) if options else 1
    units: list[_Unit] = []
    rest: set[Job] = set()
    for members in whole.values():
        kinds = {options[job.id] for job in members}
        fits = len(members) <= (sizes.pack or math.inf)
        if len(kinds) == 1 and fits and (len(whole) >= enough or _short(members, sizes)):
            units.append(_Unit(members, kinds.pop()))
        else:
            rest.update(members)
    units += _chains([job for job in jobs if job in rest], graph, options, sizes.pack or math.inf)
    return sorted(units, key=lambda unit: (unit.jobs[0].order, unit.jobs[0].id))


def _short(jobs: Iterable[Job], sizes: Sizes) -> bool:
    return (_expected(jobs, sizes) or math.inf) <= WORTH


def _expected(jobs: Iterable[Job], sizes: Sizes) -> float | None:
    """Seconds that the jobs will take together, None unless each node's are known."""
    known = sizes.seconds or {}
    total = 0.0
    for job in jobs:
        if job.node.name not in known:
            return None
        total += known[job.node.name]
    return total


def _chains(
    jobs: Sequence[Job], graph: _Graph, options: Mapping[str, Options], longest: float
) -> list[_Unit]:
    """Jobs that are each other's only reader and only source, with equal options."""
    unit_of: dict[Job, _Unit] = {}
    units: list[_Unit] = []
    for job in jobs:
        ups = graph.direct[job]
        up = ups[0] if len(ups) == 1 and not graph.groups[job] else None
        unit = unit_of[up] if up is not None and graph.readers[up] == 1 else None
        if unit is not None and unit.options == options[job.id] and len(unit.jobs) < longest:
            unit_of[job] = unit
            unit.jobs.append(job)
        else:
            unit_of[job] = _Unit([job], options[job.id])
            units.append(unit_of[job])
    return units


def _layers(units: Sequence[_Unit], graph: _Graph) -> list[list[_Unit]]:
    """Units of equal options and equal depth, shallow ones first."""
    unit_of = {job: unit for unit in units for job in unit.jobs}
    depth: dict[_Unit, int] = {}
    group_depth: dict[Group, int] = {}

    def of_group(group: Group) -> int:
        if group not in group_depth:
            group_depth[group] = max((depth[unit_of[job]] + 1 for job in graph.members[group]), default=0)
        return group_depth[group]

    # The jobs come upstream first, the units do not: a unit is placed when its first job is reached.
    for job in graph.direct:
        unit = unit_of[job]
        if unit.jobs[0] is job:
            above = [depth[unit_of[up]] + 1 for up in graph.direct[job]]
            depth[unit] = max([*above, *map(of_group, graph.groups[job])], default=0)
    layers: dict[tuple[int, Options], list[_Unit]] = defaultdict(list)
    for unit in units:
        layers[depth[unit], unit.options].append(unit)
    return [layers[key] for key in sorted(layers, key=lambda key: key[0])]


def _arrays_of(
    layer: Sequence[_Unit], graph: _Graph, place: Mapping[Job, Task], sizes: Sizes, total: int, first: int
) -> list[Array]:
    """The arrays of one layer."""
    sources = _Sources(graph, place)
    share = max(1, math.floor(sizes.max_tasks * len(layer) / max(1, total)))
    matching = _matching(layer, sources, sizes, share)
    if matching is not None:
        return matching
    by_source: dict[frozenset[Task], list[_Unit]] = defaultdict(list)
    for unit in layer:
        by_source[sources.of(unit.jobs[0])].append(unit)
    if len(by_source) > SPLITS:
        union = frozenset().union(*by_source)
        by_source = defaultdict(list, {union: list(layer)})
    arrays: list[Array] = []
    for after, units in by_source.items():
        chunks = _chunks(units, sizes, max(1, share * len(units) // len(layer)))
        for start in range(0, len(chunks), sizes.max_array_size):
            part = dict(enumerate(chunks[start : start + sizes.max_array_size]))
            arrays.append(_array(part, after=_named(after)))
    return arrays


class _Sources:
    """The tasks that a job waits for."""

    def __init__(self, graph: _Graph, place: Mapping[Job, Task]):
        self.graph = graph
        self.place = place
        self._of_group: dict[Group, frozenset[Task]] = {}

    def of(self, job: Job) -> frozenset[Task]:
        tasks = {self.place[up] for up in self.graph.direct[job]}
        return frozenset(tasks).union(*(self._group(group) for group in self.graph.groups[job]))

    def _group(self, group: Group) -> frozenset[Task]:
        if group not in self._of_group:
            self._of_group[group] = frozenset(self.place[member] for member in self.graph.members[group])
        return self._of_group[group]


def _named(after: frozenset[Task]) -> tuple[Task, ...]:
    if len(after) > NAMED_TASKS:
        after = frozenset((array, -1) for array, _ in after)
    return tuple(sorted(after))


def _matching(layer: Sequence[_Unit], sources: _Sources, sizes: Sizes, share: int) -> list[Array] | None:
    """Arrays whose tasks wait for the task of the same index; None where that cannot be."""
    by_task: dict[tuple[tuple[int, ...], int], list[_Unit]] = defaultdict(list)
    for unit in layer:
        tasks = sources.of(unit.jobs[0])
        indices = {index for _, index in tasks}
        if len(indices) != 1:
            return None
        by_task[tuple(sorted(array for array, _ in tasks)), indices.pop()].append(unit)
    pieces = {key: _chunks(units, sizes, max(1, share // len(by_task))) for key, units in by_task.items()}
    kinds = {matches for matches, _ in pieces}
    most = max(map(len, pieces.values()))
    if most * len(kinds) > SPLITS + len(kinds) - 1:
        return None
    arrays = []
    for matches in sorted(kinds):
        for turn in range(most):
            chunks = {
                index: parts[turn]
                for (kind, index), parts in pieces.items()
                if kind == matches and turn < len(parts)
            }
            if chunks:
                arrays.append(_array(chunks, matches=matches))
    return arrays


def _array(
    chunks: Mapping[int, list[_Unit]], matches: tuple[int, ...] = (), after: tuple[Task, ...] = ()
) -> Array:
    units = [unit for chunk in chunks.values() for unit in chunk]
    nodes = dict.fromkeys(job.node.name for unit in units for job in unit.jobs)
    ids = {
        index: tuple(job.id for unit in chunk for job in unit.jobs) for index, chunk in sorted(chunks.items())
    }
    return Array(units[0].options, tuple(nodes), ids, matches, after)


def _chunks(units: Sequence[_Unit], sizes: Sizes, most: int) -> list[list[_Unit]]:
    """Split units among tasks, neighbours together; at most ``most`` tasks where it is for us to say."""
    count = _how_many(units, sizes, most)
    weights = [_expected(unit.jobs, sizes) for unit in units]
    known = [weight or 1e-9 for weight in weights] if None not in weights and sizes.pack is None else None
    cost = known or [float(len(unit.jobs)) for unit in units]
    total = sum(cost)
    chunks: list[list[_Unit]] = [[] for _ in range(count)]
    before = 0.0
    for unit, weight in zip(units, cost, strict=True):
        # The middle of a unit decides where it belongs.
        chunks[min(count - 1, int((before + weight / 2) / total * count))].append(unit)
        before += weight
    return [chunk for chunk in chunks if chunk]


def _how_many(units: Sequence[_Unit], sizes: Sizes, most: int) -> int:
    if sizes.pack is not None:
        return math.ceil(sum(len(unit.jobs) for unit in units) / sizes.pack)
    slots = sizes.slots_of(units[0].options)
    seconds = _expected((job for unit in units for job in unit.jobs), sizes)
    if seconds is None:
        wanted = SPARE * slots
    else:
        wanted = max(math.ceil(seconds / AIM), min(slots, math.ceil(seconds / WORTH)))
    return max(1, min(len(units), wanted, max(most, slots)))
