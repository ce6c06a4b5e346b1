"""Asks Slurm for more: a task whose jobs ran out of time or memory is requeued with larger limits.

It stays the same task of the same array, so that what waits for it goes on waiting. Which job is tried again
is decided in again.py and slurm_task.py.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from kwdag import again
from kwdag.again import Took
from kwdag.backends import slurm_files as files
from kwdag.backends.slurm_files import More
from kwdag.backends.slurm_submit import slurm_time
from kwdag.runs import RunFile

#: Seconds that a task has beside the time limit of its job, as slurm_submit.py asks for it.
BESIDE = 60.0


@dataclass(frozen=True, slots=True)
class Short:
    """A job that ran out of something.

    Attributes:
        timeout: its own time limit in seconds where that was what ended it.
        took: what others of its node took.
    """

    status: Mapping[str, Any]
    timeout: float | None
    took: Took


def larger(turn: int, short: Mapping[str, Short], limit: float | None, memory: int | None) -> More:
    """What the next try of a task gets.

    Args:
        short: job id -> what it ran out of.
        limit: seconds that the task had. memory: bytes that it had.
    """
    timeouts: dict[str, float] = {}
    times: list[float] = []
    sizes: list[int] = []
    for job_id, found in short.items():
        if found.status["cause"] == again.MEMORY:
            sizes.append(again.more_memory(memory or found.status.get("max_rss") or 0, found.took))
        elif found.timeout is not None:
            timeouts[job_id] = again.more_seconds(found.timeout, found.took)
            times.append(timeouts[job_id] + BESIDE)
        else:
            times.append(again.more_seconds(limit or found.status.get("wall") or 0.0, found.took))
    attempts = {job_id: found.status["attempt"] for job_id, found in short.items()}
    return More(turn, attempts, timeouts, max(times, default=None), max(sizes, default=None))


def requeue(run_file: RunFile, task: str, more: More, say: Callable[[str], None]) -> bool:
    """Requeue this very task with what it is to get; False when Slurm does not want to.

    Once it is requeued this process is on borrowed time: it must end.
    """
    files.write_more(run_file, task, more)
    job = os.environ["SLURM_JOB_ID"]
    with _unharmed():
        complaint = _scontrol("requeue", job)
        if complaint is not None:
            say(f"not requeued: {complaint}")
            return False
        # Only what waits in the queue may be given more.
        for words in _updates(more):
            complaint = _scontrol("update", f"JobId={job}", words)
            if complaint is not None:
                files.write_more(run_file, task, replace(more, refused=complaint))
                say(f"{words}: {complaint}")
                break
    return True


def _updates(more: More) -> Iterator[str]:
    if more.seconds is not None:
        yield f"TimeLimit={slurm_time(more.seconds)}"
    if more.memory is not None:
        megabytes = math.ceil(more.memory / 2**20)
        if "SLURM_MEM_PER_CPU" in os.environ:
            yield f"MinMemoryCPU={math.ceil(megabytes / _cpus())}"
        else:
            yield f"MinMemoryNode={megabytes}"


def memory_limit() -> int | None:
    """Bytes that Slurm gives this task, None where it sets no limit."""
    per_node, per_cpu = os.environ.get("SLURM_MEM_PER_NODE"), os.environ.get("SLURM_MEM_PER_CPU")
    megabytes = int(per_node or 0) or int(per_cpu or 0) * _cpus()
    return megabytes * 2**20 or None


def _cpus() -> int:
    return int(os.environ.get("SLURM_CPUS_ON_NODE") or 1)


def _scontrol(*words: str) -> str | None:
    """What scontrol complained of, None for nothing."""
    try:
        found = subprocess.run(["scontrol", *words], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if found.returncode == 0 else found.stderr.strip().rpartition("\n")[2]


@contextmanager
def _unharmed() -> Iterator[None]:
    """Requeueing ends this task by SIGTERM, which its last calls must survive, children included."""
    signums = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {signum: signal.signal(signum, signal.SIG_IGN) for signum in signums}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
