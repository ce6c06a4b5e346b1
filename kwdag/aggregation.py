"""From root directories to ranked tables and a report: load, choose, rank, describe.

The order of the steps, and the checks of what a caller asked for; each step itself has a module of its own.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kwdag import load_runs, ranking
from kwdag.errors import ResultError, did_you_mean
from kwdag.filters import Filters, check_states, filtered, moment
from kwdag.metrics import Metrics, Wanted, check_wanted, choose_metrics
from kwdag.publish import Products, listed, publish
from kwdag.report import text
from kwdag.report.boards import Section
from kwdag.report.options import Options
from kwdag.results import NodeResults, Progress, Skipped
from kwdag.roles import Roles, telling_apart, with_identity
from kwdag.targets import Run, Target, check_parameters, find_runs

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
        absent: node -> one row for each job of the node that has no row in its table, with its state.
        runs: the roots that were read, and their pipelines.
    """

    tables: dict[str, pd.DataFrame]
    skipped: list[Skipped]
    report: str = ""
    metrics: dict[str, Metrics] = field(default_factory=dict)
    states: dict[str, Counter[str]] = field(default_factory=dict)
    roles: Roles = field(default_factory=Roles)
    exported: list[Path] = field(default_factory=list)
    absent: dict[str, pd.DataFrame] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    def jobs(self) -> pd.DataFrame:
        """One row for each job of every node of the runs (see ``kwdag.resources.job_table``)."""
        from kwdag.resources import job_table

        return job_table(self.runs)


def aggregate(
    target: Target,
    *,
    pipeline: Any = None,
    eval_nodes: str | Iterable[str] | None = None,
    output_dpath: str | os.PathLike[str] | None = None,
    io_workers: int | None = None,
    cache: bool = True,
    stdout_report: Mapping[str, Any] | bool | None = True,
    primary_metric_cols: Wanted | Sequence[Wanted] | None = None,
    display_metric_cols: Wanted | Sequence[Wanted] | None = None,
    export_tables: bool | str | Sequence[str] = False,
    symlink_results: bool = False,
    plot_params: bool | str | Sequence[str] = False,
    html: bool = False,
    rois: str | Iterable[str] | None = None,
    query: str | None = None,
    states: str | Iterable[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    width: int = text.WIDTH,
    progress: Progress | None = None,
    step: Callable[[str], None] | None = None,
) -> Aggregate:
    """Load, rank and describe the results of done jobs; prints nothing.

    Args:
        target: a root directory, a glob pattern of such, an exported table, or several of them; one given
            twice counts once.
        pipeline: any name of a pipeline; by default each root's own record of its most recent run.
        eval_nodes: nodes to rank, by default all that report metrics.
        output_dpath: the folder for what is written.
        io_workers: how many read at a time, 0 for this process alone, None for as many as pay.
        cache: remember below each root what was read, and read again only what has changed since.
        stdout_report: the options of the report (see ``kwdag.report.options.Options``), False for no report.
        primary_metric_cols: metrics to rank by, as names or as mappings `{metric, objective,
            aggregator, range}`.
        display_metric_cols: metrics to print.
        export_tables: write each table to `<output_dpath>/<node>.<format>`: csv, or the formats named.
        symlink_results: link to the job directories by region and by hashid.
        plot_params: write pictures, as png and svg or in the formats named.
        html: write `<output_dpath>/report.html`.
        rois: keep only these regions.
        query: keep only the rows that this condition is true of (see ``kwdag.query.rows_where``).
        states: give a row to the jobs in these states, by default to the done ones.
        since, until: keep only jobs that ended between these dates (see ``kwdag.filters.moment``).
        width: columns of the report.
        progress: is told how many results of how many have been read.
        step: is told what is written next.

    Raises:
        ResultError: there are no runs, or what was asked for does not exist.
    """
    options = Options.of(stdout_report if isinstance(stdout_report, Mapping) else None)
    products = Products.of(export_tables, symlink_results, plot_params, html)
    filters = Filters(_listed(rois), query, _listed(states), moment("since", since), moment("until", until))
    check_states(filters.states)
    primary, display = _wanted(primary_metric_cols), _wanted(display_metric_cols)
    base = str(Path.cwd())

    runs = find_runs(target, pipeline)
    loaded = _load(runs, _eval_nodes(runs, eval_nodes), io_workers, cache, progress)
    roles, tables, absent = _identified(loaded, _roles(runs))
    check_parameters(runs, dict.fromkeys(name for table in tables.values() for name in table.columns))
    _check_metrics(tables, primary_metric_cols=primary, display_metric_cols=display)
    tables, absent = filtered(tables, absent, filters, base)
    metrics = {
        node: choose_metrics(node, _declared(runs, node), table, primary, display)
        for node, table in tables.items()
    }
    tables = {node: ranking.rank(table, metrics[node].primary) for node, table in tables.items()}
    sections = [_section(node, tables[node], metrics[node], loaded[node], absent[node]) for node in tables]
    found = Aggregate(
        tables=tables,
        skipped=[one for node in loaded.values() for one in node.skipped],
        report=text.report(sections, options, roles, base=base, width=width) if _asked(stdout_report) else "",
        metrics=metrics,
        states={node: found.states for node, found in loaded.items()},
        roles=roles,
        absent=absent,
        runs=runs,
    )
    for node in loaded.values():
        node.remember()
    return replace(found, exported=publish(found, products, output_dpath, step, progress))


def load_results(
    target: Target,
    *,
    pipeline: Any = None,
    eval_nodes: str | Iterable[str] | None = None,
    io_workers: int | None = None,
    cache: bool = True,
) -> dict[str, pd.DataFrame]:
    """node -> a table with one row for each done job, in order of job ids; damaged results are left out."""
    runs = find_runs(target, pipeline)
    loaded = _load(runs, _eval_nodes(runs, eval_nodes), io_workers, cache)
    for node in loaded.values():
        node.remember()
    return _identified(loaded, _roles(runs))[1]


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
    with_jobs = {name for run in runs for name in run.nodes}
    known = list(dict.fromkeys(name for run in runs for name in (*run.pipeline.nodes, *run.rows)))
    if asked is not None:
        wanted = listed(asked)
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
    return bool(_declared(runs, node)) or load_runs.reports_metrics(runs, node)


def _load(
    runs: Sequence[Run],
    nodes: Iterable[str],
    io_workers: int | None = None,
    cache: bool = True,
    progress: Progress | None = None,
) -> dict[str, NodeResults]:
    need_metrics = {node: _reports_metrics(runs, node) for node in nodes}
    return load_runs.load_runs(runs, need_metrics, io_workers=io_workers, cache=cache, progress=progress)


def _identified(
    loaded: Mapping[str, NodeResults], roles: Roles
) -> tuple[Roles, dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """The roles with names of regions, the rows of each node, and the rows that are missing."""
    rows = {node: found.columns.table() for node, found in loaded.items()}
    absent = {node: found.absent.table() for node, found in loaded.items()}
    roles = telling_apart(roles, [*rows.values(), *absent.values()])
    named = [{node: with_identity(t, node, roles) for node, t in some.items()} for some in (rows, absent)]
    return roles, named[0], named[1]


def _check_metrics(tables: Mapping[str, pd.DataFrame], **wanted: list[Wanted] | None) -> None:
    if any(len(table) for table in tables.values()):
        for option, names in wanted.items():
            check_wanted(names or (), tables, option)


def _wanted(asked: Wanted | Sequence[Wanted] | None) -> list[Wanted] | None:
    """None for nothing in particular; a text may list several names with commas."""
    if asked is None or asked == "auto":
        return None
    if isinstance(asked, str):
        return list(listed(asked))
    return [asked] if isinstance(asked, Mapping) else list(asked)


def _listed(asked: str | Iterable[str] | None) -> list[str] | None:
    return None if asked is None else listed(asked)


# -- output ----------------------------------------------------------------------------------------


def _section(
    node: str, table: pd.DataFrame, metrics: Metrics, found: NodeResults, absent: pd.DataFrame
) -> Section:
    return Section(node, table, metrics, found.states, len(found.skipped), absent)


def _asked(stdout_report: Mapping[str, Any] | bool | None) -> bool:
    return isinstance(stdout_report, Mapping) or bool(stdout_report)
