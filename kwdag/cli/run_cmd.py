"""`kwdag run`: one job again, in the foreground; its own `invoke.sh` runs it."""

from __future__ import annotations

import click

from kwdag.cli.job_args import root_option
from kwdag.cli.options import Command

EPILOG = """\b
Example:
  kwdag run predict_id_mvj --root_dpath=out

\b
Exit codes: the job's; 2 also bad input, or the job runs already."""


@click.command(cls=Command, name="run", epilog=EPILOG)
@click.argument("job")
@root_option()
def command(job: str, root_dpath: str) -> None:
    """Run JOB once more, in the foreground, with its output on the terminal and in its log.

    It runs as `bash invoke.sh` in its directory would. The next `kwdag schedule` takes the result as it is.
    """
    from kwdag.by_hand import become
    from kwdag.find_job import find

    become(find(root_dpath, job))
