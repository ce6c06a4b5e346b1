"""From root directories to ranked tables and a report: load, choose, rank, describe.

The order of the steps, and the checks of what a caller asked for; each step itself has a module of its own.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kwdag import ranking, results
from kwdag.errors import ResultError, did_you_mean
from kwdag.metrics import Metrics, Wanted, check_wanted, choose_metrics
from kwdag.query import rows_where
from kwdag.report import text
from kwdag.results import NodeResults, Skipped
from kwdag.roles import Roles, with_identity
from kwdag.targets import Run, Target, find_runs

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What became of the results below some roots.

    Attributes:
        tables: node -> one row for each done job, ranked by the primary metrics, best last.
        skipped: (path, reason) of each job directory whose result could not be read.
        report: the text for a terminal, empty when none was asked for.
        metrics: node -> the metrics that ranked its table and those on display.
        states: node -> state -> number of jobs, also of those that have no row.
        roles: what the pipeline says of the parameters.
        exported: the files that were written.
    """

    tables: dict[str, pd.DataFrame]
    skipped: list[Skipped]
    report: str = ""
    metrics: dict[str, Metrics] = field(default_factory=dict)
    states: dict[str, Counter[str]] = field(default_factory=dict)
    roles: Roles = field(default_factory=Roles)
    exported: list[Path] = field(default_factory=list)


def aggregate(
    target: Target,
    *,
    pipeline: Any = None,
    eval_nodes: str | Iterable[str] | None = None,
    output_dpath: str | os.PathLike[str] | None = None,
    io_workers: int = 0,
    stdout_report: Mapping[str, Any] | bool | None = True,
    primary_metric_cols: Wanted | Sequence[Wanted] | None = None,
    display_metric_cols: Wanted | Sequence[Wanted] | None = None,
    export_tables: bool | str | Sequence[str] = False,
    rois: str | Iterable[str] | None = None,
    query: str | None = None,
    width: int = text.WIDTH,
) -> Aggregate:
    """Load, rank and describe the results of done jobs; prints nothing.

    Args:
        target: a root directory, a glob pattern of such, or several of them; one given twice counts once.
        pipeline: any name of a pipeline; by default each root's own record of its most recent run.
        eval_nodes: nodes to rank, by default all that report metrics.
        output_dpath: the folder for exported tables.
        io_workers: threads that read results; 0 reads them one after another.
        stdout_report: the options of the report (see ``kwdag.report.text.Options``), False for no report.
        primary_metric_cols: metrics to rank by, as names or as mappings `{metric, objective, aggregator}`.
        display_metric_cols: metrics to print.
        export_tables: write each table to `<output_dpath>/<node>.csv`.
        rois: keep only these regions.
        query: keep only the rows that this condition is true of (see ``kwdag.query.rows_where``).
        width: columns of the report.

    Raises:
        ResultError: there are no runs, or what was asked for does not exist.
    """
    options = text.Options.of(stdout_report if isinstance(stdout_report, Mapping) else None)
    formats = _formats(export_tables, output_dpath)
    primary, display = _wanted(primary_metric_cols), _wanted(display_metric_cols)
    base = str(Path.cwd())

    runs = find_runs(target, pipeline)
    roles = _roles(runs)
    loaded = _load(runs, _eval_nodes(runs, eval_nodes), io_workers)
    tables = _tables(loaded, roles)
    _check_metrics(tables, primary_metric_cols=primary, display_metric_cols=display)
    tables = _filtered(tables, rois, query, base)
    metrics = {
        node: choose_metrics(node, _declared(runs, node), table, primary, display)
        for node, table in tables.items()
    }
    tables = {node: ranking.rank(table, metrics[node].primary) for node, table in tables.items()}
    sections = [_section(node, table, metrics[node], loaded[node]) for node, table in tables.items()]
    return Aggregate(
        tables=tables,
        skipped=[one for node in loaded.values() for one in node.skipped],
        report=text.report(sections, options, roles, base=base, width=width) if _asked(stdout_report) else "",
        metrics=metrics,
        states={node: found.states for node, found in loaded.items()},
        roles=roles,
        exported=_export(tables, Path(output_dpath)) if formats and output_dpath is not None else [],
    )


def load_results(
    target: Target,
    *,
    pipeline: Any = None,
    eval_nodes: str | Iterable[str] | None = None,
    io_workers: int = 0,
) -> dict[str, pd.DataFrame]:
    """node -> a table with one row for each done job, in order of job ids; damaged results are left out."""
    runs = find_runs(target, pipeline)
    return _tables(_load(runs, _eval_nodes(runs, eval_nodes), io_workers), _roles(runs))


def _roles(runs: Iterable[Run]) -> Roles:
    nodes = {id(node): node for run in runs for node in run.pipeline.nodes.values()}
    return Roles.of(nodes.values())


def _declared(runs: Iterable[Run], node: str) -> list[Mapping[str, Any]]:
    """The metrics that a node declares, in the first run that has it."""
    found = next((run.pipeline.nodes[node] for run in runs if node in run.pipeline.nodes), None)
    return list(found.default_metrics()) if found else []


# -- tables ----------------------------------------------------------------------------------------


def _eval_nodes(runs: Sequence[Run], asked: str | Iterable[str] | None) -> list[str]:
    """The nodes to rank, upstream first. Raises ResultError for one that does not exist or has no job."""
    known = list(dict.fromkeys(name for run in runs for name in run.pipeline.nodes))
    with_jobs = {name for run in runs for name in run.jobs}
    if asked is not None:
        wanted = _names(asked)
        for name in wanted:
            if name not in known:
                raise ResultError(f"no node {name!r}", where="eval_nodes", hint=did_you_mean(name, known))
            if name not in with_jobs:
                hint = f"nodes with jobs: {', '.join(sorted(with_jobs))}"
                raise ResultError(f"node {name!r} has no job here", where="eval_nodes", hint=hint)
        return wanted
    reporting = [name for name in known if name in with_jobs and _reports_metrics(runs, name)]
    if not reporting:
        where = ", ".join(str(run.root) for run in runs)
        raise ResultError("no node reports metrics", where=where, hint="name nodes with --eval_nodes")
    return reporting


def _reports_metrics(runs: Sequence[Run], node: str) -> bool:
    if _declared(runs, node):
        return True
    return results.reports_metrics(node, (job for run in runs for job in run.jobs.get(node, ())))


def _load(runs: Sequence[Run], nodes: Iterable[str], io_workers: int) -> dict[str, NodeResults]:
    jobs = {node: [job for run in runs for job in run.jobs.get(node, ())] for node in nodes}
    return {
        node: results.load_node(node, found, need_metrics=_reports_metrics(runs, node), io_workers=io_workers)
        for node, found in jobs.items()
    }


def _tables(loaded: Mapping[str, NodeResults], roles: Roles) -> dict[str, pd.DataFrame]:
    return {node: with_identity(found.columns.table(), node, roles) for node, found in loaded.items()}


def _filtered(
    tables: Mapping[str, pd.DataFrame], rois: str | Iterable[str] | None, query: str | None, base: str
) -> dict[str, pd.DataFrame]:
    if rois is not None:
        wanted = _names(rois)
        known = {name for table in tables.values() for name in table["region_id"]}
        ranking.check_regions(wanted, known, "rois")
        tables = {node: table[table["region_id"].isin(wanted)] for node, table in tables.items()}
    if query is not None:
        tables = {node: rows_where(table, query, base) for node, table in tables.items()}
    return dict(tables)


def _check_metrics(tables: Mapping[str, pd.DataFrame], **wanted: list[Wanted] | None) -> None:
    if any(len(table) for table in tables.values()):
        for option, names in wanted.items():
            check_wanted(names or (), tables, option)


def _wanted(asked: Wanted | Sequence[Wanted] | None) -> list[Wanted] | None:
    """None for nothing in particular; a text may list several names with commas."""
    if asked is None or asked == "auto":
        return None
    if isinstance(asked, str):
        return list(_names(asked))
    return [asked] if isinstance(asked, Mapping) else list(asked)


def _names(asked: str | Iterable[str]) -> list[str]:
    names = asked.split(",") if isinstance(asked, str) else asked
    return list(dict.fromkeys(name for name in (str(name).strip() for name in names) if name))


# -- output ----------------------------------------------------------------------------------------


def _section(node: str, table: pd.DataFrame, metrics: Metrics, found: NodeResults) -> text.Section:
    return text.Section(node, table, metrics, found.states, len(found.skipped))


def _asked(stdout_report: Mapping[str, Any] | bool | None) -> bool:
    return isinstance(stdout_report, Mapping) or bool(stdout_report)


def _formats(export_tables: bool | str | Sequence[str], output_dpath: Any) -> list[str]:
    formats = ["csv"] if export_tables is True else _names(export_tables or ())
    for name in formats:
        if name != "csv":
            raise ResultError(f"cannot export {name!r}", where="export_tables", hint="known: csv")
    if formats and output_dpath is None:
        raise ResultError("needs a folder", where="export_tables", hint="name it with --output_dpath")
    return formats


def _export(tables: Mapping[str, pd.DataFrame], folder: Path) -> list[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_export_csv(table, folder / f"{node}.csv") for node, table in tables.items()]
    except OSError as error:
        raise ResultError(f"cannot write: {error.strerror}", where=str(error.filename or folder)) from error


def _export_csv(table: pd.DataFrame, path: Path) -> Path:
    table.to_csv(path, index=False, errors="backslashreplace")
    return path
