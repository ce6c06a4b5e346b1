"""The Slurm backend: submits a run as a few arrays and watches it; the run does not need the watcher.

What is submitted together is decided in slurm_plan.py, what runs in a task is slurm_task.py.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kwdag.backends import slurm_files as files
from kwdag.backends.base import Ended, Reporter, Run, Setup
from kwdag.backends.slurm_cli import Slurm, check_options, option_words
from kwdag.backends.slurm_flight import Flight, in_flight, tasks_of
from kwdag.backends.slurm_submit import Submitter, job_options
from kwdag.backends.slurm_watch import Watch
from kwdag.backends.store import store
from kwdag.errors import BackendError
from kwdag.plan import Job
from kwdag.signals import Interrupted

#: How many sets of options are shown to sbatch before anything is written.
TRIED = 10


def make(setup: Setup) -> SlurmBackend:
    """The Slurm backend as its user wants it."""
    return SlurmBackend(
        setup.slurm_options, setup.slurm_pack, setup.settings(), setup.worker.env, setup.follow
    )


@dataclass(slots=True)
class SlurmBackend:
    """Runs jobs as tasks of Slurm arrays.

    Attributes:
        options: for sbatch, for all jobs; what a node or a row says goes before.
        pack: jobs per task; None: about a minute of work each, while all CPUs have some.
        settings: what the tasks need to know (see Setup.settings).
        env: added to the caller's environment.
        follow: False leaves the run to Slurm once it is submitted.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    pack: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    follow: bool = True
    name: str = "slurm"
    _slurm: Slurm | None = None

    def check(self, run: Run) -> None:
        """Raise BackendError when Slurm is not there or sbatch would not take an option or its value."""
        for program in ("sbatch", "squeue", "scontrol", "scancel"):
            if shutil.which(program) is None:
                raise BackendError(f"{program} is not installed", where="--backend=slurm",
                                   hint="run on a machine of the cluster, or use --backend=tmux")  # fmt: skip
        slurm = self._client()
        known = slurm.option_names()
        for given in (
            self.options,
            *(node.slurm_options for node in run.plan.wiring.nodes.values()),
            *run.plan.slurm_options.values(),
        ):
            check_options(given, known)
        self._try_out(run, slurm)

    def _try_out(self, run: Run, slurm: Slurm) -> None:
        """Show sbatch the sets of options, the first of them where each row has its own."""
        nodes: dict[tuple[str, ...], str] = {}
        options = self._job_options(run, run.jobs)
        for job in run.jobs:
            nodes.setdefault(option_words({**options[job.id], "array": None}), job.node.name)
        for words, node in list(nodes.items())[:TRIED]:
            said = slurm.refusal(words) if words else None
            if said:
                where = f"slurm_options of node {node!r}"
                raise BackendError(f"sbatch refuses {' '.join(words)}: {said}", where=where)

    def _client(self) -> Slurm:
        if self._slurm is None:
            self._slurm = Slurm()
            self._slurm.add_env(self.env)
        return self._slurm

    def run(self, run: Run, report: Reporter) -> list[Ended]:
        """Submit, and watch until all has ended.

        Raises:
            BackendError: sbatch refused; nothing of this run is left in the queue.
            Interrupted: by Ctrl-C or SIGTERM, after what was submitted was cancelled; by SIGHUP it goes on.
        """
        slurm = self._client()
        with files.starting(run.plan.root):
            flights = in_flight(run.plan.root, slurm)
            elsewhere = tasks_of(flights)
            waited = {job.id for job in run.jobs} & elsewhere.keys()
            own = self._submit(run, slurm, elsewhere)
        watch = Watch(slurm, run, [*flights, *([own] if own else [])], report,
                      int(self.settings.get("max_failures") or 0))  # fmt: skip
        report.note(submitted(own, len(waited), slurm))
        if not self.follow:
            return []
        try:
            return list(watch.follow())
        except Interrupted as stop:
            if stop.signum != signal.SIGHUP and own is not None:
                watch.cancel(own)
            raise

    def _submit(self, run: Run, slurm: Slurm, elsewhere: Mapping[str, str]) -> Flight | None:
        jobs = [job for job in run.jobs if job.id not in elsewhere]
        if not jobs:
            return None
        own = {"options": dict(self.options), "pack": self.pack}
        run_file = store(run, {**self.settings, "slurm": own})
        submitter = Submitter(run_file, slurm, slurm.limits(files.limits_path(run.plan.root)))
        submitter.prepare(1, jobs, self._job_options(run, jobs), elsewhere)
        try:
            submitter.feed(1)
        except BaseException:
            slurm.cancel(done.id for done in files.read_submitted(run_file, 1))
            files.close(run_file)
            raise
        return Flight(run_file)

    def _job_options(self, run: Run, jobs: Sequence[Job]) -> dict[str, dict[str, Any]]:
        given = run.plan.slurm_options
        return {
            job.id: job_options(job.node, self.options, given.get(job.id) or job.node.slurm_options)
            for job in jobs
        }


def submitted(own: Flight | None, waited: int, slurm: Slurm) -> list[str]:
    """What was done, in a few lines."""
    lines = []
    if own is not None:
        tasks = sum(len(array.chunks) for array in own.arrays())
        ids = own.ids(with_next=False)
        lines.append(f"{len(ids)} Slurm arrays with {tasks} tasks: {' '.join(map(str, sorted(ids)[:8]))}")
        lines += [f"look: squeue --jobs={','.join(map(str, sorted(ids)[:8]))}"] if ids else []
        if len(ids) < len(own.arrays()):
            lines.append(f"{len(own.arrays()) - len(ids)} more arrays follow when Slurm has room for them")
    if waited:
        lines.append(f"{waited} jobs are in Slurm already: waiting for them")
    return [*lines, f"calls: {slurm.spent()}"]
