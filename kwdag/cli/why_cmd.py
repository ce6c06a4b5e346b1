"""`kwdag why`: the state of a job and the reason for it; explain.py finds them."""

from __future__ import annotations

import click

from kwdag.cli.job_args import params_options, root_option
from kwdag.cli.options import Command, Whole, flag, print_json

EPILOG = """\b
Example:
  kwdag why evaluate_id_mvj --root_dpath=out
  kwdag why mvj --root_dpath=out --params=params.yaml

\b
Exit codes: 0, 2 bad input."""


@click.command(cls=Command, name="why", epilog=EPILOG)
@click.argument("job")
@root_option()
@params_options()
@click.option("--lines", type=Whole(), default=5, show_default=True, help="Last lines of its log.")
@flag("--json", 0, "Print the report as JSON.")
def command(
    job: str, root_dpath: str, params: str | None, pipeline: str | None, lines: int, json: bool
) -> None:
    """Say in what state JOB is, why, and what the next run would do with it.

    JOB is a job id, or as much of its beginning, or of the beginning of its hash, as is unique.
    With --params it is also looked at as a run of these would: whether its command has changed, and whether
    it is asked for at all; and JOB may then be one that has not begun.
    """
    from kwdag import explain
    from kwdag.find_job import find
    from kwdag.report import control_text

    outlook = None if params is None else explain.planned(params, root_dpath, pipeline)
    found = find(root_dpath, job, outlook.plan.jobs if outlook else ())
    explanation = explain.explain(found, outlook, lines)
    if json:
        print_json("why", 1, control_text.explanation_json(explanation))
    else:
        click.echo("\n".join(control_text.explanation_lines(explanation)))
