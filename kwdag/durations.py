"""How long jobs took before and how much memory, and what that says of the order in which to run others.

Reads status files of done jobs; which job runs when is the backends' business.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kwdag import jobdir
from kwdag.again import Took
from kwdag.plan import Job

#: So many done jobs of a node are read, spread evenly: a mean needs no more.
SAMPLE = 50


def known_seconds(root: str, nodes: Iterable[str]) -> dict[str, float]:
    """node -> mean duration of the jobs of it that are done below a root."""
    found = {}
    for node in nodes:
        walls = [wall for wall in map(_wall, _some_jobs(f"{root}/{node}")) if wall is not None]
        if walls:
            found[node] = sum(walls) / len(walls)
    return found


def most_taken(root: str, node: str) -> Took:
    """The most time and memory that done jobs of a node below a root took."""
    done = [status for status in map(_status, _some_jobs(f"{root}/{node}")) if status]
    return Took(
        seconds=max((status.get("wall") or 0.0 for status in done), default=0.0),
        memory=max((status.get("max_rss") or 0 for status in done), default=0),
    )


def _some_jobs(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [f"{folder}/{name}" for name in names[:: max(1, len(names) // SAMPLE)]]


def _wall(dpath: str) -> float | None:
    return (_status(dpath) or {}).get("wall")


def _status(dpath: str) -> dict[str, Any] | None:
    """The status of a done job; None of any other."""
    try:
        status = jobdir.read_status(dpath)
    except (jobdir.DamagedFile, OSError):
        return None
    return status if status and status["state"] == "done" else None


def known_durations(root: str, jobs: Iterable[Job], attempts: Mapping[str, int]) -> dict[str, float]:
    """job id -> how long it took when it was done before, else the mean of its node, where that is known.

    Args:
        attempts: job id -> its latest attempt, 0 for a job that has never run.
    """
    jobs = list(jobs)
    of_node = known_seconds(root, {job.node.name for job in jobs})
    found: dict[str, float] = {}
    for job in jobs:
        own = _wall(f"{root}/{job.node.name}/{job.id}") if attempts.get(job.id) else None
        expected = of_node.get(job.node.name) if own is None else own
        if expected is not None:
            found[job.id] = expected
    return found


def longest_path_first(jobs: Sequence[Job], seconds: Mapping[str, float]) -> dict[str, int]:
    """Job id -> its place when the job with the longest path to an end goes first, else the first row.

    List scheduling by longest remaining path (Hu 1961; Graham 1966 bounds it by twice the optimum).

    Args:
        jobs: upstream first.
        seconds: job id -> its duration; a job that is not in it takes none.
    """
    left = {job.id: seconds.get(job.id, 0.0) for job in jobs}
    behind = dict.fromkeys(left, 0.0)
    for job in reversed(jobs):
        path = left[job.id] + behind[job.id]
        for up in job.predecessors():
            if up.id in behind:
                behind[up.id] = max(behind[up.id], path)
    order = sorted(jobs, key=lambda job: (-left[job.id] - behind[job.id], job.order))
    return {job.id: place for place, job in enumerate(order)}
