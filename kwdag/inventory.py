"""What lies below a root, whatever plan it came from: every job directory and its state. Reads only.

States here are as recorded; staleness needs a plan (state.py).
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass

from kwdag import claims, jobdir
from kwdag.errors import RootError, did_you_mean


@dataclass(frozen=True, slots=True)
class Entry:
    """One job directory."""

    node: str
    job_id: str
    dpath: str
    state: str
    reason: str | None


def take(root: str) -> list[Entry]:
    """Every job below a root; raises RootError when there is no such root or no job in it."""
    if not os.path.isdir(root):
        folder = os.path.dirname(os.path.abspath(root))
        beside = os.listdir(folder) if os.path.isdir(folder) else []
        raise RootError(f"no such folder {root!r}", hint=did_you_mean(os.path.basename(root), beside))
    found = [_entry(*job) for job in jobdir.iter_jobs(os.path.abspath(root))]
    if not found:
        raise RootError(f"no jobs below {root!r}", hint="kwdag schedule --run=1 makes some")
    return found


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
