"""Submits the arrays of a run: one sbatch each, in the order they wait for each other, as room is.

Used by the scheduler and by the small job that goes on with a run when no scheduler is alive.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from types import MappingProxyType
from typing import Any

from kwdag import jobdir
from kwdag.backends import slurm_files as files
from kwdag.backends.slurm_cli import Busy, Full, Limits, QueueLine, Slurm, option_words, patience
from kwdag.backends.slurm_plan import Array, Options, Sizes, plan_arrays
from kwdag.durations import known_seconds
from kwdag.errors import BackendError
from kwdag.node import ProcessNode
from kwdag.plan import Job
from kwdag.runs import RunFile
from kwdag.units import count, memory, seconds

#: The part of MaxJobCount that is ours to fill; jobs of others, and those that ended lately, count too.
SHARE = 0.8
_ARRAY = "--array="


@dataclass(slots=True)
class Submitter:
    """Submits what is planned and not yet submitted of one run."""

    run_file: RunFile
    slurm: Slurm
    limits: Limits
    _settings: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self._settings = self.run_file.meta.get("slurm") or {}

    def prepare(
        self, number: int, jobs: Sequence[Job], options: Mapping[str, Mapping[str, Any]],
        elsewhere: Mapping[str, str] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        """Plan the arrays of a round and write them down.

        Args:
            options: job id -> options for sbatch.
            elsewhere: ids of jobs that are in Slurm already -> their tasks.
        """
        words = {job.id: option_words(options.get(job.id) or {}) for job in jobs}
        size = min(self.limits.max_array_size, max(1, self.limits.max_job_count // 4))
        sizes = Sizes(
            pack=self._settings.get("pack"),
            slots={found: slots(found, self.limits) for found in set(words.values())},
            seconds=known_seconds(self.run_file.root, {job.node.name for job in jobs}),
            max_array_size=size,
            max_tasks=max(1, self.limits.max_job_count // 2),
        )
        arrays = plan_arrays(jobs, words, sizes)
        if elsewhere:
            arrays = _waiting_elsewhere(arrays, {job.id: job for job in jobs}, elsewhere)
        files.write_arrays(self.run_file, number, arrays)

    def feed(self, number: int, lines: Sequence[QueueLine] | None = None) -> bool:
        """Submit as many arrays of a round as Slurm takes; True when none is left to submit.

        Args:
            lines: the queue as seen just now, None when nothing of the run was submitted before.

        Raises:
            BackendError: sbatch refused.
        """
        with files.submitting(self.run_file):
            if files.is_stopped(self.run_file):
                return True
            arrays = files.read_arrays(self.run_file, number) or []
            ids = {done.place: done.id for done in files.read_submitted(self.run_file, number)}
            room = int(self.limits.max_job_count * SHARE) - len(lines or ())
            full = False
            before = len(ids)
            for place, array in enumerate(arrays):
                if place in ids:
                    continue
                room -= len(array.chunks)
                full = room < 0 or not self._submit(number, place, array, ids, arrays, lines)
                if full:
                    break
            if (full or self.run_file.meta.get("rows")) and not self._next_waits(number, lines):
                self._submit_next(number, ids, must_wait=full and len(ids) == before)
            return not full

    def _submit(
        self, number: int, place: int, array: Array, ids: dict[int, int], arrays: Sequence[Array],
        lines: Sequence[QueueLine] | None,
    ) -> bool:  # fmt: skip
        """Submit one array; False when Slurm takes no more for now."""
        throttle = "".join(word[len(_ARRAY) :] for word in array.options if word.startswith(_ARRAY))
        options = [word for word in array.options if not word.startswith(_ARRAY)]
        words = [f"{_ARRAY}{ranges(array.chunks)}{throttle}", *options]
        for turn in range(2):
            seen = lines if turn == 0 else self.slurm.queue(ids.values())
            wait = dependency(array, ids, arrays, seen)
            more = [f"--dependency={wait}"] if wait else []
            try:
                ids[place] = self._sbatch(number, place, array.nodes, [*words, *more], "--array", str(place))
            except Full:
                return False
            except BackendError as error:
                # What it should wait for may have ended and been forgotten since the last look.
                if "dependency" not in error.message or turn:
                    raise
            else:
                return True
        return True

    def _next_waits(self, number: int, lines: Sequence[QueueLine] | None) -> bool:
        """Whether the job that goes on from here is in the queue already; it may be the one that asks."""
        nexts = {done.id for done in files.read_submitted(self.run_file, number) if done.place == files.NEXT}
        nexts.discard(int(os.environ.get("SLURM_JOB_ID") or 0))
        return any(line.alive for line in lines or () if line.array in nexts)

    def _submit_next(self, number: int, ids: Mapping[int, int], must_wait: bool) -> None:
        """The small job that goes on from here when these arrays have ended."""
        if not ids:
            return
        after = ":".join(str(array) for place, array in sorted(ids.items()) if place != files.NEXT)
        options = option_words(self._settings.get("next_options") or {})
        words = [*options, *([f"--dependency=afterany:{after}"] if after else [])]
        if must_wait:  # what has ended takes up room until Slurm forgets it
            words.append(f"--begin=now+{min(60, int(self.limits.min_job_age) + 1)}")
        try:
            self._sbatch(number, files.NEXT, ["next"], words)
        except Full:
            return

    def _sbatch(self, number: int, place: int, nodes: Sequence[str], words: Sequence[str], *task: str) -> int:
        """Call sbatch, and when its answer is lost find out whether it was heard; raises Full."""
        mark = files.comment(self.run_file, number, place)
        command = ["sbatch", "--parsable", *self._common(nodes), f"--comment={mark}", *words]
        script = self._script(number, *task)
        array_id: int | None = None
        for _ in patience():
            try:
                array_id = int(self.slurm.once(*command, stdin=script).split(";")[0])
            except Busy:
                array_id = self._find(mark)
            if array_id is not None:
                files.note_submitted(self.run_file, number, place, array_id)
                return array_id
        raise BackendError("the controller of Slurm gives no answer", where="sbatch")

    def _find(self, mark: str) -> int | None:
        return max((line.array for line in self.slurm.queue() if line.comment == mark), default=None)

    def _common(self, nodes: Sequence[str]) -> list[str]:
        folder = files.output_dpath(self.run_file)
        jobdir.make_dir(folder)
        name = "%j.out" if nodes == ["next"] else "%A_%a.out"
        # In a file name, Slurm replaces what follows a percent sign; a backslash it cannot be told at all.
        output = "/dev/null" if "\\" in folder else f"{folder.replace('%', '%%')}/{name}"
        return [
            f"--job-name={job_name(self.run_file.meta.get('queue_name') or 'kwdag', nodes)}",
            f"--chdir={self.run_file.meta['workdir']}",
            f"--output={output}",
            "--open-mode=append",
            "--requeue",
            "--kill-on-invalid-dep=yes",
            "--export=ALL",
        ]

    def _script(self, number: int, *task: str) -> str:
        module = "slurm_task" if task else "slurm_next"
        words = [sys.executable, "-m", f"kwdag.backends.{module}", self.run_file.dpath, f"--round={number}"]
        return f"#!/bin/bash\nexec {shlex.join([*words, *task])}\n"


def _waiting_elsewhere(
    arrays: Iterable[Array], jobs: Mapping[str, Job], elsewhere: Mapping[str, str]
) -> list[Array]:
    """The arrays, those that read from jobs of other runs waiting for their tasks, too."""
    found = []
    for array in arrays:
        ids = (job_id for chunk in array.chunks.values() for job_id in chunk)
        tasks = {
            elsewhere[up.id] for job_id in ids for up in jobs[job_id].predecessors() if up.id in elsewhere
        }
        found.append(replace(array, elsewhere=tuple(sorted(tasks))))
    return found


def job_name(queue_name: str, nodes: Sequence[str]) -> str:
    """What a person reads in squeue: `<queue>:<node>+<node>`.

    >>> job_name("kwdag", ["a", "b", "c", "d", "e"])
    'kwdag:a+b+c+2more'
    """
    more = f"+{len(nodes) - 3}more" if len(nodes) > 3 else ""
    return f"{queue_name}:{'+'.join(nodes[:3])}{more}"


def ranges(indices: Iterable[int]) -> str:
    """Indices as sbatch takes them.

    >>> ranges([0, 1, 2, 5, 7, 8])
    '0-2,5,7-8'
    """
    parts = []
    for _, run in groupby(enumerate(sorted(indices)), lambda pair: pair[1] - pair[0]):
        found = [index for _, index in run]
        parts.append(f"{found[0]}-{found[-1]}" if len(found) > 1 else str(found[0]))
    return ",".join(parts)


def dependency(
    array: Array, ids: Mapping[int, int], arrays: Sequence[Array], lines: Sequence[QueueLine] | None
) -> str:
    """The words after `--dependency=`, empty when there is nothing left to wait for.

    What has left the queue has ended: Slurm refuses to wait for it, and the task looks for itself.
    """
    terms = []
    alive = None if lines is None else Counter(line.array for line in lines if line.alive)
    known = None if lines is None else Counter(line.array for line in lines)
    corresponding = []
    for place in array.matches:
        if known is None or known[ids[place]] >= len(arrays[place].chunks):
            corresponding.append(str(ids[place]))
        elif alive and alive[ids[place]]:
            terms.append(f"afterany:{ids[place]}")
    if corresponding:
        terms.insert(0, "aftercorr:" + ":".join(corresponding))
    waits = []
    here = None if lines is None else {(line.array, line.task) for line in lines if line.alive}
    for place, index in array.after:
        if index < 0 and (alive is None or alive[ids[place]]):
            waits.append(str(ids[place]))
        elif index >= 0 and (here is None or (ids[place], index) in here):
            waits.append(f"{ids[place]}_{index}")
    waits += array.elsewhere
    if waits:
        terms.append("afterany:" + ":".join(waits))
    return ",".join(terms)


# -- options and sizes -----------------------------------------------------------------------------


def job_options(node: ProcessNode, general: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The options of one job: general ones, what the node asks for, what was given for the job."""
    merged = {**general, **resource_options(node), **own}
    found: dict[str, Any] = {}
    for name, value in merged.items():
        found[str(name).replace("_", "-")] = value
    return found


def resource_options(node: ProcessNode) -> dict[str, Any]:
    """What a node asks for, as options of sbatch; its time with a margin, since kwdag itself keeps it."""
    asked = node.resources
    found: dict[str, Any] = {}
    if asked.get("cpus"):
        found["cpus-per-task"] = count(asked["cpus"])
    if asked.get("mem"):
        found["mem"] = f"{-(-memory(asked['mem']) // 2**20)}M"
    if count(asked.get("gpus") or 0):
        found["gres"] = f"gpu:{asked['gpus']}"
    limit = seconds(asked.get("time"))
    if limit:
        found["time"] = slurm_time(limit + 60)
    return found


def slurm_time(limit: float) -> str:
    """Seconds as `days-hours:minutes:seconds`.

    >>> slurm_time(90061)
    '1-01:01:01'
    """
    minutes, rest = divmod(int(-(-limit // 1)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}-{hours:02}:{minutes:02}:{rest:02}"


def slots(words: Options, limits: Limits) -> int:
    """How many tasks with these options fit the cluster at once, as far as CPUs decide it."""
    given = dict(word[2:].split("=", 1) for word in words if "=" in word)
    cpus = limits.cpus.get(given.get("partition", "").split(",")[0], limits.cpus.get("", 16))
    each = given.get("cpus-per-task", "1")
    return max(1, cpus // max(1, int(each) if each.isdecimal() else 1))
