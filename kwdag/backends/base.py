"""What all backends share: the order in which jobs become ready, and what they report.

Pure bookkeeping; processes and files are the business of the backends and of worker.py.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from kwdag.journal import Event
from kwdag.plan import Group, Job, Plan
from kwdag.worker import Worker


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended in this run."""

    job: Job
    state: str  # "done", "failed" or "blocked"
    reason: str | None
    status: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What a backend is asked to do.

    Attributes:
        jobs: to run, upstream first.
        attempts: the latest attempt of each job when it was chosen, by id.
        absent: ids of jobs that have no result and will get none in this run.
        request: as plain data, what other processes need to plan further rounds of this run.
    """

    plan: Plan
    jobs: tuple[Job, ...]
    attempts: Mapping[str, int]
    absent: frozenset[str] = frozenset()
    request: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a backend may be told by its user.

    Attributes:
        worker: runs jobs in this process; its settings hold for other processes too.
        max_failures: stop after that many failed jobs, over all rounds; 0 goes on to the end.
        workers: number of jobs at once, where the backend has such a number.
        devices: GPUs to share out: `auto`, or indices such as `0,1`.
        other_sessions: what to do about leftover sessions: `ask`, `kill`, `ignore` or `auto`.
        slurm_options: for sbatch, for all jobs. slurm_pack: jobs per array task.
        follow: False returns, with nothing ended, as soon as other processes have the run.
    """

    worker: Worker
    queue_name: str = "kwdag"
    max_failures: int = 0
    workers: int = 8
    devices: Any = None
    other_sessions: str = "ask"
    slurm_options: Mapping[str, Any] = field(default_factory=dict)
    slurm_pack: int | None = None
    follow: bool = True

    def settings(self) -> dict[str, Any]:
        """As plain data, what processes that run jobs elsewhere must know."""
        worker = self.worker
        return {
            "backend": worker.backend,
            "git": worker.git,
            "log": worker.log,
            "links": worker.links,
            "retries": worker.retries,
            "resource_retries": worker.resource_retries,
            "max_failures": self.max_failures,
            "devices": self.devices,
            "queue_name": self.queue_name,
        }


def worker_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What ``Setup.settings`` says of the worker, as arguments for one in another process."""
    names = ("backend", "git", "log", "links", "retries", "resource_retries")
    return {key: settings[key] for key in names if key in settings}


class Reporter(Protocol):
    """Told what happens while it happens."""

    def started(self, job: Job) -> None: ...

    def ended(self, event: Ended) -> None: ...

    def waiting(self, jobs: Iterable[Job]) -> None: ...

    def note(self, lines: Iterable[str]) -> None:
        """Something a person should know: how to attach to a session, which calls were made."""

    def heard(self, event: Event) -> None:
        """A line of the journal of a run that other processes drain."""


class Backend(Protocol):
    """Runs jobs; raises signals.Interrupted when told to stop."""

    name: str

    def check(self, run: Run) -> None:
        """Raise BackendError when this run cannot work here; nothing has been written yet."""

    def run(self, run: Run, report: Reporter) -> list[Ended]: ...


class Frontier:
    """Knows which jobs are ready, as others end; each gathered group is counted once for all its readers.

    Args:
        absent: ids of other jobs that have no result and will get none: partial gathers go without them.
    """

    def __init__(self, jobs: Iterable[Job], absent: frozenset[str] = frozenset()):
        self._missing: dict[Job, int] = {}
        self._readers: dict[Job | Group, list[Job]] = defaultdict(list)
        self._groups: dict[Job, list[Group]] = defaultdict(list)
        self._left: dict[Group, int] = {}
        self._lost: dict[Group, set[str]] = defaultdict(set)
        self._ready: list[tuple[tuple[int, int], str, Job]] = []
        jobs = list(jobs)
        inside = set(jobs)
        for job in jobs:
            self._add(job, inside, absent)

    def _add(self, job: Job, inside: set[Job], absent: frozenset[str]) -> None:
        waits_for: list[Job | Group] = [up for up in job.upstream if up in inside]
        for group in job.groups:
            if group not in self._left:
                members = {member.job for member in group.members if member.job in inside}
                self._left[group] = len(members)
                if absent:
                    self._lost[group] |= {m.job.id for m in group.members if m.job.id in absent}
                for member in members:
                    self._groups[member].append(group)
            if self._left[group]:
                waits_for.append(group)
        for source in waits_for:
            self._readers[source].append(job)
        self._missing[job] = len(waits_for)
        if not waits_for:
            self._push(job)

    def _push(self, job: Job) -> None:
        heapq.heappush(self._ready, (job.order, job.id, job))

    def __len__(self) -> int:
        """How many jobs have neither been popped nor blocked."""
        return len(self._missing)

    def pop(self) -> Job | None:
        """The next ready job, None while none is ready."""
        while self._ready:
            job = heapq.heappop(self._ready)[2]
            if self._missing.pop(job, None) is not None:
                return job
        return None

    def take(self, job: Job) -> bool:
        """Leave a job to somebody else; False when it was popped or blocked before."""
        return self._missing.pop(job, None) is not None

    def absent(self, job: Job) -> frozenset[str]:
        """Ids of the gather members that a job goes on without."""
        return frozenset().union(*(self._lost[group] for group in job.groups))

    def done(self, job: Job) -> None:
        """A job has its result: its readers may become ready."""
        self._release(job)
        for group in self._groups.pop(job, ()):
            self._arrived(group)

    def _arrived(self, group: Group) -> None:
        self._left[group] -= 1
        if not self._left[group]:
            self._release(group)

    def _release(self, source: Job | Group) -> None:
        for reader in self._readers.pop(source, ()):
            if reader in self._missing:
                self._missing[reader] -= 1
                if not self._missing[reader]:
                    self._push(reader)

    def failed(self, job: Job) -> list[Job]:
        """A job has no result: the descendants that can no longer run, in no particular order."""
        blocked: list[Job] = []
        lost = [job]
        while lost:
            current = lost.pop()
            for reader in self._readers.pop(current, ()):
                if self._missing.pop(reader, None) is not None:
                    blocked.append(reader)
                    lost.append(reader)
            for group in self._groups.pop(current, ()):
                newly = self._lose(group, current)
                blocked += newly
                lost += newly
        return blocked

    def _lose(self, group: Group, member: Job) -> list[Job]:
        self._lost[group].add(member.id)
        # A group is the end of one gather edge, so that all its readers are jobs of one node.
        partial = any(reader.node.partial_gather for reader in self._readers.get(group, ()))
        if partial and len(self._lost[group]) < len(group.members):
            self._arrived(group)
            return []
        readers = self._readers.pop(group, [])
        return [reader for reader in readers if self._missing.pop(reader, None) is not None]
