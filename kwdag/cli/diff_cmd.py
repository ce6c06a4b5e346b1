"""`kwdag diff`: what differs between two jobs; compare.py finds it."""

from __future__ import annotations

import click

from kwdag.cli.job_args import root_option
from kwdag.cli.options import Command, flag, print_json

EPILOG = """\b
Example:
  kwdag diff predict_id_mvj predict_id_7qb --root_dpath=out

\b
Exit codes: 0, 2 bad input."""


@click.command(cls=Command, name="diff", epilog=EPILOG)
@click.argument("job")
@click.argument("other")
@root_option()
@flag("--json", 0, "Print the report as JSON.")
def command(job: str, other: str, root_dpath: str, json: bool) -> None:
    """Say in what two jobs differ: state, parameters, ancestors, command and metrics.

    JOB and OTHER are job ids, or as much of their beginnings, or of their hashes', as is unique.
    """
    from kwdag.compare import compare
    from kwdag.find_job import find
    from kwdag.report import control_text

    found = compare(find(root_dpath, job), find(root_dpath, other))
    if json:
        print_json("diff", 1, control_text.difference_json(found))
    else:
        click.echo("\n".join(control_text.difference_lines(found)))
