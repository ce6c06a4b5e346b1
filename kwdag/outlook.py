"""What would be done: the plan of a request, the states of its jobs, and which of them are to run.

Reads job directories and writes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kwdag import contract, jobdir, script
from kwdag.errors import PlanError
from kwdag.plan import Item, Job, Plan
from kwdag.request import Request
from kwdag.resolve import build_plan
from kwdag.select import Selection, select
from kwdag.sources import neighbour
from kwdag.state import Inspector, State


@dataclass(frozen=True, slots=True)
class Options:
    """How to treat what is there already.

    Attributes:
        cache: False runs done jobs again.
        stale: `rerun`, `keep` or `error`.
        adopt: take declared outputs that lie in a job directory without a record for its result.
    """

    cache: bool = True
    stale: str = "rerun"
    adopt: bool = False


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run would do: the plan as far as it is known, the states and what was chosen."""

    plan: Plan
    states: Mapping[str, State]
    selection: Selection


def look_ahead(
    request: Request, options: Options, inspector: Inspector, settled: frozenset[str] = frozenset()
) -> Outlook:
    """Plan as far as is known: a round more for each layer of scattering jobs that are done."""
    scattered: dict[str, Sequence[Item]] = {}
    while True:
        plan = build_plan(request.wiring, request.rows, request.root, workdir=request.workdir,
                          scattered=scattered, where=request.where)  # fmt: skip
        states = inspector.states(plan)
        if options.adopt:
            states = {job_id: _as_adopted(plan, plan.jobs[job_id], state) for job_id, state in states.items()}
        selection = select(plan, states, cache=options.cache, stale=options.stale, settled=settled)
        listed = {
            job.id: _items(plan, job)
            for job in plan.jobs.values()
            if job.node.scatter is not None and job.id in selection.done
        }
        if listed.keys() == scattered.keys():
            return Outlook(plan, states, selection)
        scattered = dict(listed)


def _items(plan: Plan, job: Job) -> list[Item]:
    try:
        return contract.read_items(job.node, plan.dpath(job))
    except contract.BrokenContract as error:  # it held when the job ended
        raise jobdir.DamagedFile(str(error), where=plan.dpath(job)) from None


def _as_adopted(plan: Plan, job: Job, state: State) -> State:
    if state.kind not in ("pending", "interrupted") or not job.node.out_paths:
        return state
    try:
        contract.check(job.node, plan.dpath(job))
    except (contract.BrokenContract, OSError):
        return state
    return replace(state, kind="done", by_hand=True, reason=None, status={"state": "finished"})


def check_inputs(request: Request, outlook: Outlook) -> None:
    """Raise PlanError for the first input from outside that does not exist."""
    seen: set[str] = set()
    for job_id in outlook.selection.run:
        job = outlook.plan.jobs[job_id]
        for path in script.external_inputs(job):
            if path not in seen and "://" not in path and not os.path.exists(path):
                raise _missing(request, job, path)
            seen.add(path)


def _missing(request: Request, job: Job, path: str) -> PlanError:
    name = next(name for name in job.node.in_paths if path in str(job.params.get(name)))
    key = f"{job.node.name}.{name}"
    return PlanError(f"{key} is {path!r}, which does not exist", where=request.where.get(key),
                     hint=neighbour(Path(path)))  # fmt: skip


def absent_of(outlook: Outlook) -> frozenset[str]:
    """Ids of the jobs that have no result and will get none."""
    chosen = outlook.selection
    return frozenset(
        job_id for job_id in outlook.plan.jobs if job_id not in chosen.run and job_id not in chosen.done
    )
