"""`kwdag logs`: what a job printed; follow.py reads it."""

from __future__ import annotations

import click

from kwdag.cli.job_args import root_option
from kwdag.cli.options import Command

EPILOG = """\b
Example:
  kwdag logs predict_id_mvj --root_dpath=out
  kwdag logs mvj -f

\b
Exit codes: 0, with -f 1 when the job has not ended well, 2 bad input."""


@click.command(cls=Command, name="logs", epilog=EPILOG)
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@root_option()
def command(job: str, follow: bool, root_dpath: str) -> int:
    """Print what JOB printed.

    JOB is a job id, or as much of its beginning, or of the beginning of its hash, as is unique.
    """
    from kwdag import follow as logs
    from kwdag.find_job import find

    found = find(root_dpath, job)
    for block in logs.follow(found) if follow else logs.read(found):
        click.echo(block, nl=False)
    return int(follow and logs.state(found).state != "done")
