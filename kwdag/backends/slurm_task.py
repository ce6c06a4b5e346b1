"""`python -m kwdag.backends.slurm_task RUN --round N --array K`: what runs inside one task of an array.

It runs the jobs of its chunk one after the other. One that is soon done takes chunks of tasks that still wait
in the queue: Slurm starts tasks seconds apart. The claim on each job makes it harmless that a task is
requeued, submitted twice or overtaken.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from kwdag import jobdir, journal, runs
from kwdag.again import Tries
from kwdag.backends import slurm_files as files
from kwdag.backends.slurm_more import Short, larger, memory_limit, requeue
from kwdag.backends.slurm_plan import AIM
from kwdag.backends.slurm_worker import SlurmWorker
from kwdag.durations import most_taken
from kwdag.node import ProcessNode
from kwdag.plan import Job
from kwdag.runs import Round, RunFile
from kwdag.signals import Interrupted, interrupt, nothing_lost
from kwdag.tasks import Task, without

#: Seconds between two looks at a job that somebody else holds.
FIRST_LOOK, LAST_LOOK = 0.2, 5.0
#: Seconds before the time limit at which a task that has done something gives back the rest.
MARGIN = 60.0


@nothing_lost()
def main(argv: list[str] | None = None) -> int:
    """Run a chunk; the exit code is 0 unless none of its jobs is done."""
    args = _parser().parse_args(argv)
    run_file = runs.load(args.run)
    os.chdir(run_file.meta["workdir"])
    _stop_by_signals()
    array_id, index = os.environ["SLURM_ARRAY_JOB_ID"], int(os.environ["SLURM_ARRAY_TASK_ID"])
    array = (files.read_arrays(run_file, args.round) or [])[args.array]
    chunk = Chunk(run_file, args.round, f"{array_id}_{index}", time_limit(array.options))
    try:
        done = chunk.run(array.chunks[index])
        if chunk.gets_more():
            return 1
        chunk.help_others(array.chunks, array_id)
    except Interrupted as stop:
        print(f"stopped by {signal.Signals(stop.signum).name}", flush=True)
        return 128 + stop.signum
    except jobdir.WriteError as error:
        print(f"kwdag: {error}", flush=True)
        with suppress(OSError):  # the disk may have no room for this either
            chunk.writer.write(time.time(), "bye", note=error.message)
        return 1
    return 0 if done else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kwdag.backends.slurm_task", description=__doc__)
    parser.add_argument("run", help="folder of the run")
    parser.add_argument("--round", type=int, required=True)
    parser.add_argument("--array", type=int, required=True, help="place of the array in the round")
    return parser


def _stop_by_signals() -> None:
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, interrupt)
    # The worker holds back SIGHUP, not SIGALRM, where it must not be interrupted.
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGHUP))


def time_limit(options: tuple[str, ...]) -> float | None:
    """Seconds after which Slurm ends the task, None where it was not asked for.

    >>> time_limit(("--mem=1G", "--time=1-02:00:00"))
    93600.0
    >>> time_limit(("--time=90",))
    5400.0
    """
    text = next((word.partition("=")[2] for word in options if word.startswith("--time=")), "")
    days, _, rest = text.rpartition("-")
    parts = rest.split(":")
    if not all(part.isdecimal() for part in parts) or (days and not days.isdecimal()):
        return None
    numbers = [float(part) for part in parts]
    if days:  # days-hours[:minutes[:seconds]]
        numbers = [*numbers, 0.0, 0.0][:3]
    elif len(numbers) == 1:  # minutes
        numbers = [0.0, numbers[0], 0.0]
    elif len(numbers) == 2:  # minutes:seconds
        numbers = [0.0, *numbers]
    hours, minutes, secs = numbers
    return float(days or 0) * 86400 + hours * 3600 + minutes * 60 + secs


class Chunk:
    """The jobs of one task."""

    def __init__(self, run_file: RunFile, number: int, name: str, limit: float | None = None):
        self.run_file = run_file
        self.nodes = run_file.nodes()
        self.round: Round = runs.load_round(run_file, number, self.nodes)
        self.jobs = {job.id: job for job in self.round.jobs}
        self.name = name
        self.began = time.monotonic()
        self.more = files.read_more(run_file, name)
        self.limit = self.more.seconds or limit
        self.short: dict[str, Short] = {}
        self.waiting: set[str] = set()  # for another try of what they read from
        self.longest = 0.0
        self.worker = SlurmWorker(run_file)
        is_again = int(os.environ.get("SLURM_RESTART_COUNT") or 0) > 0
        self.is_helped = is_again or files.is_taken(run_file, name)
        self.writer = journal.Writer(run_file.journal, name)
        self.resource_retries = int(run_file.meta.get("resource_retries") or 0)
        self.max_failures = int(run_file.meta.get("max_failures") or 0)
        self._failures = 0
        self._reader = journal.Reader(run_file.journal)
        self._hooks: Mapping[str, ProcessNode] | None = None

    def _enough(self) -> bool:
        """Whether as many jobs of the run have failed as may."""
        if not self.max_failures:
            return False
        self._failures += sum(event.what == "failed" for event in self._reader.news())
        return self._failures >= self.max_failures

    def run(self, ids: tuple[str, ...]) -> int:
        """Run the jobs of this task's own chunk in order; how many of them are done in the end."""
        done = 0
        for place, job_id in enumerate(ids):
            if self._enough():
                return done
            if place and self._too_late():
                if not self.gets_more():
                    self._give_back()
                return done
            done += self._run_one(self.jobs[job_id], first=place == 0)
        return done

    def help_others(self, chunks: Mapping[int, tuple[str, ...]], array_id: str) -> None:
        """Take chunks of tasks that have not started yet, until about a minute of work is done."""
        for index, ids in chunks.items():
            if time.monotonic() - self.began > AIM or self._too_late():
                return
            if files.take_chunk(self.run_file, f"{array_id}_{index}"):
                for job_id in ids:
                    if self._too_late() or self._enough():
                        return
                    self._run_one(self.jobs[job_id], helping=True)

    def gets_more(self) -> bool:
        """Requeue this task where jobs of it ran out of time or memory; False where it goes on or ends."""
        if not self.short:
            return False
        short, self.short, self.waiting = self.short, {}, set()
        more = larger(self.more.turn + 1, short, self.limit, memory_limit())
        if requeue(self.run_file, self.name, more, lambda text: print(text, flush=True)):
            return True
        for job_id, found in short.items():
            self._note("failed", self.jobs[job_id], found.status["reason"])
        return False

    def _is_short(self, job: Job, status: Mapping[str, Any], timeout: float | None, helping: bool) -> bool:
        """Whether a job is to be tried again with more; one of another task, by that task."""
        if not self._may_grow(status):
            return False
        if not helping:
            took = most_taken(self.run_file.root, job.node.name)
            self.short[job.id] = Short(status, timeout, took)
            self._note("again", job, f"{status['reason']}: once more with more of it")
        return True

    def _run_one(self, job: Job, first: bool = False, helping: bool = False) -> bool:
        if self.is_helped and (ended := self._ended(job)):
            return ended == "done"  # whoever ran it has said so
        task = self.round.task(job)
        if any(job_id in self.short or job_id in self.waiting for _, job_id in task.upstream):
            self.waiting.add(job.id)
            return False
        task = replace(task, timeout=self.more.timeouts.get(job.id, task.timeout))
        absent = self._absent(job, task)
        if isinstance(absent, str) and helping:  # what it waits for may still run
            return False
        if isinstance(absent, str):
            self._note("blocked", job, absent)
            return False
        began = time.monotonic()
        if self.limit is not None and not first:
            signal.setitimer(
                signal.ITIMER_REAL, max(0.01, self.limit - self._margin() - (began - self.began))
            )
        try:
            status = self._run_or_wait(job, without(task, absent))
        except Interrupted as stop:
            state, reason, cause = self.worker.ended or ("interrupted", "interrupted", None)
            status = jobdir.read_status(task.dpath) or {}
            if cause is None or not self._is_short(job, status, None, helping):
                self._note(state, job, reason)
            self.gets_more()
            if stop.signum == signal.SIGHUP:
                self._give_back()
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.longest = max(self.longest, time.monotonic() - began)
        if self._is_short(job, status, task.timeout, helping):
            return False
        is_done = status["state"] == "done"
        self._note("done" if is_done else "failed", job,
                   f"{status.get('wall') or 0:.3f}" if is_done else status.get("reason"))  # fmt: skip
        return is_done

    def _run_or_wait(self, job: Job, task: Task) -> dict[str, Any]:
        pause = FIRST_LOOK
        self._note("start", job)
        while True:
            status = self.worker.run(task, self._node(job), self._known_attempt(job))
            if status is not None:
                return status
            time.sleep(pause)
            pause = min(2 * pause, LAST_LOOK)

    def _note(self, what: str, job: Job, note: str | None = None) -> None:
        self.writer.write(time.time(), what, job.id, note)

    def _node(self, job: Job) -> ProcessNode:
        if self._hooks is None:
            self._hooks = self.run_file.hooks(self.nodes)
        return self._hooks[job.node.name]

    # -- upstream ----------------------------------------------------------------------------------

    def _absent(self, job: Job, task: Task) -> frozenset[str] | str:
        """Ids of gather members to go on without, or why the job cannot run."""
        lost = {job_id: node for node, job_id in task.upstream if not self._is_done(node, job_id)}
        if not lost:
            return frozenset()
        groups = [{member["job"] for member in members} for members in task.gathers.values()]
        direct = {up.id for up in job.upstream}
        gathered = set().union(*groups) - direct
        can_go_on = job.node.partial_gather and all(group - lost.keys() for group in groups)
        if can_go_on and lost.keys() <= gathered:
            return frozenset(lost)
        return f"{next(iter(lost))} is not done"

    def _ended(self, job: Job) -> str | None:
        """`done` or `failed` when the job has come to an end in this round."""
        status = jobdir.read_status(f"{self.run_file.root}/{job.node.name}/{job.id}") or {}
        is_new = status.get("attempt", 0) > self._known_attempt(job)
        if not is_new or status["state"] not in ("done", "failed"):
            return None
        # A helper leaves what ran out of something to the job's own task.
        return None if self._may_grow(status) else str(status["state"])

    def _may_grow(self, status: Mapping[str, Any]) -> bool:
        """Whether a job that ended so ran out of something that this task may still ask for."""
        return self.more.refused is None and Tries(0, self.resource_retries - self.more.turn).allow(status)

    def _known_attempt(self, job: Job) -> int:
        return self.more.jobs.get(job.id, self.round.attempts.get(job.id, 0))

    def _is_done(self, node: str, job_id: str) -> bool:
        return is_done(self.run_file, self.round, node, job_id)

    # -- time --------------------------------------------------------------------------------------

    def _margin(self) -> float:
        assert self.limit is not None
        return min(MARGIN, self.limit / 4)

    def _too_late(self) -> bool:
        """Whether the next job may not end in time; the first one of a task has all the time there is."""
        if self.limit is None:
            return False
        return time.monotonic() - self.began + self.longest > self.limit - self._margin()

    def _give_back(self) -> None:
        """Let this task start again from its first job that is not done, with its whole time."""
        task = os.environ["SLURM_JOB_ID"]
        print(f"the time limit is near: task {task} is requeued for the rest", flush=True)
        subprocess.run(["scontrol", "requeue", task], check=False)
        signal.pause()  # ended by Slurm


def is_done(run_file: RunFile, round_: Round, node: str, job_id: str) -> bool:
    """Whether a job has a result; one of this round, a result that it did not have before."""
    try:
        status = jobdir.read_status(f"{run_file.root}/{node}/{job_id}")
    except (jobdir.DamagedFile, OSError):
        return False
    if status is None or status["state"] not in ("done", "finished"):
        return False
    return job_id not in round_.attempts or status.get("attempt", 0) > round_.attempts[job_id]


if __name__ == "__main__":
    sys.exit(main())
