"""Jobs that the newest run asked for and that have no directory yet: they wait, or something blocks them.

Reads the record of the run; jobs with a directory speak for themselves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kwdag import asked, inventory, jobdir, runs
from kwdag.asked import Asked
from kwdag.runs import RunFile


class Unstarted(NamedTuple):
    """A job without a directory; ``config`` holds its dotted parameters and those of its ancestors."""

    node: str
    job_id: str
    state: str
    reason: str
    config: Mapping[str, Any]


def find(root: str, nodes: Collection[str], present: Collection[str]) -> list[Unstarted]:
    """The jobs of some nodes that the newest run asked for and did not come to.

    Args:
        present: the ids of the jobs that have a directory.

    Raises:
        DamagedFile: the record of the run cannot be read.
    """
    found: dict[str, Unstarted] = {}
    try:
        for jobs in _rounds(root, asked.read(root), runs.latest(root), present, nodes):
            found |= {job.job_id: job for job in jobs}
    except (OSError, LookupError, TypeError, ValueError, AttributeError):
        where = f"{root}/{jobdir.RUN_DPATH}"
        raise jobdir.DamagedFile("the record of the newest run is damaged", where=where) from None
    return list(found.values())


def _rounds(
    root: str, last: Asked | None, run: RunFile | None, present: Collection[str], nodes: Collection[str]
) -> Iterator[list[Unstarted]]:
    """The jobs of each round, of whichever of the two records is newer."""
    if run is not None and (last is None or last.since < os.path.basename(run.dpath)):
        yield from _rounds_of(run, present, nodes)
    elif last is not None:
        before = 0
        for one in last.rounds:
            graph = _Graph(root, one["jobs"], one["groups"], set(one["partial"]), present)
            yield [graph.unstarted(place, last.config(before + place)) for place in graph.missing(nodes)]
            before += len(graph.jobs)


def _rounds_of(run: RunFile, present: Collection[str], nodes: Collection[str]) -> Iterator[list[Unstarted]]:
    partial = {name for name, spec in run.meta["nodes"].items() if spec.get("partial_gather")}
    for number in range(1, run.rounds() + 1):
        dpath = run.round_dpath(number)
        content = jobdir.read_json(f"{dpath}/jobs.json")
        graph = _Graph(run.root, content["jobs"], content["groups"], partial, present)
        with open(f"{dpath}/tasks.jsonl", "rb") as tasks:
            yield [
                graph.unstarted(place, _config(tasks, content["jobs"][place]))
                for place in graph.missing(nodes)
            ]


def _config(tasks: Any, job: list[Any]) -> dict[str, Any]:
    """The config of a job, whose task begins at the last of its entries."""
    tasks.seek(job[-1])
    config: dict[str, Any] = json.loads(tasks.readline())["config"]
    return config


@dataclass(slots=True)
class _Graph:
    """The jobs of a round as runs.py writes them; they are told by their places in the list.

    Attributes:
        partial: nodes that go on without gather members that failed.
    """

    root: str
    jobs: list[Any]
    groups: list[Any]
    partial: Collection[str]
    present: Collection[str]
    _problems: dict[int, str | None] = field(default_factory=dict)

    def missing(self, nodes: Collection[str]) -> list[int]:
        return [n for n, job in enumerate(self.jobs) if job[1] in nodes and job[0] not in self.present]

    def unstarted(self, place: int, config: Mapping[str, Any]) -> Unstarted:
        job_id, node, *_ = self.jobs[place]
        problem = self.problem(place)
        state, reason = ("blocked", problem) if problem else ("pending", "not run yet")
        return Unstarted(node, job_id, state, reason, config)

    def problem(self, place: int) -> str | None:
        """`<job> failed`, of the job for whose sake this one gives no result; None where it has or waits."""
        if place not in self._problems:
            self._problems[place] = self._look(place)
        return self._problems[place]

    def _look(self, place: int) -> str | None:
        job_id, node, _, upstream, groups, *_ = self.jobs[place]
        if job_id in self.present:
            state = inventory.look(node, job_id, f"{self.root}/{node}/{job_id}").state
            return f"{job_id} failed" if state == "failed" else None
        problems = [*map(self.problem, upstream)]
        problems += [self._problem_of_group(self.groups[group], node in self.partial) for group in groups]
        return next(filter(None, problems), None)

    def _problem_of_group(self, group: Mapping[str, Any], partial: bool) -> str | None:
        problems = [f"{job_id} failed" for job_id in group["absent"]]
        problems += filter(None, map(self.problem, group["inside"]))
        n_lost, n_members = len(problems), len(group["absent"]) + len(group["inside"]) + group["done"]
        return problems[0] if problems and (n_lost == n_members or not partial) else None
