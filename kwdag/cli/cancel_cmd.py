"""`kwdag cancel`: ends what runs below a root; cancel.py does it."""

from __future__ import annotations

import click

from kwdag.cli.options import Command, flag, print_json

EPILOG = """\b
Example:
  kwdag cancel out

\b
Exit codes: 0 nothing runs any more, 1 something may still run, 2 bad input."""


@click.command(cls=Command, name="cancel", epilog=EPILOG)
@click.argument("root", default="./kwdag_output")
@flag("--json", 0, "Print the report as JSON.")
def command(root: str, json: bool) -> int:
    """End what runs below ROOT: the workers of tmux runs on this host, Slurm arrays, and whatever
    process holds a job.

    Nothing that is done is lost: the same schedule command goes on from here.
    """
    from kwdag.cancel import cancel
    from kwdag.report import control_text

    done = cancel(root)
    if json:
        print_json("cancel", 1, control_text.cancelled_json(done))
    else:
        click.echo("\n".join(control_text.cancelled_lines(done, root)))
    return int(bool(done.left))
