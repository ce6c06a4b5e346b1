"""What lies below a root, whatever plan it came from: every job directory and its state. Reads only.

States here are as recorded; staleness needs a plan (state.py).
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from kwdag import claims, jobdir
from kwdag.errors import RootError
from kwdag.sources import neighbour


@dataclass(frozen=True, slots=True)
class Entry:
    """One job directory."""

    node: str
    job_id: str
    dpath: str
    state: str
    reason: str | None


def take(root: str) -> list[Entry]:
    """Every job below a root, upstream nodes first; raises RootError when there is no such root or no job."""
    if os.path.isfile(root):
        raise RootError("this is a file, not the root folder of a run", where=root)
    if not os.path.isdir(root):
        raise RootError("no such folder", where=root, hint=neighbour(Path(root)))
    root = os.path.abspath(root)
    found = [_entry(*job) for job in jobdir.iter_jobs(root)]
    if not found:
        raise RootError("no jobs below it", where=root, hint="kwdag schedule --run=1 makes some")
    order = {name: place for place, name in enumerate(_node_order(root))}
    return sorted(found, key=lambda entry: order.get(entry.node, len(order)))


def _node_order(root: str) -> list[str]:
    try:
        return list((jobdir.read_pipeline_record(root) or {}).get("nodes", ()))
    except jobdir.DamagedFile:
        return []


def _entry(node: str, job_id: str, dpath: str) -> Entry:
    try:
        status = jobdir.read_status(dpath)
    except jobdir.DamagedFile as error:
        return Entry(node, job_id, dpath, "interrupted", error.message)
    if status is None:
        if claims.is_held(dpath):
            return Entry(node, job_id, dpath, "running", None)
        if claims.latest_attempt(dpath):
            return Entry(node, job_id, dpath, "interrupted", "an earlier run of it was cut off")
        return Entry(node, job_id, dpath, "pending", None)
    state = "done" if status["state"] == "finished" else status["state"]
    return Entry(node, job_id, dpath, state, status.get("reason"))


def counts(entries: list[Entry]) -> dict[str, Counter[str]]:
    """node -> state -> number of jobs."""
    found: dict[str, Counter[str]] = {}
    for entry in entries:
        found.setdefault(entry.node, Counter())[entry.state] += 1
    return found
