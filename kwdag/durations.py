"""How long jobs took before, and what that says of the order in which to run others.

Reads status files of done jobs; which job runs when is the backends' business.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from kwdag import jobdir
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


def _some_jobs(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [f"{folder}/{name}" for name in names[:: max(1, len(names) // SAMPLE)]]


def _wall(dpath: str) -> float | None:
    try:
        status = jobdir.read_status(dpath)
    except (jobdir.DamagedFile, OSError):
        return None
    return status.get("wall") if status and status["state"] == "done" else None


def longest_path_first(jobs: Sequence[Job], seconds: Mapping[str, float]) -> dict[str, int]:
    """Job id -> its place when the job with the longest path to an end goes first, else the first row.

    List scheduling by longest remaining path (Hu 1961; Graham 1966 bounds it by twice the optimum).

    Args:
        jobs: upstream first.
        seconds: node -> duration of one of its jobs; a node that is not in it takes none.
    """
    left = {job.id: seconds.get(job.node.name, 0.0) for job in jobs}
    behind = dict.fromkeys(left, 0.0)
    for job in reversed(jobs):
        path = left[job.id] + behind[job.id]
        for up in job.predecessors():
            if up.id in behind:
                behind[up.id] = max(behind[up.id], path)
    order = sorted(jobs, key=lambda job: (-left[job.id] - behind[job.id], job.order))
    return {job.id: place for place, job in enumerate(order)}
