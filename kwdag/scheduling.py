"""Load, expand, plan, select, run: the steps of `kwdag schedule`, one call a line.

Each step is a module of its own; this one only hands the result of one to the next. It prints nothing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kwdag import contract, jobdir, script
from kwdag.backends import check_name, make_backend
from kwdag.backends.base import Ended, Reporter, Run, Setup
from kwdag.errors import KwdagError, MatrixError, PlanError, RootError, did_you_mean
from kwdag.journal import Event
from kwdag.matrix import Params, count_rows, expand, load_params
from kwdag.pipeline import Pipeline, Wiring
from kwdag.pipeline_ref import load_pipeline
from kwdag.plan import Item, Job, Plan
from kwdag.resolve import build_plan, check_keys
from kwdag.select import STALE_POLICIES, Selection, select
from kwdag.sources import neighbour
from kwdag.state import Inspector, State
from kwdag.tasks import TaskMaker
from kwdag.worker import Worker, environment, git_commit

#: Above this many rows a run asks for leave: most often the grid is larger than was meant.
MAX_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, loaded and checked: a pipeline and the rows of a matrix."""

    pipeline: Pipeline
    reference: Any
    wiring: Wiring
    rows: Sequence[Mapping[str, Any]]
    where: Mapping[str, str]
    root: str
    workdir: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """How to treat what is there already.

    Attributes:
        cache: False runs done jobs again.
        stale: `rerun`, `keep` or `error`.
        adopt: take declared outputs that lie in a job directory without a record for its result.
    """

    cache: bool = True
    stale: str = "rerun"
    adopt: bool = False


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run would do: the plan as far as it is known, the states and what was chosen."""

    plan: Plan
    states: Mapping[str, State]
    selection: Selection


@dataclass(frozen=True, slots=True)
class Schedule:
    """What `schedule` did, or with ``run=False`` would do.

    Attributes:
        ended: how each job of this run ended; empty for a dry run.
        ran: whether jobs were run.
    """

    request: Request
    outlook: Outlook
    ended: tuple[Ended, ...] = ()
    ran: bool = False
    adopted: tuple[str, ...] = ()

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
    max_failures: int = 0,
    queue_name: str = "kwdag",
    tmux_workers: int = 8,
    devices: Any = None,
    other_session_handler: str = "ask",
    slurm_options: Mapping[str, Any] | None = None,
    slurm_pack: int | None = None,
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
        max_failures: stop after that many failed jobs; 0 goes on.
        counted: told the number of rows before they are expanded.
        announce: called with the outlook before anything runs; what it returns is told what happens.

    Raises:
        KwdagError: bad input, before anything is written. worker.Interrupted: told to stop.
    """
    check_name(backend)
    _check_known(stale, STALE_POLICIES, "--stale")
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
    )
    engine = make_backend(backend, setup)
    engine.check(_as_run(outlook, {}))
    _make_root(request.root)
    with announce(first) if announce else nullcontext(_Silent()) as report:
        return run_rounds(request, options, outlook, engine, worker, report)


def prepare(
    params: Any,
    root_dpath: str | os.PathLike[str],
    pipeline: Any = None,
    *,
    max_configs: int | None = None,
    max_rows: int = MAX_ROWS,
    counted: Callable[[int], None] | None = None,
) -> Request:
    """Load and check the matrix and the pipeline; nothing below the root is read or written."""
    workdir = os.getcwd()
    root = _checked_root(root_dpath, workdir)
    if params is None:
        raise MatrixError("no params are given", hint="--params takes YAML text or the path of a YAML file")
    loaded = load_params(params)
    reference = _one_pipeline(loaded, pipeline)
    found = load_pipeline(reference)
    wiring = found.wiring()
    where = loaded.keys()
    check_keys(wiring, where)
    if "\n" in root and any(edge.gather for edge in wiring.edges):
        # A manifest is one path a line: its readers would see two.
        raise RootError(f"{root!r} holds a newline, which gathered paths cannot", where="--root_dpath")
    rows, warnings = _rows(loaded, max_configs, max_rows, counted)
    return Request(found, reference, wiring, rows, where, root, workdir, tuple(warnings))


def _one_pipeline(params: Params, given: Any) -> Any:
    if params.pipeline is None and given is None:
        hint = "name it by --pipeline, or by 'pipeline:' in the params"
        raise KwdagError("no pipeline is given", where=params.name, hint=hint)
    if params.pipeline is not None and given is not None and params.pipeline != given:
        raise KwdagError(f"the params name another pipeline, {params.pipeline!r}", where="--pipeline")
    return given if params.pipeline is None else params.pipeline


def _rows(
    params: Params, max_configs: int | None, max_rows: int, counted: Callable[[int], None] | None
) -> tuple[list[dict[str, Any]], list[str]]:
    count = count_rows(params)
    if counted:
        counted(count)
    if count > max_rows:
        raise MatrixError(f"the matrix has {count:,} rows, more than {max_rows:,}", where=params.name,
                          hint=f"if that is meant, add --max_rows={count}")  # fmt: skip
    expansion = expand(params)
    rows = expansion.rows[:max_configs]
    if params.slurm_options:
        rows = [{**row, "__slurm_options__": {**params.slurm_options, **row.get("__slurm_options__", {})}}
                for row in rows]  # fmt: skip
    return rows, list(expansion.warnings)


def _checked_root(root_dpath: str | os.PathLike[str], workdir: str) -> str:
    """The absolute root, if it looks as if it can be written; nothing is made."""
    if not os.fspath(root_dpath):
        raise RootError("the root has no name", where="--root_dpath")
    root = os.path.normpath(os.path.join(workdir, os.path.expanduser(os.fspath(root_dpath))))
    above = root
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if not os.path.isdir(above):
        raise RootError(f"{above!r} is a file, not a folder", where="--root_dpath")
    if not os.access(above, os.W_OK | os.X_OK):
        raise RootError(f"cannot write in {above!r}", where="--root_dpath")
    return root


def _make_root(root: str) -> None:
    # Where a folder only looks writable, as below /proc, this is the first to find out.
    try:
        os.makedirs(root, exist_ok=True)
    except OSError as error:
        message = f"cannot make {root!r}: {(error.strerror or str(error)).lower()}"
        raise RootError(message, where="--root_dpath") from None


def _check_known(name: str, known: Sequence[str], option: str) -> None:
    if name not in known:
        raise KwdagError(f"{name!r} is unknown", where=option, hint=did_you_mean(name, known))


def look_ahead(
    request: Request, options: Options, inspector: Inspector, settled: frozenset[str] = frozenset()
) -> Outlook:
    """Plan as far as is known: a round more for each layer of scattering jobs that are done."""
    scattered: dict[str, Sequence[Item]] = {}
    while True:
        plan = build_plan(request.wiring, request.rows, request.root, workdir=request.workdir,
                          scattered=scattered, where=request.where)  # fmt: skip
        states = inspector.states(plan)
        if options.adopt:
            states = {job_id: _as_adopted(plan, plan.jobs[job_id], state) for job_id, state in states.items()}
        selection = select(plan, states, cache=options.cache, stale=options.stale, settled=settled)
        listed = {
            job.id: _items(plan, job)
            for job in plan.jobs.values()
            if job.node.scatter is not None and job.id in selection.done
        }
        if listed.keys() == scattered.keys():
            return Outlook(plan, states, selection)
        scattered = dict(listed)


def _items(plan: Plan, job: Job) -> list[Item]:
    try:
        return contract.read_items(job.node, plan.dpath(job))
    except contract.BrokenContract as error:  # it held when the job ended
        raise jobdir.DamagedFile(str(error), where=plan.dpath(job)) from None


def _as_adopted(plan: Plan, job: Job, state: State) -> State:
    if state.kind not in ("pending", "interrupted") or not job.node.out_paths:
        return state
    try:
        contract.check(job.node, plan.dpath(job))
    except (contract.BrokenContract, OSError):
        return state
    return replace(state, kind="done", by_hand=True, reason=None, status={"state": "finished"})


def check_inputs(request: Request, outlook: Outlook) -> None:
    """Raise PlanError for the first input from outside that does not exist."""
    seen: set[str] = set()
    for job_id in outlook.selection.run:
        job = outlook.plan.jobs[job_id]
        for path in script.external_inputs(job):
            if path not in seen and "://" not in path and not os.path.exists(path):
                raise _missing(request, job, path)
            seen.add(path)


def _missing(request: Request, job: Job, path: str) -> PlanError:
    name = next(name for name in job.node.in_paths if path in str(job.params.get(name)))
    key = f"{job.node.name}.{name}"
    return PlanError(f"{key} is {path!r}, which does not exist", where=request.where.get(key),
                     hint=neighbour(Path(path)))  # fmt: skip


def run_rounds(request: Request, options: Options, outlook: Outlook, backend: Any, worker: Worker,
               report: Reporter) -> Schedule:  # fmt: skip
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


def absent_of(outlook: Outlook) -> frozenset[str]:
    """Ids of the jobs that have no result and will get none."""
    chosen = outlook.selection
    return frozenset(
        job_id for job_id in outlook.plan.jobs if job_id not in chosen.run and job_id not in chosen.done
    )


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
