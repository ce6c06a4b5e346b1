"""Ending what runs below a root: in Slurm, in the workers of this host, in whatever process holds a job."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kwdag import claims, inventory, jobdir, processes, runs
from kwdag.errors import BackendError
from kwdag.find_job import Found

if TYPE_CHECKING:
    from kwdag.backends.slurm_cli import Slurm
    from kwdag.backends.slurm_flight import Flight

#: A scheduler that waits for a job of another one takes it over when that is ended: look so often again,
PASSES = 5
#: and after so many seconds, longer than such a scheduler sleeps.
SETTLE = 0.6
#: Seconds that Slurm has to end what was cancelled.
SLURM_PATIENCE = 30.0


@dataclass(slots=True)
class Cancelled:
    """What was ended and what was not.

    Attributes:
        ended: ids of jobs that ran and do not run any more.
        workers: number of processes that drained a run and were ended.
        arrays: ids of Slurm arrays that were cancelled.
        left: id of a job, or run, that may still run -> why.
    """

    ended: list[str] = field(default_factory=list)
    workers: int = 0
    arrays: list[int] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)


def cancel(root: str) -> Cancelled:
    """End what runs below a root; raises RootError when there is no such folder."""
    root = inventory.checked_root(root)
    done = Cancelled()
    running = {job.job_id: job for job in _jobs(root) if _runs(job)}
    # Slurm first: what waits there would start as soon as there is room.
    _cancel_slurm(root, done)
    _stop_workers(root, done)
    for _ in range(PASSES if running else 0):
        time.sleep(SETTLE if done.workers else 0)
        held = [job for job in _jobs(root) if claims.is_held(job.dpath)]
        if not held:
            break
        running |= {job.job_id: job for job in held}
        _end_holders(held)
        time.sleep(SETTLE)
    for job in running.values():
        if _runs(job):
            done.left[job.job_id] = inventory.held_by(job.dpath)
        else:
            done.ended.append(job.job_id)
    return done


def _jobs(root: str) -> Iterator[Found]:
    return (Found(root, job_id) for _, job_id, _ in jobdir.iter_jobs(root))


def _runs(job: Found) -> bool:
    return inventory.is_running(job.dpath)


def _stop_workers(root: str, done: Cancelled) -> None:
    pids = [pid for run_dpath in runs.folders(root) for pid in processes.registered(run_dpath)]
    left = processes.terminate(pids)
    done.workers = len(pids) - len(left)


def _end_holders(held: Iterable[Found]) -> None:
    """End the processes that hold some jobs: a scheduler ends its job itself, else all of the job's do."""
    locks = {f"{job.dpath}/{jobdir.LOCK}": job for job in held}
    found = processes.holders(locks)
    schedulers: set[int] = set()
    others: set[int] = set()
    for path, pids in found.items():
        claim = claims.holder(locks[path].dpath)
        if claim.get("pid") in pids and not claim.get("by_hand"):
            schedulers.add(claim["pid"])
        else:
            others.update(pids)
    processes.terminate(schedulers)
    # A program that ignores SIGTERM has nobody else who would end it.
    processes.terminate(others - schedulers, insist=True)


def _cancel_slurm(root: str, done: Cancelled) -> None:
    """Cancel the arrays of all runs below a root that may have something left in Slurm."""
    from kwdag.backends import slurm_files as files

    if not files.open_runs(root):
        return
    from kwdag.backends.slurm_cli import Slurm
    from kwdag.backends.slurm_flight import in_flight

    slurm = Slurm()
    try:
        for flight in in_flight(root, slurm):
            files.stop(flight.run_file)
            slurm.cancel(flight.ids())
            done.arrays += sorted(flight.ids())
            if _has_ended(slurm, flight):
                files.close(flight.run_file)
            else:
                done.left[os.path.basename(flight.run_file.dpath)] = "its Slurm tasks have not ended yet"
    except BackendError as error:
        done.left["Slurm"] = str(error)


def _has_ended(slurm: Slurm, flight: Flight) -> bool:
    deadline = time.monotonic() + SLURM_PATIENCE
    while flight.alive and time.monotonic() < deadline:
        time.sleep(0.5)
        flight.see(slurm.queue(flight.ids()))
    return not flight.alive
