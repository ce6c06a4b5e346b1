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
    root = checked_root(root)
    found = [look(*job) for job in jobdir.iter_jobs(root)]
    if not found:
        raise RootError("no jobs below it", where=root, hint="kwdag schedule --run=1 makes some")
    order = {name: place for place, name in enumerate(_node_order(root))}
    return sorted(found, key=lambda entry: order.get(entry.node, len(order)))


def checked_root(root: str) -> str:
    """The absolute path of a root; raises RootError when there is no such folder."""
    if os.path.isfile(root):
        raise RootError("this is a file, not the root folder of a run", where=root)
    if not os.path.isdir(root):
        raise RootError("no such folder", where=root, hint=neighbour(Path(root)))
    return os.path.abspath(root)


def _node_order(root: str) -> list[str]:
    try:
        return list((jobdir.read_pipeline_record(root) or {}).get("nodes", ()))
    except jobdir.DamagedFile:
        return []


def look(node: str, job_id: str, dpath: str) -> Entry:
    """The state of one job as its directory has it; that need not exist."""
    try:
        status = jobdir.read_status(dpath)
    except jobdir.DamagedFile as error:
        return Entry(node, job_id, dpath, "interrupted", error.message)
    if status is None:
        found = _unfinished(node, job_id, dpath)
        # Its holder may have written the status and let go between the two looks.
        written = found.state == "interrupted" and os.path.exists(f"{dpath}/{jobdir.STATUS}")
        return look(node, job_id, dpath) if written else found
    state = "done" if status["state"] == "finished" else status["state"]
    return Entry(node, job_id, dpath, state, status.get("reason"))


def _unfinished(node: str, job_id: str, dpath: str) -> Entry:
    if is_running(dpath):
        return Entry(node, job_id, dpath, "running", None)
    if os.path.isdir(dpath) and claims.latest_attempt(dpath):
        return Entry(node, job_id, dpath, "interrupted", "an earlier run of it was cut off")
    return Entry(node, job_id, dpath, "pending", None)


def is_running(dpath: str) -> bool:
    """Whether somebody runs a job, here or, as far as is known, on another host."""
    attempt = claims.latest_attempt(dpath) if os.path.isdir(dpath) else 0
    return claims.is_held(dpath) or bool(attempt and claims.held_abroad(dpath, attempt))


def held_by(dpath: str) -> str:
    """Who claimed a job last, in words."""
    found = claims.holder(dpath)
    host = str(found.get("host") or "a host that is not known").partition("/")[0]
    return f"process {found['pid']} on {host}" if "pid" in found else host


def counts(entries: list[Entry]) -> dict[str, Counter[str]]:
    """node -> state -> number of jobs."""
    found: dict[str, Counter[str]] = {}
    for entry in entries:
        found.setdefault(entry.node, Counter())[entry.state] += 1
    return found
