"""In what state a job is, and why. Reads the disk and changes nothing.

What to do about it is select.py's business.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kwdag import claims, contract, jobdir, script
from kwdag.errors import KwdagError
from kwdag.plan import Job, Plan
from kwdag.stamps import Stamps

KINDS = ("pending", "blocked", "running", "done", "failed", "interrupted", "stale")


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a job.

    Attributes:
        kind: one of KINDS.
        reason: why, in a few words; None where there is nothing to say.
        attempt: the latest attempt that has ended, by itself or cut off; what comes after it is news.
        run: the token of the run that made the present result; a descendant records it.
        status: what the job recorded, if anything.
        by_hand: done by `invoke.sh`, which leaves its result to be recorded.
    """

    kind: str
    reason: str | None = None
    attempt: int = 0
    run: str | None = None
    status: Mapping[str, Any] | None = None
    by_hand: bool = False


PENDING = State("pending", "not run yet")


class Inspector:
    """Finds the states of the jobs of plans below one root."""

    def __init__(self, stamps: Stamps | None = None):
        self.stamps = stamps or Stamps()
        self._same: dict[str, bool] = {}

    def states(self, plan: Plan) -> dict[str, State]:
        """The state of every job of a plan, staleness through ancestors included."""
        present = {name: _names(f"{plan.root}/{name}") for name in plan.wiring.nodes}
        found: dict[str, State] = {}
        for job in plan.jobs.values():
            state = self.state(plan, job) if job.id in present[job.node.name] else PENDING
            if state.kind == "done":
                state = _against_upstream(job, state, found)
            found[job.id] = state
        return found

    def state(self, plan: Plan, job: Job) -> State:
        """The state of one job, its ancestors not considered."""
        dpath = plan.dpath(job)
        try:
            status = jobdir.read_status(dpath)
        except jobdir.DamagedFile as error:
            return State("interrupted", str(error), claims.latest_attempt(dpath))
        if status is None:
            found = _unfinished(dpath)
            # Its holder may have written the status and let go between the two looks.
            if found.kind != "interrupted" or not os.path.exists(f"{dpath}/{jobdir.STATUS}"):
                return found
            return self.state(plan, job)
        attempt = status.get("attempt", 0)
        if not os.path.exists(f"{dpath}/{jobdir.CLAIM}{attempt}") and claims.latest_attempt(dpath) > attempt:
            return _unfinished(dpath)
        if status.get("digest", job.digest) != job.digest:
            raise KwdagError(
                f"another job has the same id as {job.id}", where=dpath, hint="move its folder away"
            )
        run = status.get("run")
        if status["state"] in ("failed", "interrupted"):
            return State(status["state"], status.get("reason"), attempt, run, status)
        problem = _result_problem(job, dpath, status)
        if problem is not None:
            return State(
                "failed" if status["state"] == "finished" else "pending", problem, attempt, run, status
            )
        reason = self._staleness(plan, job, status)
        by_hand = status["state"] == "finished"
        return State("stale" if reason else "done", reason, attempt, run, status, by_hand)

    def _staleness(self, plan: Plan, job: Job, status: Mapping[str, Any]) -> str | None:
        for path, recorded in (status.get("inputs") or {}).items():
            path = jobdir.inside(plan.dpath(job), path)
            if recorded is not None and not self._is_same(path, recorded):
                return f"input {path} has changed"
        if status.get("command") not in (None, script.command_hash(plan, script.body(plan, job))):
            return "its command has changed"
        return None

    def _is_same(self, path: str, recorded: list[Any]) -> bool:
        key = f"{path}\0{recorded}"
        if key not in self._same:
            self._same[key] = self.stamps.same(path, recorded)
        return self._same[key]


def _names(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()


def _unfinished(dpath: str) -> State:
    attempt = claims.latest_attempt(dpath)
    if claims.is_held(dpath) or (attempt and claims.held_abroad(dpath, attempt)):
        return State("running", None, max(0, attempt - 1))
    if attempt:
        return State("interrupted", "an earlier run of it was cut off", attempt)
    return PENDING


def _result_problem(job: Job, dpath: str, status: Mapping[str, Any]) -> str | None:
    """Why the result is not there as it was recorded, or None."""
    recorded = status.get("outputs") or {}
    for key, name in job.node.out_paths.items():
        inside = os.path.normpath(name)
        if inside == ".":
            continue
        if key not in recorded and os.path.lexists(f"{dpath}/{inside}"):
            continue  # declared since
        if key not in recorded or not os.path.lexists(f"{dpath}/{inside}"):
            return f"output {key!r} ({inside}) is missing"
        if not Stamps().same(f"{dpath}/{inside}", recorded[key]):
            return f"output {key!r} ({inside}) is not as it was recorded"
    if status["state"] == "finished":
        try:
            contract.check(job.node, dpath)
        except contract.BrokenContract as error:
            return f"invalid result: {error}"
    return None


def _against_upstream(job: Job, state: State, states: Mapping[str, State]) -> State:
    """A done job is stale when a job that it read from has run again since."""
    assert state.status is not None
    read_from = state.status.get("upstream") or {}
    for up in job.predecessors():
        known = states.get(up.id, PENDING)
        if known.run is not None and up.id in read_from and read_from[up.id] != known.run:
            return State("stale", f"{up.id} ran again", state.attempt, state.run, state.status, state.by_hand)
    return state


def count_kinds(states: Iterable[State]) -> dict[str, int]:
    """How many jobs are in each state, in the order of KINDS."""
    counts = dict.fromkeys(KINDS, 0)
    for state in states:
        counts[state.kind] += 1
    return {kind: count for kind, count in counts.items() if count}
