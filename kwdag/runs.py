"""A run that outlives the process that started it: its jobs as files below `_kwdag/runs/<run id>/`.

    run.json      what was asked for, and the nodes as data
    round-1/      the jobs known at first; a round more each time that scattering jobs open branches
        jobs.json     the graph
        tasks.jsonl   one task a line, as worker.py runs it
    journal/      what happened, a file for each writer

Written once and then only read, but for the journal.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from kwdag import jobdir
from kwdag.node import ProcessNode
from kwdag.plan import Branch, Group, Job, Output
from kwdag.tasks import Task

RUNS = "runs"
_NOBODY = ProcessNode(name="nobody", executable=":")


@dataclass(frozen=True, slots=True)
class RunFile:
    """One run as it lies on the disk.

    Attributes:
        dpath: its folder.
        meta: the content of `run.json`.
    """

    dpath: str
    meta: Mapping[str, Any]

    @property
    def root(self) -> str:
        """The root that the run belongs to, wherever it was moved."""
        return os.path.dirname(os.path.dirname(os.path.dirname(self.dpath)))

    @property
    def journal(self) -> str:
        return f"{self.dpath}/journal"

    def round_dpath(self, number: int) -> str:
        return f"{self.dpath}/round-{number}"

    def rounds(self) -> int:
        """How many rounds have been planned; a round counts when its graph is whole."""
        number = 0
        while os.path.exists(f"{self.round_dpath(number + 1)}/jobs.json"):
            number += 1
        return number

    def nodes(self) -> dict[str, ProcessNode]:
        """The nodes as data; hooks of a user's class are not among them (see ``hooks``)."""
        return {name: ProcessNode(name=name, **spec) for name, spec in self.meta["nodes"].items()}

    def hooks(self, nodes: Mapping[str, ProcessNode]) -> dict[str, ProcessNode]:
        """The nodes with the hooks of the user's classes; imports the pipeline only where there are any."""
        if not self.meta["custom"]:
            return dict(nodes)
        from kwdag.pipeline_ref import load_recorded

        return dict(load_recorded(self.meta).nodes)


@dataclass(slots=True)
class Round:
    """The jobs of one round, as whoever runs them needs them."""

    dpath: str
    jobs: list[Job]
    attempts: dict[str, int]
    absent: frozenset[str] = frozenset()
    offsets: dict[str, int] = field(default_factory=dict)

    def task(self, job: Job) -> Task:
        """Read the task of a job."""
        with open(f"{self.dpath}/tasks.jsonl", "rb") as file:
            file.seek(self.offsets[job.id])
            data = json.loads(file.readline())
        upstream = tuple((node, job_id) for node, job_id in data["upstream"])
        argv = None if data["argv"] is None else tuple(data["argv"])
        return Task(**{**data, "inputs": tuple(data["inputs"]), "upstream": upstream, "argv": argv})


def create(root: str, meta: Mapping[str, Any], nodes: Iterable[ProcessNode]) -> RunFile:
    """Write down a new run; raises jobdir.WriteError."""
    from kwdag import yaml_pipeline  # half of what a worker would import to start

    run_id = f"{stamp()}-{os.getpid():x}-{time.time_ns() % 0xFFFF:04x}"
    dpath = f"{root}/{jobdir.RUN_DPATH}/{RUNS}/{run_id}"
    jobdir.make_dir(f"{dpath}/journal")
    nodes = list(nodes)
    content = {
        "schema": jobdir.SCHEMA,
        **meta,
        "nodes": {node.name: yaml_pipeline.node_fields(node) for node in nodes},
        "custom": [node.name for node in nodes if node.has_hooks],
    }
    jobdir.write_replacing(f"{dpath}/run.json", jobdir.as_json(content, indent=1))
    return RunFile(dpath, content)


def stamp() -> str:
    """This moment as the ids of runs begin: in their order, runs were started."""
    return time.strftime("%Y%m%dT%H%M%S")


def load(dpath: str) -> RunFile:
    """Read a run; raises DamagedFile when it is not whole."""
    meta = jobdir.read_json(f"{dpath}/run.json")
    if not isinstance(meta, dict):
        raise jobdir.DamagedFile("is missing or damaged", where=f"{dpath}/run.json")
    return RunFile(os.path.abspath(dpath), meta)


def latest(root: str) -> RunFile | None:
    """The run below a root that was started last, None without one."""
    for dpath in reversed(folders(root)):
        if os.path.exists(f"{dpath}/run.json"):
            return load(dpath)
    return None


def folders(root: str) -> list[str]:
    """The folders of all runs below a root, in the order in which they were started."""
    folder = f"{root}/{jobdir.RUN_DPATH}/{RUNS}"
    return [f"{folder}/{name}" for name in (sorted(os.listdir(folder)) if os.path.isdir(folder) else [])]


def write_round(
    run: RunFile,
    number: int,
    jobs: Iterable[Job],
    attempts: Mapping[str, int],
    tasks: Iterable[Task],
    absent: frozenset[str] = frozenset(),
    places: Mapping[str, int] | None = None,
) -> None:
    """Write the graph and the tasks of a round; the graph comes last and makes the round count.

    Args:
        absent: ids of other jobs that have no result and will get none: partial gathers go without them.
        places: job id -> when it is its turn among the ready jobs, where that is not the order of the rows.
    """
    dpath = run.round_dpath(number)
    jobdir.make_dir(dpath)
    try:
        offsets = _write_tasks(f"{dpath}/tasks.jsonl", tasks)
    except OSError as error:
        raise jobdir.writing(dpath, error) from None
    content = graph(list(jobs), attempts, offsets, absent, places)
    jobdir.write_replacing(f"{dpath}/jobs.json", json.dumps(content, separators=(",", ":")))


def _write_tasks(path: str, tasks: Iterable[Task]) -> list[int]:
    """Write a task a line; where each line begins."""
    names = [one.name for one in fields(Task)]
    offsets: list[int] = []
    with open(path, "wb") as file:
        for task in tasks:
            offsets.append(file.tell())
            # In ASCII: bytes that are no UTF-8, in a value or a path, are escapes that come back as such.
            file.write(json.dumps({name: getattr(task, name) for name in names}).encode() + b"\n")
    return offsets


def graph(
    jobs: Sequence[Job],
    attempts: Mapping[str, int],
    offsets: Sequence[int],
    absent: frozenset[str],
    places: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The graph of a round as JSON (see ``write_round``); jobs are told by their places in the list."""
    place = {job: index for index, job in enumerate(jobs)}
    groups: dict[Group, int] = {}
    for job in jobs:
        for group in job.groups:
            groups.setdefault(group, len(groups))
    return {
        "groups": [_group(group, place, absent) for group in groups],
        "jobs": [
            [
                job.id,
                job.node.name,
                [places[job.id], 0] if places else list(job.order),
                [place[up] for up in job.upstream if up in place],
                [groups[group] for group in job.groups],
                attempts.get(job.id, 0),
                offset,
            ]
            for job, offset in zip(jobs, offsets, strict=True)
        ],
    }


def _group(group: Group, place: Mapping[Job, int], absent: frozenset[str]) -> dict[str, Any]:
    inside = [place[member.job] for member in group.members if member.job in place]
    gone = [member.job.id for member in group.members if member.job.id in absent]
    return {"inside": inside, "absent": gone, "done": len(group.members) - len(inside) - len(gone)}


def load_round(run: RunFile, number: int, nodes: Mapping[str, ProcessNode]) -> Round:
    """Read a round back as jobs that know what they wait for, and no more."""
    dpath = run.round_dpath(number)
    content = jobdir.read_json(f"{dpath}/jobs.json")
    jobs: list[Job] = []
    groups: dict[int, Group] = {}
    found = Round(dpath, jobs, {}, frozenset(name for group in content["groups"] for name in group["absent"]))
    for job_id, node, order, upstream, places, attempt, offset in content["jobs"]:
        sources: dict[str, Any] = {f"up{i}": Branch(jobs[i], "") for i in upstream}
        for i in places:
            if i not in groups:
                groups[i] = _load_group(content["groups"][i], jobs, str(i))
            sources[f"group{i}"] = groups[i]
        jobs.append(Job(job_id, "", nodes[node], {}, sources, (order[0], order[1])))
        found.attempts[job_id] = attempt
        found.offsets[job_id] = offset
    return found


def _load_group(data: Mapping[str, Any], jobs: list[Job], name: str) -> Group:
    outside = [_stand_in(job_id) for job_id in data["absent"]] + [_stand_in("done")] * data["done"]
    return Group(tuple(Output(job, "") for job in [*(jobs[i] for i in data["inside"]), *outside]), name)


def _stand_in(job_id: str) -> Job:
    """A member of a group that is no job of this run: done before, or without a result for good."""
    return Job(job_id, "", _NOBODY, {}, {}, (0, 0))
