"""`python -m kwdag.backends.slurm_next RUN --round N`: a small Slurm job that goes on where the arrays ended.

It submits what Slurm had no room for, else it plans the next round and submits that: nothing but Slurm need
be alive.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from typing import Any

from kwdag import jobdir, rounds, runs
from kwdag.backends import slurm_files as files
from kwdag.backends.slurm_cli import Slurm
from kwdag.backends.slurm_flight import in_flight, tasks_of
from kwdag.backends.slurm_submit import Submitter, job_options
from kwdag.plan import Job
from kwdag.runs import RunFile


def main(argv: list[str] | None = None) -> int:
    """Go on with a run; the exit code is 0."""
    parser = argparse.ArgumentParser(prog="kwdag.backends.slurm_next", description=__doc__)
    parser.add_argument("run", help="folder of the run")
    parser.add_argument("--round", type=int, required=True)
    args = parser.parse_args(argv)
    run_file = runs.load(args.run)
    os.chdir(run_file.meta["workdir"])
    go_on(run_file, args.round)
    return 0


def go_on(run_file: RunFile, number: int) -> None:
    """Take the next step of a run after the arrays of a round that were submitted so far."""
    if files.is_stopped(run_file):
        return
    slurm = Slurm()
    submitter = Submitter(run_file, slurm, slurm.limits(files.limits_path(run_file.root)))
    arrays = files.read_arrays(run_file, number) or []
    own = {done.id for done in files.read_submitted(run_file, number) if done.place != files.NEXT}
    lines = slurm.queue()
    if len(own) < len(arrays) or any(line.alive for line in lines if line.array in own):
        submitter.feed(number, lines)
    else:
        with files.starting(run_file.root):
            if plan_next(run_file, number):
                start_round(submitter, number + 1)
            else:
                files.close(run_file)
    print(f"calls: {slurm.spent()}", flush=True)


def plan_next(run_file: RunFile, number: int) -> bool:
    """Plan the round after ``number`` unless somebody has; False when there is nothing more to run."""
    if not run_file.meta.get("rows"):
        return False
    with files.submitting(run_file):
        return run_file.rounds() > number or rounds.plan_next(run_file, number)


def start_round(submitter: Submitter, number: int) -> None:
    """Plan and submit the arrays of a round that was just written."""
    run_file = submitter.run_file
    elsewhere = tasks_of(in_flight(run_file.root, submitter.slurm, but=run_file.dpath))
    jobs = [
        job for job in runs.load_round(run_file, number, run_file.nodes()).jobs if job.id not in elsewhere
    ]
    if files.read_arrays(run_file, number) is None:
        submitter.prepare(number, jobs, round_options(run_file, number, jobs), elsewhere)
    submitter.feed(number)


def round_options(run_file: RunFile, number: int, jobs: list[Job]) -> dict[str, Mapping[str, Any]]:
    """Options for sbatch of each job of a round: what its plan said, where that was written down."""
    general = (run_file.meta.get("slurm") or {}).get("options") or {}
    own = jobdir.read_json(f"{run_file.round_dpath(number)}/slurm_options.json") or {}
    return {job.id: job_options(job.node, general, own.get(job.id) or job.node.slurm_options) for job in jobs}


if __name__ == "__main__":
    sys.exit(main())
