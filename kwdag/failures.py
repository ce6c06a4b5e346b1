"""The failed jobs below some roots, those that failed alike together, and what each such group goes with.

Reads status files, parameters and the ends of logs; how a failure is told is symptoms.py's business.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kwdag import jobdir, records, runs
from kwdag.culprits import Culprit, Suspects
from kwdag.inventory import checked_root
from kwdag.records import Record
from kwdag.symptoms import LINES, symptom

#: A job by its root and id.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs that failed alike.

    Attributes:
        symptom: what they have in common, with masks such as `<n>` where they differ.
        jobs: the jobs, in the order of nodes and ids.
        nodes: node -> how many of the jobs are its.
        ended: how many jobs of these nodes are done or failed.
        waiting: jobs of the newest runs that cannot run because one of these failed.
        culprit: the parameter value that they go with, None where that could be chance.
    """

    symptom: str
    jobs: tuple[Record, ...]
    nodes: Mapping[str, int]
    ended: int
    waiting: int
    culprit: Culprit | None


@dataclass(frozen=True, slots=True)
class Failures:
    """All that failed.

    Attributes:
        roots: where was looked.
        jobs: how many job directories there are.
        groups: the largest first.
        waiting: jobs that wait for any failed one, each counted once.
    """

    roots: tuple[str, ...]
    jobs: int
    groups: tuple[Group, ...]
    waiting: int

    @property
    def failed(self) -> int:
        return sum(len(group.jobs) for group in self.groups)


def find_failures(roots: Iterable[str | os.PathLike[str]]) -> Failures:
    """The failed jobs of all nodes, in groups. Raises RootError for a root that does not exist."""
    found_roots = tuple(dict.fromkeys(checked_root(os.fspath(root)) for root in roots))
    found = [record for root in found_roots for record in records.below(root)]
    groups = _alike([record for record in found if record.state == "failed"])
    number = {(one.root, one.job_id): i for i, (_, jobs) in enumerate(groups) for one in jobs}
    waiting = _waiting(found_roots, found, number)
    compared = _Compared(found)
    return Failures(
        found_roots,
        len(found),
        tuple(
            _group(text, jobs, compared, sum(i in causes for causes in waiting))
            for i, (text, jobs) in enumerate(groups)
        ),
        len(waiting),
    )


def log_path(record: Record) -> str:
    return f"{record.dpath}/{jobdir.LOG}"


def _alike(failed: Iterable[Record]) -> list[tuple[str, list[Record]]]:
    """(symptom, jobs), the largest group first."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in failed:
        text, by_log = symptom(record.status, jobdir.tail(log_path(record), LINES), record.config)
        # An exit code alone says too little to put two programs together.
        groups.setdefault((text, "" if by_log else record.node), []).append(record)
    found = [(text, jobs) for (text, _), jobs in groups.items()]
    return sorted(found, key=lambda group: (-len(group[1]), group[0]))


def _group(text: str, jobs: Sequence[Record], compared: _Compared, waiting: int) -> Group:
    nodes = Counter(job.node for job in jobs)
    ended, culprit = compared.culprit(frozenset(nodes), jobs)
    return Group(text, tuple(jobs), dict(nodes), ended, waiting, culprit)


class _Compared:
    """The jobs that ended, by node: failed ones are compared with all that had the chance to fail."""

    def __init__(self, found: Sequence[Record]):
        self._ended = [record for record in found if record.state in ("done", "failed")]
        self._suspects: dict[frozenset[str], tuple[dict[Key, int], Suspects]] = {}

    def culprit(self, nodes: frozenset[str], jobs: Sequence[Record]) -> tuple[int, Culprit | None]:
        """How many jobs of the nodes ended, and what the given ones of them go with."""
        if nodes not in self._suspects:
            ended = [record for record in self._ended if record.node in nodes]
            places = {(one.root, one.job_id): i for i, one in enumerate(ended)}
            self._suspects[nodes] = places, Suspects([one.config for one in ended])
        places, suspects = self._suspects[nodes]
        return len(places), suspects.culprit(places[job.root, job.job_id] for job in jobs)


def _waiting(
    roots: Iterable[str], found: Sequence[Record], failed: Mapping[Key, int]
) -> list[frozenset[int]]:
    """For each job of the newest runs that waits for failed ones, the groups of these."""
    ended = {(one.root, one.job_id) for one in found if one.state in ("done", "failed", "running")}
    waiting = []
    for root in roots:
        behind: dict[str, frozenset[int]] = {}
        for job_id, upstream in _graph(root):
            causes = frozenset().union(*(behind.get(up, frozenset()) for up in upstream))
            if (root, job_id) in failed:
                causes = frozenset([failed[root, job_id]])
            elif (root, job_id) in ended:
                causes = frozenset()
            elif causes:
                waiting.append(causes)
            behind[job_id] = causes
    return waiting


def _graph(root: str) -> list[tuple[str, list[str]]]:
    """(job id, ids that it waits for) of the newest run, upstream first; empty where none is recorded."""
    try:
        run = runs.latest(root)
        if run is None:
            return []
        partial = {name for name, spec in run.meta["nodes"].items() if spec.get("partial_gather")}
        rounds = [jobdir.read_json(f"{run.round_dpath(i + 1)}/jobs.json") for i in range(run.rounds())]
        return [pair for content in rounds for pair in _edges(content, partial)]
    except (jobdir.DamagedFile, OSError, LookupError, TypeError, ValueError, AttributeError):
        return []  # how many wait is then not known; the failures are told all the same


def _edges(content: Mapping[str, Any], partial: Collection[str]) -> list[tuple[str, list[str]]]:
    """The graph of one round; a partial gather goes on without some of its members and waits for none."""
    ids = [job[0] for job in content["jobs"]]
    members = [group["inside"] for group in content["groups"]]
    return [
        (job_id, [ids[i] for i in (*up, *(i for g in groups if node not in partial for i in members[g]))])
        for job_id, node, _, up, groups, *_ in content["jobs"]
    ]
