"""What the jobs below a root recorded of themselves: state, reason, status and parameters. Reads only.

Only kwdag's own bookkeeping, whatever pipeline the jobs belong to; results are results.py's business.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kwdag import inventory, jobdir

DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Record:
    """A job directory.

    Attributes:
        root: where it lies, two folders up.
        state: as `kwdag status` tells it, or `damaged` where that cannot be read.
        status: what the job recorded at its end, empty when it came to none.
        config: dotted parameters of the job and its ancestors.
    """

    root: str
    node: str
    job_id: str
    dpath: str
    state: str
    reason: str | None
    status: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def upstream(self) -> tuple[str, ...]:
        """The ids of the jobs that it read from."""
        found = self.status.get("upstream")
        return tuple(found) if isinstance(found, dict) else ()


def below(root: str | os.PathLike[str]) -> list[Record]:
    """All jobs below a root, those of upstream nodes first, in the order of their ids."""
    order = {node: place for place, node in enumerate(_nodes(root))}
    found = read(jobdir.iter_jobs(root))
    return sorted(found, key=lambda record: order.get(record.node, len(order)))


def _nodes(root: str | os.PathLike[str]) -> list[str]:
    """The nodes of the pipeline that ran last, upstream first; empty where that is not recorded."""
    try:
        found = (jobdir.read_pipeline_record(root) or {}).get("nodes")
    except jobdir.DamagedFile:
        return []
    return list(map(str, found)) if isinstance(found, list) else []


def read(jobs: Iterable[tuple[str, str, str]]) -> list[Record]:
    """The records of jobs, given as (node, job id, path)."""
    return [_read(*job) for job in jobs]


def _read(node: str, job_id: str, dpath: str) -> Record:
    root = os.path.dirname(os.path.dirname(dpath))
    try:
        status = jobdir.read_status(dpath)
        state, reason = _state(node, job_id, dpath, status)
        config = _config(dpath)
    except (jobdir.DamagedFile, OSError, RecursionError) as error:
        reason = getattr(error, "message", None) or str(error)
        return Record(root, node, job_id, dpath, DAMAGED, reason, {}, {})
    return Record(root, node, job_id, dpath, state, reason, status or {}, config)


def _state(node: str, job_id: str, dpath: str, status: Mapping[str, Any] | None) -> tuple[str, str | None]:
    if status is None:
        found = inventory.look(node, job_id, dpath)
        return found.state, found.reason
    reason = status.get("reason")
    if status["state"] != "finished":
        return str(status["state"]), None if reason is None else str(reason)
    # a job that was run by hand records its exit code and leaves the judgement to its readers
    return ("done", None) if status.get("exit_code") == 0 else ("failed", str(reason))


def _config(dpath: str) -> dict[str, Any]:
    """The parameters; a job that was never laid out has none."""
    return jobdir.read_config(dpath) if os.path.exists(f"{dpath}/{jobdir.CONFIG}") else {}
