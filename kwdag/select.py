"""Which of the planned jobs to run, and why. Pure: it decides on states that were read before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kwdag.errors import PlanError
from kwdag.plan import Job, Plan
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
    run: dict[str, str] = {}
    done: set[str] = set()
    blocked: dict[str, str] = {}
    disabled: set[str] = set()
    for job in plan.jobs.values():
        why = _why(plan, job, states[job.id], run, cache, stale, settled)
        if why is None:
            done.add(job.id)
        elif job.id in plan.disabled:
            disabled.add(job.id)
        else:
            obstacle = _obstacle(job, blocked, disabled, settled, states)
            (blocked if obstacle else run)[job.id] = obstacle or why
    return Selection(run, frozenset(done), blocked, frozenset(disabled))


def _why(plan: Plan, job: Job, state: State, run: Mapping[str, str], cache: bool, stale: str,
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
    again = (
        next((up.id for up in job.predecessors() if up.id in run), None)
        if job.id not in plan.disabled
        else None
    )
    reason = reason or (f"{again} runs again" if again else None)
    if reason is None or stale == "keep":
        return None
    if stale == "error":
        raise PlanError(
            f"{job.id} is stale: {reason}", hint="--stale=rerun runs it again, --stale=keep keeps it"
        )
    return reason


def _obstacle(job: Job, blocked: Mapping[str, str], disabled: set[str], settled: frozenset[str],
              states: Mapping[str, State]) -> str | None:  # fmt: skip
    """What keeps a job from running, None when nothing does."""
    if job.id in settled:
        return states[job.id].reason or states[job.id].kind
    members = {member.job.id for group in job.groups for member in group.members}
    for up in job.predecessors():
        if job.node.partial_gather and up.id in members:
            continue
        if up.id in blocked:
            return f"{up.id} is blocked"
        if up.id in disabled:
            return f"{up.id} is disabled"
        if up.id in settled and states[up.id].kind != "done":
            return f"{up.id} {states[up.id].kind}"
    return None
