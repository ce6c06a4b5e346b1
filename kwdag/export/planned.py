"""Which jobs an export holds: all that the params ask for, as for a root where nothing is done yet.

What becomes of them in a service is the business of the modules beside this one.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import Any

from kwdag.errors import PlanError
from kwdag.outlook import Outlook, absent_of, check_inputs
from kwdag.pipeline import Wiring
from kwdag.plan import Job, Plan
from kwdag.request import prepare
from kwdag.resolve import build_plan
from kwdag.select import select
from kwdag.state import PENDING


@dataclass(frozen=True, slots=True)
class Planned:
    """The jobs of an export.

    Attributes:
        jobs: upstream first; disabled ones are left out.
        absent: ids of jobs that gathers go on without.
    """

    plan: Plan
    jobs: tuple[Job, ...]
    absent: frozenset[str]
    warnings: tuple[str, ...]


def plan_jobs(params: Any, pipeline: Any, root: str) -> Planned:
    """Plan for a root on another machine; what lies below that path here is not read.

    Raises:
        KwdagError: bad params or pipeline, a scatter node, an input that does not exist here, no job at all.
    """
    # The root that `prepare` checks is one to write to, on this machine: here it stands for none.
    request = prepare(params, tempfile.gettempdir(), pipeline)
    _refuse_scatter(request.wiring)
    plan = build_plan(request.wiring, request.rows, root, workdir=request.workdir, where=request.where)
    states = dict.fromkeys(plan.jobs, PENDING)
    outlook = Outlook(plan, states, select(plan, states))
    for job_id, why in outlook.selection.blocked.items():
        raise PlanError(f"{job_id} cannot be exported: {why}", hint="an export holds all that its jobs read")
    if not outlook.selection.run:
        raise PlanError("the params ask for no job", where="--params")
    check_inputs(request, outlook)
    jobs = tuple(plan.jobs[job_id] for job_id in outlook.selection.run)
    return Planned(plan, jobs, absent_of(outlook), request.warnings)


def _refuse_scatter(wiring: Wiring) -> None:
    for node in wiring.nodes.values():
        if node.scatter is not None:
            raise PlanError(
                f"node {node.name!r} scatters: its branches are known only when it has run, "
                "and the steps of an export are fixed before",
                hint="run this pipeline by kwdag schedule, or export the part without that node",
            )
