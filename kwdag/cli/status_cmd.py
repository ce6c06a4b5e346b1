"""`kwdag status`: the states of the jobs below a root; inventory.py reads them."""

from __future__ import annotations

import click

from kwdag.cli.options import Command, Whole, flag, print_json

EPILOG = """\b
Example:
  kwdag status out
  kwdag status out --watch"""


@click.command(cls=Command, name="status", epilog=EPILOG)
@click.argument("root", default="./kwdag_output")
@click.option(
    "--lines",
    type=Whole(),
    default=5,
    show_default=True,
    help="Last lines of each failed job's log.",
)
@click.option("--most", type=Whole(), default=10, show_default=True, help="So many failed jobs in full.")
@flag("--watch", 0, "Show what the latest run is doing until it ends; closing this stops nothing.")
@flag("--json", 0, "Print the report as JSON.")
def command(root: str, lines: int, most: int, watch: bool, json: bool) -> int:
    """Say in what state the jobs below ROOT are, and what failed.

    Exit codes: 0 no job failed, 1 some did, 2 there are no jobs.
    """
    from kwdag import inventory
    from kwdag.report import status_text

    if watch:
        _watch(root)
    entries = inventory.take(root)
    if json:
        print_json("status", 1, status_text.as_json(root, entries, lines))
    else:
        status_text.print_status(entries, lines, most)
    return int(any(entry.state == "failed" for entry in entries))


def _watch(root: str) -> None:
    """Show the run that was started last, if any, until it ends or the person has seen enough."""
    import os

    from kwdag import observe, runs
    from kwdag.report import watch

    run_file = runs.latest(os.path.abspath(root))
    if run_file is None:
        return
    try:
        watch.show(observe.follow(run_file), observe.Totals(run_file))
    except KeyboardInterrupt:
        click.echo("the run goes on", err=True)
