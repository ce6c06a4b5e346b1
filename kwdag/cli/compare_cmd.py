"""`kwdag compare`: two roots (reproduced.py), two rows (compare_rows.py) or two jobs (compare.py)."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

import click

from kwdag.cli.job_args import root_option
from kwdag.cli.options import Command, flag, print_json

EPILOG = """\b
Example:
  kwdag compare out_monday out_friday --rtol=1e-6
  kwdag compare kqjhtzbnmwep wvtrefgdsaqx --root_dpath=out
  kwdag compare predict_id_mvj predict_id_7qb --root_dpath=out

\b
Exit codes: 0 nothing differs (of two rows: no metric does), 1 something does, 2 bad input."""


@click.command(cls=Command, name="compare", epilog=EPILOG)
@click.argument("a")
@click.argument("b")
@root_option()
@click.option(
    "--rtol",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Metrics are the same that differ by no more than this part of the larger one.",
)
@click.option(
    "--atol",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="And those that differ by no more than this.",
)
@flag("--outputs", 1, "Also compare the content of the outputs of two roots.")
@flag("--json", 0, "Print the report as JSON.")
def command(a: str, b: str, root_dpath: str, rtol: float, atol: float, outputs: bool, json: bool) -> int:
    """Say what changed between two runs, or in what two rows or jobs differ.

    A and B are two root folders, whose jobs are matched by their ids; or two rows below --root_dpath, by
    their param_hashids; or two jobs there, by their ids. Unique beginnings suffice.
    """
    from kwdag.tolerance import Tolerance

    tolerance = Tolerance(rtol, atol)
    if _is_root(a) or _is_root(b):
        report, lines, differs = _roots(a, b, tolerance, outputs)
    elif _jobs_of(root_dpath, a) and _jobs_of(root_dpath, b):
        report, lines, differs = _jobs(a, b, root_dpath)
    else:
        report, lines, differs = _rows(a, b, root_dpath, tolerance)
    if json:
        print_json("compare", 1, report)
    else:
        click.echo("\n".join(lines))
    return int(differs)


Report = tuple[dict[str, Any], list[str], bool]


def _is_root(name: str) -> bool:
    """Whether a name is that of a folder, and not of a job's."""
    return os.path.isdir(name) and not os.path.exists(f"{name}/invoke.sh")


def _jobs_of(root: str, name: str) -> bool:
    """Whether a name may be a job's."""
    from kwdag.inventory import checked_root
    from kwdag.jobdir import iter_jobs

    if os.path.isdir(name):
        return True
    ids = [job_id for _, job_id, _ in iter_jobs(checked_root(root))]
    return any(job_id.startswith(name) or job_id.rpartition("_id_")[2].startswith(name) for job_id in ids)


def _roots(a: str, b: str, tolerance: Any, outputs: bool) -> Report:
    from kwdag.report.compare_text import comparison_json, comparison_lines
    from kwdag.reproduced import compare_roots

    found = compare_roots(a, b, tolerance, outputs=outputs)
    return comparison_json(found), list(comparison_lines(found, os.getcwd(), _width())), found.differs


def _rows(a: str, b: str, root: str, tolerance: Any) -> Report:
    from kwdag.aggregation import aggregate
    from kwdag.compare_rows import compare_rows
    from kwdag.report.compare_text import rows_json, rows_lines

    found = aggregate(root, stdout_report=False)
    pairs = compare_rows(found.tables, a, b, found.roles, tolerance)
    lines = list(rows_lines(pairs, os.getcwd(), _width()))
    return rows_json(pairs), lines, any(pair.differs for pair in pairs)


def _jobs(a: str, b: str, root: str) -> Report:
    from kwdag.compare import compare
    from kwdag.find_job import find
    from kwdag.report.control_text import difference_json, difference_lines

    found = compare(find(root, a), find(root, b))
    differs = bool(found.sections)
    report = {"kind": "jobs", **difference_json(found), "differs": differs, "sections": found.sections}
    return report, list(difference_lines(found)), differs


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80
