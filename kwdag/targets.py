"""Targets to runs: which roots and tables a person means, whose pipeline their jobs belong to, jobs by node.

Reads folders, records and exported tables, no results.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kwdag import exported, jobdir, unstarted
from kwdag.errors import ResultError, did_you_mean
from kwdag.exported import Row
from kwdag.job_reading import Job, Loader, Skipped
from kwdag.loading import result_file
from kwdag.node import ProcessNode
from kwdag.pipeline import Pipeline, Wiring
from kwdag.pipeline_ref import load_pipeline, load_recorded
from kwdag.sources import neighbour
from kwdag.unstarted import Unstarted

Target = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


@dataclass(frozen=True, slots=True)
class Run:
    """A root directory, the pipeline that its jobs belong to and the jobs by node.

    An exported table is one, too: ``root`` is then its file, and ``rows`` holds its rows by node.

    Attributes:
        unstarted: jobs of the newest run that have no directory yet.
        problems: records of the root that cannot be read.
    """

    root: Path
    pipeline: Pipeline
    jobs: Mapping[str, list[Job]]
    rows: Mapping[str, list[Row]] = field(default_factory=dict)
    unstarted: Sequence[Unstarted] = ()
    problems: Sequence[Skipped] = ()

    @property
    def nodes(self) -> set[str]:
        """The nodes of which it has anything."""
        return {*self.jobs, *self.rows, *(job.node for job in self.unstarted)}


def find_runs(target: Target, pipeline: Any = None) -> list[Run]:
    """The runs below a target. Raises ResultError where there are none."""
    given = None if pipeline is None else load_pipeline(pipeline)
    places = _places([target] if isinstance(target, str | os.PathLike) else target)
    runs = [_table(place, given) if place.is_file() else _run(place, given) for place in places]
    if not any(run.nodes for run in runs):
        where = ", ".join(map(str, places)) or "target"
        hint = next(filter(None, map(_tables_inside, places)), None)
        raise ResultError("no jobs below it" if places else "no target is given", where=where, hint=hint)
    return runs


def _places(targets: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Distinct existing folders and tables, whatever ways lead to them."""
    found: dict[Path, Path] = {}
    for target in targets:
        for path in _matches(Path(target).expanduser()):
            found.setdefault(path.resolve(), Path(os.path.normpath(path.absolute())))
    return list(found.values())


def _matches(target: Path) -> list[Path]:
    if _is_target(target):
        return [target]
    found = [Path(path) for path in sorted(glob.glob(str(target), recursive=True))]  # noqa: PTH207  (may be absolute)
    targets = [path for path in found if _is_target(path)]
    if targets:
        return targets
    if found:
        hint = f"nor is it a table, which would end in {', '.join(exported.SUFFIXES)}"
        raise ResultError("this is a file, not the root folder of a run", where=str(target), hint=hint)
    raise ResultError("no such folder or table", where=str(target), hint=neighbour(target))


def _is_target(path: Path) -> bool:
    return path.is_dir() or (exported.is_table(path) and path.is_file())


def _tables_inside(folder: Path) -> str | None:
    tables = (
        sorted(path.name for path in folder.iterdir() if exported.is_table(path)) if folder.is_dir() else []
    )
    return f"for the tables in it, say {folder.name}/*{Path(tables[0]).suffix}" if tables else None


def _table(path: Path, given: Pipeline | None) -> Run:
    rows = exported.read(path)
    if given is not None and rows:
        _check_known(path, rows, given)
    return Run(path, given or Pipeline([]), {}, rows)


def _run(root: Path, given: Pipeline | None) -> Run:
    found = sorted(jobdir.iter_jobs(root))
    pipeline = given or (_recorded_pipeline(root) if found else Pipeline([]))
    loaders = {name: _loader(node) for name, node in pipeline.nodes.items()}
    jobs: dict[str, list[Job]] = {}
    for node, job_id, dpath in found:
        if node in pipeline.nodes:
            jobs.setdefault(node, []).append(Job(job_id, dpath, loaders[node]))
    if found:
        _check_known(root, sorted({node for node, _, _ in found}), pipeline)
    present = {job_id for _, job_id, _ in found}
    try:
        waiting, problems = unstarted.find(str(root), pipeline.nodes, present), []
    except jobdir.DamagedFile as error:
        waiting, problems = [], [Skipped(str(error.where), error.message)]
    ordered = {node: jobs[node] for node in pipeline.nodes if node in jobs}
    return Run(root, pipeline, ordered, unstarted=waiting, problems=problems)


def _check_known(place: Path, nodes: Iterable[str], pipeline: Pipeline) -> None:
    names = list(nodes)
    if not any(name in pipeline.nodes for name in names):
        raise ResultError(
            f"its jobs are of {', '.join(names)}, which the pipeline does not have", where=str(place),
            hint=f"the pipeline has {', '.join(pipeline.nodes)}",
        )  # fmt: skip


def _loader(node: ProcessNode) -> Loader:
    """The node's own hook, or the file that stands for the default one: its bytes can be read with care."""
    by_default = type(node).load_result is ProcessNode.load_result
    return (result_file(node) if by_default else None) or node.load_result


def _recorded_pipeline(root: Path) -> Pipeline:
    record = jobdir.read_pipeline_record(root)
    if not record or not record.get("pipeline"):
        raise ResultError("no pipeline is recorded here", where=str(root), hint="name it with --pipeline")
    return load_recorded(record)


def check_parameters(runs: Sequence[Run], columns: Iterable[str]) -> None:
    """Raises ResultError for a parameter of results that no run's pipeline has: it is not theirs any more.

    Exported tables bring no pipeline, and with one of them among the runs nothing is checked.
    """
    wirings = [run.pipeline.wiring() for run in runs]
    if not all(wiring.nodes for wiring in wirings):
        return
    known = {name for wiring in wirings for name in _declared(wiring)}
    for column in columns:
        key = column.removeprefix("params.")
        owners = [wiring.owner(key) for wiring in wirings]
        if column.startswith("params.") and key not in known and not any(map(_takes_any, wirings, owners)):
            raise ResultError(
                f"results have the parameter {key!r}, which the pipeline does not",
                where=", ".join(str(run.root) for run in runs), hint=did_you_mean(key, known),
            )  # fmt: skip


def _declared(wiring: Wiring) -> Iterator[str]:
    for node in wiring.nodes.values():
        for name in (*node.in_paths, *node.algo_params, *node.perf_params, *node.out_paths, *node.renamed):
            yield f"{node.name}.{name}"


def _takes_any(wiring: Wiring, owner: tuple[str, str] | None) -> bool:
    return owner is not None and wiring.nodes[owner[0]].extra_params
