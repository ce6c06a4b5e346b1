"""A worker that finds out why Slurm ended a job, and records it.

What is done about it is decided in slurm_task.py.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any

from kwdag import again, claims
from kwdag.backends.base import worker_options
from kwdag.runs import RunFile
from kwdag.signals import Interrupted
from kwdag.tasks import Task
from kwdag.worker import Worker

#: Seconds in which our own signal follows when Slurm ends the processes of a task all at once.
TOGETHER = 0.5


class SlurmWorker(Worker):
    """A worker that records why Slurm ended a job: out of memory, time limit, cancelled, preempted.

    Attributes:
        ended: state, reason and cause of the job that was ended last.
    """

    def __init__(self, run_file: RunFile):
        super().__init__(run_file.root, **worker_options(run_file.meta))
        self.resource_retries = 0  # more is Slurm's to give, between two starts of a task
        self.ended: tuple[str, str, str | None] | None = None

    def _record(self, task: Task, claim: claims.Claim, status: dict[str, Any]) -> bool:
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
        return super()._record(task, claim, status)

    def _note_cause(self, status: dict[str, Any]) -> None:
        self.ended = status["state"], status["reason"], status["cause"] = why_ended()


def why_ended() -> tuple[str, str, str | None]:
    """State, reason and cause of the end of the job that ran when Slurm ended this task.

    A timeout is the job's own fault; whatever else ends a task, the job may run again.
    """
    said = _last_words() or _own_state()
    too_long = "timeout: the time limit of the Slurm task"
    for sign, state, why, cause in (
        ("TIME LIMIT", "failed", too_long, again.TIME),
        ("TimeLimit", "failed", too_long, again.TIME),
        ("TIMEOUT", "failed", too_long, again.TIME),
        ("OUT_OF_MEMORY", "failed", "out of memory", again.MEMORY),
        ("PREEMPT", "interrupted", "preempted", None),
        ("REQUEUE", "interrupted", "requeued", None),
        ("NODE", "interrupted", "node failure", None),
    ):
        if sign in said:
            return state, why, cause
    return "interrupted", "cancelled", None


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
