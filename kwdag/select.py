"""Which of the planned jobs to run, and why. Pure: it decides on states that were read before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kwdag.errors import PlanError
from kwdag.plan import Group, Job, Plan
from kwdag.state import State

STALE_POLICIES = ("rerun", "keep", "error")


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run will do with each job of a plan.

    Attributes:
        run: jobs to run, upstream first, with the reason.
        done: ids of jobs whose results are taken as they are.
        blocked: ids of jobs that cannot run, with the reason.
        disabled: ids of jobs that no row enables and that are not done.
    """

    run: Mapping[str, str]
    done: frozenset[str]
    blocked: Mapping[str, str]
    disabled: frozenset[str]


def select(
    plan: Plan,
    states: Mapping[str, State],
    *,
    cache: bool = True,
    stale: str = "rerun",
    settled: frozenset[str] = frozenset(),
) -> Selection:
    """Choose the jobs to run.

    Args:
        cache: False runs done jobs again, too.
        stale: what to do with stale jobs: `rerun`, `keep` (take them for done) or `error`.
        settled: ids of jobs that this run has already brought to an end.

    Raises:
        PlanError: there are stale jobs and ``stale`` is `error`.
    """
    decided = _Decided()
    done: set[str] = set()
    blocked: dict[str, str] = {}
    disabled: set[str] = set()
    for job in plan.jobs.values():
        state = states[job.id]
        why = _why(plan, job, state, decided, cache, stale, settled)
        if why is None:
            done.add(job.id)
        elif job.id in plan.disabled:
            disabled.add(job.id)
            decided.lost[job.id] = f"{job.id} is disabled"
        else:
            obstacle = decided.obstacle(job) or (why if job.id in settled else None)
            if obstacle is None:
                decided.run[job.id] = why
            else:
                blocked[job.id] = obstacle
                failed = job.id in settled and state.kind == "failed"
                decided.lost[job.id] = f"{job.id} {'failed' if failed else 'is blocked'}"
    return Selection(decided.run, frozenset(done), blocked, frozenset(disabled))


def _why(plan: Plan, job: Job, state: State, decided: _Decided, cache: bool, stale: str,
         settled: frozenset[str]) -> str | None:  # fmt: skip
    """Why a job must run, None when its result stands."""
    if job.id in settled:
        return None if state.kind == "done" else state.reason or state.kind
    if state.kind not in ("done", "stale"):
        return state.reason or state.kind
    if job.id in plan.redo:
        return "asked to redo"
    if not cache:
        return "asked to run without cache"
    reason = state.reason if state.kind == "stale" else None
    if reason is None and job.id not in plan.disabled:
        again = decided.runs_again(job)
        reason = f"{again} runs again" if again else None
    if reason is None or stale == "keep":
        return None
    if stale == "error":
        raise PlanError(
            f"{job.id} is stale: {reason}", hint="--stale=rerun runs it again, --stale=keep keeps it"
        )
    return reason


@dataclass(slots=True)
class _Decided:
    """What was decided of the jobs upstream; a gathered group is looked through once for all its readers.

    Attributes:
        run: jobs to run, with the reason.
        lost: jobs that will have no result, with why in words.
    """

    run: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    _again: dict[Group, str | None] = field(default_factory=dict)
    _missing: dict[Group, list[str]] = field(default_factory=dict)

    def runs_again(self, job: Job) -> str | None:
        """The first job that a job reads from and that is to run."""
        for group in job.groups:
            if group not in self._again:
                ids = (member.job.id for member in group.members)
                self._again[group] = next((job_id for job_id in ids if job_id in self.run), None)
        own = next((up.id for up in job.upstream if up.id in self.run), None)
        return own or next((found for group in job.groups if (found := self._again[group])), None)

    def obstacle(self, job: Job) -> str | None:
        """What keeps a job from running, None when nothing does."""
        for up in job.upstream:
            if up.id in self.lost:
                return self.lost[up.id]
        for group in job.groups:
            if group not in self._missing:
                self._missing[group] = [m.job.id for m in group.members if m.job.id in self.lost]
            missing = self._missing[group]
            if missing and not (job.node.partial_gather and len(missing) < len(group.members)):
                return self.lost[missing[0]]
        return None
