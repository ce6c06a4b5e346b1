"""`kwdag failures`: the failed jobs in groups; failures.py finds them."""

from __future__ import annotations

import os
import shutil
import sys

import click

from kwdag.cli.options import Command, Whole, flag, print_json

EPILOG = """\b
Example:
  kwdag failures out
  kwdag failures out --lines=20 --most=3

\b
Exit codes: 0 (whether or not jobs failed; `kwdag status` tells by its code), 2 bad input."""


@click.command(cls=Command, name="failures", epilog=EPILOG)
@click.argument("roots", nargs=-1)
@click.option(
    "--lines",
    type=Whole(),
    default=5,
    show_default=True,
    help="Last lines of the log of one job of each group.",
)
@click.option("--most", type=Whole(), default=20, show_default=True, help="So many groups, the largest.")
@flag("--json", 0, "Print the report as JSON, all groups with all their jobs.")
def command(roots: tuple[str, ...], lines: int, most: int, json: bool) -> None:
    """Say in how many ways the jobs below ROOTS (./kwdag_output) failed, and which parameters that goes with.

    Jobs whose logs end alike but for numbers, paths, times and ids are one group. A parameter value is named
    when Fisher's exact test, corrected for all values tried, says that it is no chance.
    """
    from kwdag.failures import find_failures
    from kwdag.report.failures_text import failure_lines, failures_json

    found = find_failures(roots or ["./kwdag_output"])
    if json:
        print_json("failures", 1, failures_json(found, lines))
        return
    width = shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80
    click.echo("\n".join(failure_lines(found, lines, most, os.getcwd(), width)))
