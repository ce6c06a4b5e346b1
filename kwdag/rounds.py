"""The next round of a run, planned by whichever of its processes comes to the end of one first.

Scattering jobs make branches known only when they are done; nobody need be alive to plan what follows.
"""

from __future__ import annotations

from typing import Any

from kwdag import jobdir, runs
from kwdag.outlook import Options, Outlook, absent_of, look_ahead
from kwdag.pipeline_ref import load_recorded
from kwdag.request import Request
from kwdag.runs import RunFile
from kwdag.state import Inspector
from kwdag.tasks import TaskMaker


def plan_next(run_file: RunFile, number: int) -> bool:
    """Write the round after ``number``, if there is anything to run in it.

    The caller holds the lock of the run's planning.
    """
    settled = frozenset(
        job.id
        for done in range(1, number + 1)
        for job in runs.load_round(run_file, done, run_file.nodes()).jobs
    )
    outlook = look_ahead(_request(run_file), _options(run_file.meta), Inspector(), settled)
    jobs = [outlook.plan.jobs[job_id] for job_id in outlook.selection.run if job_id not in settled]
    if not jobs:
        return False
    maker = TaskMaker(outlook.plan)
    attempts = {job.id: outlook.states[job.id].attempt for job in jobs}
    absent = absent_of(outlook)
    _note_slurm_options(run_file, number + 1, outlook)
    runs.write_round(run_file, number + 1, jobs, attempts, map(maker.task, jobs), absent)
    return True


def _note_slurm_options(run_file: RunFile, number: int, outlook: Outlook) -> None:
    """Leave the options of rows for whoever submits the round to Slurm."""
    if run_file.meta["backend"] == "slurm":
        dpath = run_file.round_dpath(number)
        jobdir.make_dir(dpath)
        options = {job_id: dict(found) for job_id, found in outlook.plan.slurm_options.items()}
        jobdir.write_replacing(f"{dpath}/slurm_options.json", jobdir.as_json(options))


def _request(run_file: RunFile) -> Request:
    meta = run_file.meta
    pipeline = load_recorded(meta)
    return Request(
        pipeline=pipeline,
        reference=meta["pipeline"],
        wiring=pipeline.wiring(),
        rows=meta["rows"],
        where={},
        root=run_file.root,
        workdir=meta["workdir"],
    )


def _options(meta: Any) -> Options:
    return Options(cache=meta["cache"], stale=meta["stale"])
