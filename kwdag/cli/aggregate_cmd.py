"""`kwdag aggregate`: what it is asked, and what it says; aggregation.py does the work."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from kwdag.cli.options import YAML, Command, as_names, as_whole_number, flag, print_json
from kwdag.errors import KwdagError

EPILOG = """\b
Example:
  kwdag aggregate --target=out
  kwdag aggregate --target=out --eval_nodes=stage1_evaluate --stdout_report="{top_k: 5}"
  kwdag aggregate out --stdout_report="{analyze: 1, macro_analysis: 1}" --query="fit.lr < 0.1 and acc > 0.8"
  kwdag aggregate out --export_tables=xlsx --plot_params --html --output_dpath=report
  kwdag aggregate out --inspect=kqjhtzbnmwep

\b
Exit codes: 0 all results were read, 2 bad input, 3 some results could not be read (they are listed)."""


GROUPS = {
    "What is read": ["target", "pipeline", "eval_nodes", "io_workers", "cache_resolved_results"],
    "Which rows, in which order": [
        "primary_metric_cols", "display_metric_cols", "rois", "query", "states", "since", "until",
    ],
    "What is printed": ["stdout_report", "resource_report", "inspect", "json"],
    "What is written": ["output_dpath", "export_tables", "symlink_results", "plot_params", "html"],
}  # fmt: skip


@click.command(cls=Command, name="aggregate", epilog=EPILOG, groups=GROUPS)
@click.argument("targets", nargs=-1)
@click.option("--target", type=YAML, help="Root of a run, a pattern, an exported table, or a YAML list.")
@click.option("--pipeline", help="The pipeline; by default the one that the root recorded.")
@click.option(
    "--eval_nodes", type=YAML, help="Nodes to rank, a name or a YAML list; by default all with metrics."
)
@click.option("--output_dpath", default="./aggregate", show_default=True, help="Folder for what is written.")
@click.option(
    "--io_workers", type=YAML, default="avail", show_default=True, help="Workers that read; 0 for none."
)
@flag("--cache_resolved_results", 1, "Remember what was read, and read only what has changed since.")
@click.option("--primary_metric_cols", type=YAML, default="auto", show_default=True, help="Rank by these.")
@click.option("--display_metric_cols", type=YAML, default="auto", show_default=True, help="Print these.")
@click.option("--rois", type=YAML, help="Only these regions: names with commas, or a YAML list.")
@click.option("--query", help="Only rows of which this pandas condition is true.")
@click.option("--states", type=YAML, help="Only jobs in these states, such as failed; by default done.")
@click.option("--since", help="Only jobs that ended since: 2026-11-21, 2026-11-21T13:30, or 2d (days ago).")
@click.option("--until", help="Only jobs that ended until then.")
@click.option(
    "--stdout_report",
    type=YAML,
    default="1",
    help="0 for none, or a YAML mapping: top_k, per_group, macro_analysis, analyze, print_models, "
    "reference_region, concise, show_csv.",
)
@flag("--resource_report", 0, "Print what each value of each parameter costs: time, CPU and memory.")
@click.option("--inspect", help="Print all about one param_hashid or job id instead of the report.")
@flag("--json", 0, "Print the tables as JSON.")
@click.option(
    "--export_tables",
    type=YAML,
    is_flag=False,
    flag_value="1",
    help="Write each table: 1 for csv, or csv, parquet, xlsx, md, tex.",
)
@flag("--symlink_results", 0, "Link to the job directories by region and by hashid.")
@click.option(
    "--plot_params", type=YAML, is_flag=False, flag_value="1", help="Draw plots: 1 for png and svg, or one."
)
@flag("--html", 0, "Write report.html: table, plots, pipeline and timeline on one page.")
def command(targets: tuple[str, ...], target: Any, **asked: Any) -> int:
    """Rank the results of done jobs below TARGETS in one table a node, best last."""
    from kwdag.aggregation import aggregate

    own = {name: asked.pop(name) for name in ("json", "inspect", "resource_report")}
    columns = shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80
    with closing(_Watch()) as watch:
        found = aggregate(
            [*targets, *_paths(target)],
            **_options(asked),
            width=columns,
            progress=watch.progress,
            step=watch.step,
        )
    if own["inspect"]:
        _print_row(found, own["inspect"], columns)
    elif own["json"]:
        print_json("aggregate", 1, _as_json(found))
    else:
        _print_report(found, own["resource_report"], asked["output_dpath"], columns)
    if found.skipped:
        from kwdag.report.text import skipped_lines

        click.echo("\n".join(["", *skipped_lines(found.skipped, os.getcwd())]), err=True)
    return 3 if found.skipped else 0


def _options(asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked on the command line as arguments of ``aggregate``."""
    cache = asked.pop("cache_resolved_results")
    return {
        **asked,
        **{name: as_names(name, asked[name]) for name in ("eval_nodes", "rois", "states")},
        **{name: _formats(name, asked[name]) for name in ("export_tables", "plot_params")},
        "io_workers": _workers(asked["io_workers"]),
        "stdout_report": _report(asked["stdout_report"]),
        "cache": cache,
    }


class _Watch:
    """A bar on the terminal for whatever step is long; it says nothing of short ones."""

    def __init__(self) -> None:
        from kwdag.report.bar import PatientBar

        self._make = PatientBar
        self._bar = PatientBar("reading results")

    def step(self, text: str) -> None:
        self.close()
        self._bar = self._make(text)

    def progress(self, done: int, total: int) -> None:
        self._bar(done, total)

    def close(self) -> None:
        self._bar.__exit__()


def _print_report(found: Any, resources: bool, output_dpath: str, columns: int) -> None:
    if found.report:
        click.echo(found.report.rstrip("\n"))
    if resources:
        from kwdag.report.resource_text import resource_lines

        click.echo("\n".join(["---", *resource_lines(found.jobs(), os.getcwd(), columns)]))
    for line in _written(found.exported, Path(output_dpath)):
        click.echo(f"wrote {line}")


def _written(paths: list[Path], folder: Path) -> Iterator[str]:
    """The files in the folder by name, those further down as one line for each of its folders."""
    places = Counter(folder / path.relative_to(folder).parts[0] for path in paths)
    for place, number in places.items():
        yield str(place) if place in paths else f"{number:,} files below {place}"


def _print_row(found: Any, name: str, columns: int) -> None:
    from kwdag.report.row_text import row_lines

    click.echo("\n".join(row_lines(found.tables, name, found.roles, os.getcwd(), columns)))


def _formats(name: str, value: Any) -> bool | list[str]:
    if value in (0, 1, None):
        return bool(value)
    return as_names(name, value) or []


def _paths(target: Any) -> list[str]:
    # Unlike names, paths may hold commas.
    return [target] if isinstance(target, str) else as_names("target", target) or []


def _workers(value: Any) -> int | None:
    return None if value == "avail" else as_whole_number("io_workers", value, 0)


def _report(value: Any) -> Any:
    if isinstance(value, dict | bool) or value in (0, 1, None):
        return value if isinstance(value, dict) else bool(value)
    raise KwdagError(f"must be 0, 1 or a mapping, not {value!r}", where="--stdout_report")


def _as_json(found: Any) -> dict[str, Any]:
    import json

    return {
        "tables": {node: json.loads(table.to_json(orient="records")) for node, table in found.tables.items()},
        "states": {node: dict(states) for node, states in found.states.items()},
        "exported": [str(path) for path in found.exported],
        "skipped": [{"path": str(path), "reason": reason} for path, reason in found.skipped],
    }
