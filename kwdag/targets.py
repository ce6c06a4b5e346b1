"""Targets to runs: which roots a person means, whose pipeline their jobs belong to, and the jobs by node.

Reads folders and records, no results.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kwdag import jobdir
from kwdag.errors import ResultError
from kwdag.pipeline import Pipeline
from kwdag.pipeline_ref import load_pipeline, load_recorded
from kwdag.results import Job
from kwdag.sources import neighbour

Target = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


@dataclass(frozen=True, slots=True)
class Run:
    """A root directory, the pipeline that its jobs belong to and the jobs by node."""

    root: Path
    pipeline: Pipeline
    jobs: Mapping[str, list[Job]]


def find_runs(target: Target, pipeline: Any = None) -> list[Run]:
    """The runs below a target. Raises ResultError where there are none."""
    given = None if pipeline is None else load_pipeline(pipeline)
    roots = _roots([target] if isinstance(target, str | os.PathLike) else target)
    runs = [_run(root, given) for root in roots]
    if not any(run.jobs for run in runs):
        where = ", ".join(map(str, roots)) or "target"
        raise ResultError("no jobs below it" if roots else "no target is given", where=where)
    return runs


def _roots(targets: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Distinct existing folders, whatever ways lead to them."""
    found: dict[Path, Path] = {}
    for target in targets:
        for path in _matches(Path(target).expanduser()):
            found.setdefault(path.resolve(), Path(os.path.normpath(path.absolute())))
    return list(found.values())


def _matches(target: Path) -> list[Path]:
    if target.is_dir():
        return [target]
    found = [Path(path) for path in sorted(glob.glob(str(target), recursive=True))]  # noqa: PTH207  (may be absolute)
    folders = [path for path in found if path.is_dir()]
    if not folders:
        message = "this is a file, not the root folder of a run" if found else "no such folder"
        raise ResultError(message, where=str(target), hint=None if found else neighbour(target))
    return folders


def _run(root: Path, given: Pipeline | None) -> Run:
    found = sorted(jobdir.iter_jobs(root))
    pipeline = given or (_recorded_pipeline(root) if found else Pipeline([]))
    jobs: dict[str, list[Job]] = {}
    for node, job_id, dpath in found:
        if node in pipeline.nodes:
            jobs.setdefault(node, []).append(Job(job_id, dpath, pipeline.nodes[node].load_result))
    if found and not jobs:
        names = sorted({node for node, _, _ in found})
        raise ResultError(
            f"its jobs are of {', '.join(names)}, which the pipeline does not have", where=str(root),
            hint=f"the pipeline has {', '.join(pipeline.nodes)}",
        )  # fmt: skip
    return Run(root, pipeline, {node: jobs[node] for node in pipeline.nodes if node in jobs})


def _recorded_pipeline(root: Path) -> Pipeline:
    record = jobdir.read_pipeline_record(root)
    if not record or not record.get("pipeline"):
        raise ResultError("no pipeline is recorded here", where=str(root), hint="name it with --pipeline")
    return load_recorded(record)
