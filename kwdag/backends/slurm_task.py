"""`python -m kwdag.backends.slurm_task RUN --round N --array K`: what runs inside one task of an array.

It runs the jobs of its chunk one after the other. One that is soon done takes chunks of tasks that still wait
in the queue: Slurm starts tasks seconds apart. The claim on each job makes it harmless that a task is
requeued, submitted twice or overtaken.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from kwdag import claims, jobdir, journal, runs
from kwdag.backends import slurm_files as files
from kwdag.backends.base import worker_options
from kwdag.backends.slurm_plan import AIM
from kwdag.node import ProcessNode
from kwdag.plan import Job
from kwdag.runs import Round, RunFile
from kwdag.tasks import Task, without
from kwdag.worker import Interrupted, Worker

#: Seconds between two looks at a job that somebody else holds.
FIRST_LOOK, LAST_LOOK = 0.2, 5.0
#: Seconds in which our own signal follows when Slurm ends the processes of a task all at once.
TOGETHER = 0.5
#: Seconds before the time limit at which a task that has done something gives back the rest.
MARGIN = 60.0


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
        chunk.help_others(array.chunks, array_id)
    except Interrupted as stop:
        print(f"stopped by {signal.Signals(stop.signum).name}", flush=True)
        return 128 + stop.signum
    except jobdir.WriteError as error:
        print(f"kwdag: {error}", flush=True)
        return 1
    return 0 if done else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kwdag.backends.slurm_task", description=__doc__)
    parser.add_argument("run", help="folder of the run")
    parser.add_argument("--round", type=int, required=True)
    parser.add_argument("--array", type=int, required=True, help="place of the array in the round")
    return parser


def _stop_by_signals() -> None:
    def stop(signum: int, _frame: Any) -> None:
        raise Interrupted(signum)

    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, stop)
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
        self.began = time.monotonic()
        self.limit = limit
        self.longest = 0.0
        self.worker = SlurmWorker(run_file)
        is_again = int(os.environ.get("SLURM_RESTART_COUNT") or 0) > 0
        self.is_helped = is_again or files.is_taken(run_file, name)
        self.writer = journal.Writer(run_file.journal, name)
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

    def _run_one(self, job: Job, first: bool = False, helping: bool = False) -> bool:
        if self.is_helped and (ended := self._ended(job)):
            return ended == "done"  # whoever ran it has said so
        task = self.round.task(job)
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
            state, reason = self.worker.cause or ("interrupted", "interrupted")
            self._note(state, job, reason)
            if stop.signum == signal.SIGHUP:
                self._give_back()
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.longest = max(self.longest, time.monotonic() - began)
        is_done = status["state"] == "done"
        self._note("done" if is_done else "failed", job,
                   f"{status.get('wall') or 0:.3f}" if is_done else status.get("reason"))  # fmt: skip
        return is_done

    def _run_or_wait(self, job: Job, task: Task) -> dict[str, Any]:
        pause = FIRST_LOOK
        self._note("start", job)
        while True:
            status = self.worker.run(task, self._node(job), self.round.attempts.get(job.id, 0))
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
        is_new = status.get("attempt", 0) > self.round.attempts.get(job.id, 0)
        return status["state"] if is_new and status["state"] in ("done", "failed") else None

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


# -- what Slurm did --------------------------------------------------------------------------------


class SlurmWorker(Worker):
    """A worker that records why Slurm ended a job: out of memory, time limit, cancelled, preempted.

    Attributes:
        cause: state and reason of the job that was ended last.
    """

    def __init__(self, run_file: RunFile):
        super().__init__(run_file.root, **worker_options(run_file.meta))
        self.cause: tuple[str, str] | None = None
        self._killed = oom_kills()

    def _record(self, task: Task, claim: claims.Claim, status: dict[str, Any]) -> None:
        if status["state"] == "interrupted":
            self._note_cause(status)
        elif status["state"] == "failed" and status.get("reason") == "killed by SIGTERM":
            # Slurm ends all processes of a task at once: the job's end may be seen before our own signal.
            try:
                time.sleep(TOGETHER)
            except Interrupted:
                self._note_cause(status)
                super()._record(task, claim, status)
                raise
        elif status["state"] == "failed" and status.get("reason") == "killed by SIGKILL":
            killed = oom_kills()
            if killed > self._killed:
                status["reason"] = "out of memory"
            elif killed < 0:
                status["reason"] = "killed by SIGKILL, most likely out of memory"
            self._killed = killed
        super()._record(task, claim, status)

    def _note_cause(self, status: dict[str, Any]) -> None:
        self.cause = status["state"], status["reason"] = why_ended()


def why_ended() -> tuple[str, str]:
    """State and reason of the job that ran when Slurm ended this task.

    A timeout is the job's own fault; whatever else ends a task, the job may run again.
    """
    said = _last_words() or _own_state()
    for sign, state, why in (
        ("TIME LIMIT", "failed", "timeout: the time limit of the Slurm task"),
        ("TimeLimit", "failed", "timeout: the time limit of the Slurm task"),
        ("TIMEOUT", "failed", "timeout: the time limit of the Slurm task"),
        ("OUT_OF_MEMORY", "failed", "out of memory"),
        ("PREEMPT", "interrupted", "preempted"),
        ("REQUEUE", "interrupted", "requeued"),
        ("NODE", "interrupted", "node failure"),
    ):
        if sign in said:
            return state, why
    return "interrupted", "cancelled"


def _last_words() -> str:
    """What Slurm wrote into this task's output before it ended it: `*** JOB 1 ON n1 CANCELLED AT ... ***`."""
    try:
        with open("/proc/self/fd/1", "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 500))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.upper() for line in reversed(lines) if "*** JOB" in line or "*** STEP" in line), "")


def _own_state() -> str:
    """State and reason as squeue shows them, for where the output says nothing."""
    own = f"{os.environ['SLURM_JOB_ID']}|"
    words = ["squeue", "--noheader", "--states=all", f"--jobs={own[:-1]}", "-o", "%A|%T|%r"]
    for _ in range(3):
        # The signals that end this task end its children, too: the first call may not come back.
        try:
            found = subprocess.run(words, capture_output=True, text=True, timeout=5, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        for line in found.stdout.splitlines():
            if line.startswith(own):
                return line
        time.sleep(0.1)
    return ""


def oom_kills() -> int:
    """How often the kernel ended a process of this control group for memory; -1 where it does not tell."""
    for path in _memory_files():
        try:
            with open(path) as file:
                match = re.search(r"^oom_kill (\d+)$", file.read(), re.MULTILINE)
        except OSError:
            continue
        if match:
            return int(match.group(1))
    return -1


def _memory_files() -> list[str]:
    try:
        with open("/proc/self/cgroup") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return []
    found = [f"/sys/fs/cgroup/memory{path}/memory.oom_control" for _, kind, path in lines if kind == "memory"]
    return found + [f"/sys/fs/cgroup{path}/memory.events" for _, kind, path in lines if not kind]


if __name__ == "__main__":
    sys.exit(main())
