"""Runs to results by node: what job directories hold, exported rows, and jobs that have no directory yet.

Each job counts once, whatever ways lead to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from kwdag import results
from kwdag.exported import real_dpath
from kwdag.job_reading import Reading, has_metrics
from kwdag.results import NodeResults, Progress
from kwdag.targets import Run


def load_runs(
    runs: Sequence[Run],
    need_metrics: Mapping[str, bool],
    *,
    io_workers: int | None = None,
    cache: bool = True,
    progress: Progress | None = None,
) -> dict[str, NodeResults]:
    """What is known of the jobs of the nodes that ``need_metrics`` names (see ``results.load_node``)."""
    jobs = {node: [job for run in runs for job in run.jobs.get(node, ())] for node in need_metrics}
    total, before = sum(map(len, jobs.values())), 0
    loaded = {}
    for node, of_node in jobs.items():
        loaded[node] = results.load_node(
            node,
            of_node,
            need_metrics=need_metrics[node],
            io_workers=io_workers,
            cache=cache,
            progress=None if progress is None else partial(_tell, progress, before, total),
        )
        before += len(of_node)
    seen = _add_exported(runs, loaded) if any(run.rows for run in runs) else set()
    for run in runs:
        _add_unstarted(run, loaded, seen)
    return loaded


def reports_metrics(runs: Sequence[Run], node: str) -> bool:
    """Whether the first readable results of a node have metrics."""
    if any(has_metrics(row) for run in runs for row in run.rows.get(node, ())[:1]):
        return True
    return results.reports_metrics(node, (job for run in runs for job in run.jobs.get(node, ())))


def _tell(progress: Progress, before: int, total: int, done: int, _of_node: int) -> None:
    progress(before + done, total)


def _add_exported(runs: Sequence[Run], loaded: Mapping[str, NodeResults]) -> set[tuple[str, str]]:
    """Add the rows of tables. What a root says of a job counts more: it may have changed since the export.

    Returns the job id and the real path of every job that counts.
    """
    roots: dict[str, str] = {}
    jobs = (job for run in runs for node in loaded for job in run.jobs.get(node, ()))
    seen = {(job.job_id, real_dpath(job.dpath, roots)) for job in jobs}
    for node, found in loaded.items():
        for row in (row for run in runs for row in run.rows.get(node, ())):
            place = str(row["job_id"]), real_dpath(str(row["dpath"]), roots)
            if place not in seen:
                seen.add(place)
                found.states["done"] += 1
                found.columns.append(row)
    return seen


def _add_unstarted(run: Run, loaded: Mapping[str, NodeResults], seen: Collection[tuple[str, str]]) -> None:
    for job in run.unstarted:
        dpath = f"{run.root}/{job.node}/{job.job_id}"
        if job.node in loaded and (job.job_id, real_dpath(dpath, {})) not in seen:
            values = {f"params.{key}": value for key, value in job.config.items()}
            loaded[job.node].add(job.node, job.job_id, dpath, Reading(job.state, values, job.reason))
    if loaded:
        next(iter(loaded.values())).skipped.extend(run.problems)
