"""What a run on Slurm keeps beside its rounds, so that any process can go on where another stopped.

round-1/arrays.json       the arrays to submit, written before the first sbatch
round-1/submitted.jsonl   a line for each sbatch that was accepted: place of the array, its id in Slurm
slurm/                    what the tasks themselves print
slurm/1_0.more.json       what task 1_0 gets in its next try, where a job of it ran out of time or memory
slurm.lock                held by whoever submits
slurm.stopped             nothing more is to be submitted for this run
slurm.closed              nothing of this run is left in Slurm
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from kwdag import jobdir, runs
from kwdag.backends.slurm_plan import Array
from kwdag.runs import RunFile

#: Place of the small job that goes on with a run when the arrays before it have ended.
NEXT = -1


@dataclass(frozen=True, slots=True)
class Submitted:
    """An array as Slurm knows it."""

    place: int
    id: int
    time: float


def write_arrays(run_file: RunFile, number: int, arrays: Iterable[Array]) -> None:
    """Write down what a round is going to submit; raises jobdir.WriteError."""
    content = {"schema": jobdir.SCHEMA, "arrays": [asdict(array) for array in arrays]}
    path = f"{run_file.round_dpath(number)}/arrays.json"
    jobdir.write_replacing(path, json.dumps(content, separators=(",", ":")), shared=True)


def read_arrays(run_file: RunFile, number: int) -> list[Array] | None:
    """What ``write_arrays`` wrote, None when a round has no arrays yet."""
    content = jobdir.read_json(f"{run_file.round_dpath(number)}/arrays.json")
    return None if content is None else [_array(entry) for entry in content["arrays"]]


def _array(entry: Mapping[str, Any]) -> Array:
    return Array(
        options=tuple(entry["options"]),
        nodes=tuple(entry["nodes"]),
        chunks={int(index): tuple(ids) for index, ids in entry["chunks"].items()},
        matches=tuple(entry["matches"]),
        after=tuple((array, index) for array, index in entry["after"]),
        elsewhere=tuple(entry["elsewhere"]),
    )


def note_submitted(run_file: RunFile, number: int, place: int, array_id: int) -> None:
    """Add a line for an accepted sbatch."""
    path = f"{run_file.round_dpath(number)}/submitted.jsonl"
    line = json.dumps({"place": place, "id": array_id, "time": time.time()}) + "\n"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(fd, line.encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise jobdir.writing(path, error) from None


def read_submitted(run_file: RunFile, number: int) -> list[Submitted]:
    """The accepted submissions of a round; a cut last line is left out."""
    found = []
    try:
        with open(f"{run_file.round_dpath(number)}/submitted.jsonl", encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    found.append(Submitted(**json.loads(line)))
    except FileNotFoundError:
        pass
    return found


def take_chunk(run_file: RunFile, task: str) -> bool:
    """Take the chunk of a task that has not started; False when it has, or when another one was faster."""
    if os.path.exists(f"{run_file.journal}/{task}.log"):
        return False
    try:
        os.close(os.open(f"{output_dpath(run_file)}/{task}.taken", os.O_CREAT | os.O_EXCL, 0o666))
    except FileExistsError:
        return False
    return True


def is_taken(run_file: RunFile, task: str) -> bool:
    """Whether another task has taken the chunk of this one."""
    return os.path.exists(f"{output_dpath(run_file)}/{task}.taken")


@dataclass(frozen=True, slots=True)
class More:
    """What a task gets in its next try.

    Attributes:
        turn: how many tries with more there were, this one included.
        jobs: id of a job to run again -> its last attempt.
        timeouts: id of a job -> its own time limit in seconds.
        seconds, memory: the task's new limits, None where they stay; memory in bytes.
        refused: what Slurm said when it did not give them.
    """

    turn: int
    jobs: Mapping[str, int]
    timeouts: Mapping[str, float]
    seconds: float | None = None
    memory: int | None = None
    refused: str | None = None


def write_more(run_file: RunFile, task: str, more: More) -> None:
    """Write down what a task gets in its next try; raises jobdir.WriteError."""
    jobdir.write_replacing(f"{output_dpath(run_file)}/{task}.more.json", jobdir.as_json(asdict(more)))


def read_more(run_file: RunFile, task: str) -> More:
    """What ``write_more`` wrote; nothing more before the first time."""
    content = jobdir.read_json(f"{output_dpath(run_file)}/{task}.more.json")
    return More(0, {}, {}) if content is None else More(**content)


def comment(run_file: RunFile, number: int, place: int) -> str:
    """The mark by which a submission is found again when the answer of sbatch was lost."""
    return f"kwdag:{os.path.basename(run_file.dpath)}:{number}:{place}"


def output_dpath(run_file: RunFile) -> str:
    return f"{run_file.dpath}/slurm"


@contextmanager
def submitting(run_file: RunFile) -> Iterator[None]:
    """Only one process at a time submits for a run."""
    with _locked(f"{run_file.dpath}/slurm.lock"):
        yield


@contextmanager
def starting(root: str) -> Iterator[None]:
    """Only one scheduler at a time looks what is in flight below a root and adds to it."""
    jobdir.make_dir(f"{root}/{jobdir.RUN_DPATH}")
    with _locked(f"{root}/{jobdir.RUN_DPATH}/slurm.lock"):
        yield


@contextmanager
def _locked(path: str) -> Iterator[None]:
    try:
        file = open(path, "a")  # noqa: SIM115  (closed below, and the lock with it)
    except OSError as error:
        raise jobdir.writing(path, error) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        file.close()


def limits_path(root: str) -> str:
    return f"{root}/{jobdir.RUN_DPATH}/slurm_limits.json"


def stop(run_file: RunFile) -> None:
    """Say that nothing more is to be submitted for a run; whoever submits just now comes to its end first."""
    with submitting(run_file):
        jobdir.write_plain(f"{run_file.dpath}/slurm.stopped", "")


def is_stopped(run_file: RunFile) -> bool:
    """Whether nothing more is to be submitted for a run."""
    return os.path.exists(f"{run_file.dpath}/slurm.stopped")


def close(run_file: RunFile) -> None:
    """Say that nothing of a run is left in Slurm."""
    jobdir.write_plain(f"{run_file.dpath}/slurm.closed", "")


def is_closed(run_file: RunFile) -> bool:
    return os.path.exists(f"{run_file.dpath}/slurm.closed")


def open_runs(root: str) -> Sequence[RunFile]:
    """The runs below a root that may have something left in Slurm."""
    folder = f"{root}/{jobdir.RUN_DPATH}/{runs.RUNS}"
    found = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        dpath = f"{folder}/{name}"
        if os.path.exists(f"{dpath}/round-1/arrays.json") and not os.path.exists(f"{dpath}/slurm.closed"):
            found.append(runs.load(dpath))
    return found
