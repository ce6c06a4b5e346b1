"""`kwdag aggregate`: what it is asked, and what it says; aggregation.py does the work."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

import click

from kwdag.cli.options import YAML, Command, as_names, as_whole_number, flag, print_json
from kwdag.errors import KwdagError

EPILOG = """\b
Example:
  kwdag aggregate --target=out
  kwdag aggregate --target=out --eval_nodes=stage1_evaluate --stdout_report="{top_k: 5}"

\b
Exit codes: 0 all results were read, 2 bad input, 3 some results could not be read (they are listed)."""


@click.command(cls=Command, name="aggregate", epilog=EPILOG)
@click.argument("targets", nargs=-1)
@click.option("--target", type=YAML, help="Root directory of a run, a pattern, or a YAML list of them.")
@click.option("--pipeline", help="The pipeline; by default the one that the root recorded.")
@click.option(
    "--eval_nodes", type=YAML, help="Nodes to rank, a name or a YAML list; by default all with metrics."
)
@click.option("--output_dpath", default="./aggregate", show_default=True, help="Folder for exported tables.")
@click.option(
    "--io_workers", type=YAML, default="avail", show_default=True, help="Threads that read; 0 for none."
)
@click.option(
    "--stdout_report",
    type=YAML,
    default="1",
    help="0 for none, or a YAML mapping: top_k, per_group, macro_analysis, analyze, print_models, "
    "reference_region, concise, show_csv.",
)
@click.option(
    "--primary_metric_cols", type=YAML, default="auto", show_default=True, help="Metrics to rank by."
)
@click.option("--display_metric_cols", type=YAML, default="auto", show_default=True, help="Metrics to print.")
@click.option("--export_tables", type=YAML, help="1 or csv: write each table to the output folder.")
@click.option("--rois", type=YAML, help="Only these regions: names with commas, or a YAML list.")
@click.option("--query", help="Only rows of which this pandas condition is true.")
@flag("--cache_resolved_results", 1, "Accepted for kwdagger's sake: results are always read anew.")
@flag("--json", 0, "Print the tables as JSON.")
def command(
    targets: tuple[str, ...], target: Any, cache_resolved_results: bool, json: bool, **asked: Any
) -> int:
    """Rank the results of done jobs below TARGETS in one table a node, best last."""
    from kwdag.aggregation import aggregate
    from kwdag.report.text import skipped_lines

    found = aggregate(
        [*targets, *_paths(target)],
        **{
            **asked,
            "eval_nodes": as_names("eval_nodes", asked["eval_nodes"]),
            "rois": as_names("rois", asked["rois"]),
            "export_tables": _formats(asked["export_tables"]),
            "io_workers": _workers(asked["io_workers"]),
            "stdout_report": _report(asked["stdout_report"]),
        },
        width=shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80,
    )
    if json:
        print_json("aggregate", 1, _as_json(found))
    else:
        _print_report(found)
    if found.skipped:
        click.echo("\n".join(["", *skipped_lines(found.skipped, os.getcwd())]), err=True)
    return 3 if found.skipped else 0


def _print_report(found: Any) -> None:
    if found.report:
        click.echo(found.report.rstrip("\n"))
    for path in found.exported:
        click.echo(f"wrote {path}")


def _formats(value: Any) -> bool | list[str]:
    if value in (0, 1, None):
        return bool(value)
    return as_names("export_tables", value) or []


def _paths(target: Any) -> list[str]:
    # Unlike names, paths may hold commas.
    return [target] if isinstance(target, str) else as_names("target", target) or []


def _workers(value: Any) -> int:
    if value in ("avail", None):
        return 0
    return as_whole_number("io_workers", value, 0) or 0


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
