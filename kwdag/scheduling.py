"""Load, expand, plan, select, run: the steps of `kwdag schedule`, one call a line.

Each step is a module of its own; this one only hands the result of one to the next. It prints nothing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from kwdag import jobdir
from kwdag.backends import check_name, make_backend
from kwdag.backends.base import Ended, Reporter, Run, Setup
from kwdag.errors import KwdagError, RootError, did_you_mean
from kwdag.journal import Event
from kwdag.outlook import Options, Outlook, absent_of, check_inputs, look_ahead
from kwdag.pipeline import Pipeline
from kwdag.plan import Job
from kwdag.request import MAX_ROWS, Request, prepare
from kwdag.select import STALE_POLICIES
from kwdag.state import Inspector
from kwdag.surroundings import environment, git_commit
from kwdag.tasks import TaskMaker
from kwdag.worker import Worker

#: Whether a run on tmux or Slurm is followed in this window; the names are kwdagger's.
MONITORS = {"inline": True, "hybrid": True, "none": False, "tmux": False}


@dataclass(frozen=True, slots=True)
class Schedule:
    """What `schedule` did, or with ``run=False`` would do.

    Attributes:
        ended: how each job of this run ended; empty for a dry run.
        ran: whether jobs were run.
        left_alone: number of jobs that run on elsewhere, nobody following them here.
    """

    request: Request
    outlook: Outlook
    ended: tuple[Ended, ...] = ()
    ran: bool = False
    adopted: tuple[str, ...] = ()
    left_alone: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs ended in each state."""
        return dict(Counter(event.state for event in self.ended))

    @property
    def complete(self) -> bool:
        """Whether every requested job is done; disabled jobs are not requested."""
        selection = self.outlook.selection
        return not (selection.run or selection.blocked or self.outlook.plan.open)


def schedule(
    params: Any = None,
    *,
    root_dpath: str | os.PathLike[str],
    pipeline: Any = None,
    run: bool = False,
    backend: str = "serial",
    cache: bool = True,
    stale: str = "rerun",
    adopt: bool = False,
    max_configs: int | None = None,
    max_rows: int = MAX_ROWS,
    enable_links: bool = True,
    log: bool = True,
    virtualenv_cmd: str | None = None,
    retries: int = 0,
    resource_retries: int = 2,
    max_failures: int = 0,
    queue_name: str = "kwdag",
    tmux_workers: int = 8,
    devices: Any = None,
    other_session_handler: str = "ask",
    slurm_options: Mapping[str, Any] | None = None,
    slurm_pack: int | None = None,
    monitor: str = "inline",
    counted: Callable[[int], None] | None = None,
    announce: Callable[[Schedule], AbstractContextManager[Reporter]] | None = None,
) -> Schedule:
    """Expand a matrix over a pipeline and, with ``run``, run every combination once.

    Args:
        params: a mapping, YAML text or the path of a YAML file: the matrix, and the pipeline if not given.
        root_dpath: folder below which the job directories lie.
        stale: what to do with done jobs whose inputs or command changed: `rerun`, `keep` or `error`.
        max_configs: take only the first rows.
        retries: run a job that exits with another code than 0 so many times more.
        resource_retries: run a job that ran out of time or memory so many times more, with more of it.
        max_failures: stop after that many failed jobs; 0 goes on.
        monitor: `inline` follows the run to its end; `none` returns when tmux or Slurm has it.
        counted: told the number of rows before they are expanded.
        announce: called with the outlook before anything runs; what it returns is told what happens.

    Raises:
        KwdagError: bad input, before anything is written. signals.Interrupted: told to stop.
    """
    check_name(backend)
    _check_known(stale, STALE_POLICIES, "--stale")
    _check_known(monitor, MONITORS, "--monitor")
    request = prepare(
        params, root_dpath, pipeline, max_configs=max_configs, max_rows=max_rows, counted=counted
    )
    options = Options(cache, stale, adopt)
    inspector = Inspector()
    outlook = look_ahead(request, options, inspector)
    check_inputs(request, outlook)
    first = Schedule(request, outlook)
    if not run:
        if announce:
            announce(first)
        return first
    worker = Worker(
        request.root,
        backend=backend,
        git=git_commit(request.workdir),
        log=log,
        links=enable_links,
        retries=retries,
        resource_retries=resource_retries,
        env=environment(virtualenv_cmd) if virtualenv_cmd else {},
        stamps=inspector.stamps,
    )
    setup = Setup(
        worker,
        queue_name=queue_name,
        max_failures=max_failures,
        workers=tmux_workers,
        devices=devices,
        other_sessions=other_session_handler,
        slurm_options=slurm_options or {},
        slurm_pack=slurm_pack,
        follow=MONITORS[monitor],
    )
    engine = make_backend(backend, setup)
    engine.check(_as_run(outlook, {}))
    _make_root(request.root)
    with announce(first) if announce else nullcontext(_Silent()) as report:
        return run_rounds(request, options, outlook, engine, worker, report, setup.follow)


def _make_root(root: str) -> None:
    # Where a folder only looks writable, as below /proc, this is the first to find out.
    try:
        os.makedirs(root, exist_ok=True)
    except OSError as error:
        message = f"cannot make {root!r}: {(error.strerror or str(error)).lower()}"
        raise RootError(message, where="--root_dpath") from None


def _check_known(name: str, known: Iterable[str], option: str) -> None:
    if name not in known:
        raise KwdagError(f"{name!r} is unknown", where=option, hint=did_you_mean(name, known))


def run_rounds(request: Request, options: Options, outlook: Outlook, backend: Any, worker: Worker,
               report: Reporter, follow: bool = True) -> Schedule:  # fmt: skip
    """Run what was selected, and again for as long as scattering jobs open new branches."""
    ended: list[Ended] = []
    adopted: list[str] = []
    asked = set(outlook.selection.run)
    shared = _shared(request, options)
    jobdir.write_pipeline_record(request.root, _record(request))
    while True:
        adopted += adopt(outlook, worker)
        run = _as_run(outlook, shared)
        fresh = backend.run(run, report) if run.jobs else []
        if run.jobs and not fresh and not follow:
            return Schedule(request, outlook, (), True, tuple(adopted), len(run.jobs))
        ended += fresh
        settled = frozenset(event.job.id for event in ended)
        outlook = look_ahead(request, options, Inspector(worker.stamps), settled)
        opened = set(outlook.selection.run) - asked
        if not opened or not asked <= settled:  # nothing new, or the backend has stopped early
            return Schedule(request, outlook, tuple(ended), True, tuple(adopted))
        asked |= opened


def _as_run(outlook: Outlook, request: Mapping[str, Any]) -> Run:
    plan = outlook.plan
    jobs = tuple(plan.jobs[job_id] for job_id in outlook.selection.run)
    attempts = {job.id: outlook.states[job.id].attempt for job in jobs}
    return Run(plan, jobs, attempts, absent_of(outlook), request)


def adopt(outlook: Outlook, worker: Worker) -> list[str]:
    """Record results that were made by hand and hold."""
    maker = TaskMaker(outlook.plan)
    # Upstream first: each records the runs of those that it read from, which adoption itself names.
    done = (job_id for job_id in outlook.plan.jobs if job_id in outlook.selection.done)
    found = [job_id for job_id in done if outlook.states[job_id].by_hand]
    for job_id in found:
        job = outlook.plan.jobs[job_id]
        worker.adopt(maker.task(job), job.node, outlook.states[job_id].status or {})
    return found


def _shared(request: Request, options: Options) -> dict[str, Any]:
    """What processes elsewhere need to plan further rounds: the rows, where rows can multiply at all."""
    scatters = any(node.scatter is not None for node in request.wiring.nodes.values())
    return {
        "pipeline": _record(request)["pipeline"],
        "rows": list(request.rows) if scatters else None,
        "cache": options.cache,
        "stale": options.stale,
    }


def _record(request: Request) -> dict[str, Any]:
    """What `aggregate` needs to find the pipeline again, and `status` to list its nodes in order."""
    from kwdag.yaml_pipeline import to_spec

    reference = request.reference
    if isinstance(reference, Pipeline):
        try:
            reference = to_spec(reference)
        except KwdagError:
            reference = None
    return {"pipeline": reference, "workdir": request.workdir, "nodes": list(request.wiring.nodes)}


class _Silent:
    def started(self, job: Job) -> None: ...

    def ended(self, event: Ended) -> None: ...

    def waiting(self, jobs: Iterable[Job]) -> None: ...

    def note(self, lines: Iterable[str]) -> None: ...

    def heard(self, event: Event) -> None: ...
