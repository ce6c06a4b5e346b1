"""Why a job is in its state, and what the next run would do with it. Reads only.

From the directories alone: what the job recorded against what its inputs, outputs and ancestors are now.
Against a plan also whether its command changed and whether anybody asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kwdag import claims, inventory, jobdir, script
from kwdag.find_job import Found, node_of
from kwdag.outlook import Options, Outlook, look_ahead
from kwdag.request import prepare
from kwdag.stamps import Stamps
from kwdag.state import PENDING, Inspector


@dataclass(frozen=True, slots=True)
class Finding:
    """The state of a job, and why."""

    job_id: str
    state: str
    reason: str | None = None

    def __str__(self) -> str:
        return f"{self.job_id} {self.state}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Explanation:
    """All there is to say about a job.

    Attributes:
        next: what the next run would do with it.
        reads: the jobs that it reads from directly.
        troubles: of all its ancestors those that are not done, nearest first.
        status: what it recorded at its end, if it came to one.
        holder: who runs it: pid, host, since (unix time); empty when nobody does.
        log: last lines.
    """

    job: Finding
    dpath: str
    next: str
    reads: tuple[Finding, ...] = ()
    troubles: tuple[Finding, ...] = ()
    status: Mapping[str, Any] = field(default_factory=dict)
    holder: Mapping[str, Any] = field(default_factory=dict)
    log: tuple[str, ...] = ()


def explain(found: Found, outlook: Outlook | None = None, lines: int = 5) -> Explanation:
    """Explain a job, from its directory or against a plan.

    Args:
        lines: so many last lines of the log.
    """
    ledger = Ledger(found.root) if outlook is None else PlannedLedger(found.root, outlook)
    own = ledger.finding(found.job_id)
    troubles = tuple(
        one for one in map(ledger.finding, ledger.ancestors(found.job_id)) if one.state != "done"
    )
    own = _blocked_by(own, troubles)
    return Explanation(
        job=own,
        dpath=found.dpath,
        next=ledger.next(own, troubles),
        reads=tuple(ledger.finding(up) for up in ledger.upstream(found.job_id)),
        troubles=troubles,
        status=read_status(found.dpath),
        holder=claims.holder(found.dpath) if own.state == "running" else {},
        log=tuple(jobdir.tail(f"{found.dpath}/{jobdir.LOG}", lines)) if lines else (),
    )


def planned(params: Any, root: str, pipeline: Any = None) -> Outlook:
    """What a run of some params would do now; nothing is written."""
    return look_ahead(prepare(params, root, pipeline), Options(), Inspector())


def read_status(dpath: str) -> dict[str, Any]:
    """What a job recorded, empty when that is nothing or cannot be read."""
    try:
        return jobdir.read_status(dpath) or {}
    except jobdir.DamagedFile:
        return {}


def _blocked_by(own: Finding, troubles: Iterable[Finding]) -> Finding:
    """A job that has no result because of an ancestor is blocked."""
    failed = next((one for one in troubles if one.state == "failed"), None)
    if own.state not in ("pending", "interrupted") or failed is None:
        return own
    return replace(own, state="blocked", reason=f"{failed.job_id} failed")


class Ledger:
    """The states of jobs as their directories tell them; each directory is looked at once."""

    def __init__(self, root: str):
        self.root = root
        self._stamps = Stamps()
        self._findings: dict[str, Finding] = {}
        self._invokes: dict[str, str] = {}

    def dpath(self, job_id: str) -> str:
        return f"{self.root}/{node_of(job_id)}/{job_id}"

    def finding(self, job_id: str) -> Finding:
        """The state of a job, given the present results of those that it reads from."""
        if job_id not in self._findings:
            self._findings[job_id] = self._look(job_id)
        return self._findings[job_id]

    def upstream(self, job_id: str) -> list[str]:
        """The jobs that a job reads from directly."""
        return script.upstream_of(self._invoke(job_id))

    def ancestors(self, job_id: str) -> list[str]:
        """All jobs that a job depends on, nearest first."""
        found = dict.fromkeys(self.upstream(job_id))
        waiting = list(found)
        for up in waiting:
            new = [one for one in self.upstream(up) if one not in found]
            found |= dict.fromkeys(new)
            waiting += new
        return list(found)

    def next(self, own: Finding, troubles: Iterable[Finding]) -> str:
        """What a run that asks for a job would do with it."""
        if own.state == "running":
            return "waits for it"
        failed = next((one for one in troubles if one.state == "failed"), None)
        again = failed or next((one for one in troubles if one.state != "running"), None)
        if again is not None:
            return f"runs it after {again.job_id}, which is {again.state}"
        if own.state == "done":
            return "takes its result as it is"
        return f"runs it: {own.reason or own.state}"

    def _invoke(self, job_id: str) -> str:
        if job_id not in self._invokes:
            self._invokes[job_id] = read_invoke(self.dpath(job_id))
        return self._invokes[job_id]

    def _look(self, job_id: str) -> Finding:
        dpath = self.dpath(job_id)
        entry = inventory.look(node_of(job_id), job_id, dpath)
        if entry.state != "done":
            reason = PENDING.reason if entry.state == "pending" else entry.reason
            return Finding(job_id, entry.state, reason)
        status = read_status(dpath)
        lost = self._lost_output(job_id, status)
        if lost is not None:
            return Finding(job_id, "pending", lost)
        changed = self._changed_input(dpath, status) or self._newer_ancestor(status)
        return Finding(job_id, "stale" if changed else "done", changed)

    def _lost_output(self, job_id: str, status: Mapping[str, Any]) -> str | None:
        recorded = status.get("outputs") or {}
        for key, name in script.outputs_of(self._invoke(job_id)).items():
            path = f"{self.dpath(job_id)}/{name}"
            if not os.path.lexists(path):
                return f"output {key!r} ({name}) is missing"
            if key in recorded and not self._stamps.same(path, recorded[key]):
                return f"output {key!r} ({name}) is not as it was recorded"
        return None

    def _changed_input(self, dpath: str, status: Mapping[str, Any]) -> str | None:
        for path, recorded in (status.get("inputs") or {}).items():
            path = jobdir.inside(dpath, path)
            if recorded is not None and not self._stamps.same(path, recorded):
                return f"input {path} " + ("has changed" if os.path.exists(path) else "is gone")
        return None

    def _newer_ancestor(self, status: Mapping[str, Any]) -> str | None:
        for up, run in (status.get("upstream") or {}).items():
            now = read_status(self.dpath(up)).get("run")
            if now is not None and run is not None and now != run:
                return f"{up} ran again"
        return None


class PlannedLedger(Ledger):
    """The states of jobs as a plan has them; of jobs outside the plan as their directories do."""

    def __init__(self, root: str, outlook: Outlook):
        super().__init__(root)
        self.outlook = outlook

    def upstream(self, job_id: str) -> list[str]:
        job = self.outlook.plan.jobs.get(job_id)
        return super().upstream(job_id) if job is None else list({up.id: None for up in job.predecessors()})

    def next(self, own: Finding, troubles: Iterable[Finding]) -> str:
        chosen = self.outlook.selection
        if own.job_id not in self.outlook.plan.jobs:
            return "leaves it: the params do not ask for it"
        if own.state == "running":
            return "waits for it"
        if own.job_id in chosen.run:
            return f"runs it: {chosen.run[own.job_id]}"
        if own.job_id in chosen.blocked:
            return f"cannot run it: {chosen.blocked[own.job_id]}"
        if own.job_id in chosen.disabled:
            return "leaves it: the params disable it"
        return "takes its result as it is"

    def _look(self, job_id: str) -> Finding:
        state = self.outlook.states.get(job_id)
        return super()._look(job_id) if state is None else Finding(job_id, state.kind, state.reason)


def read_invoke(dpath: str) -> str:
    """The text of `invoke.sh`, empty without one."""
    try:
        with open(f"{dpath}/{jobdir.INVOKE}", encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
