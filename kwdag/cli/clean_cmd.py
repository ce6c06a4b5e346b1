"""`kwdag clean`: deletes jobs that are of no use any more; clean.py chooses and deletes them."""

from __future__ import annotations

import click

from kwdag.cli.job_args import params_options
from kwdag.cli.options import Command, flag, print_json

EPILOG = """\b
Example:
  kwdag clean out --failed                         (says what would be deleted)
  kwdag clean out --failed --run=1
  kwdag clean out --unwanted --params=params.yaml --run=1

\b
Exit codes: 0, 1 some jobs were kept because they run, 2 bad input (nothing was deleted)."""


@click.command(cls=Command, name="clean", epilog=EPILOG)
@click.argument("root", default="./kwdag_output")
@flag("--failed", 0, "Jobs that failed or were cut off.")
@flag("--stale", 0, "Done jobs whose inputs or command changed, or whose ancestors ran again.")
@flag("--unwanted", 0, "Jobs that none of the given params ask for.")
@params_options(multiple=True)
@flag("--run", 0, "Delete them; without it, say what would be deleted and change nothing.")
@flag("--json", 0, "Print the report as JSON.")
def command(
    root: str, failed: bool, stale: bool, unwanted: bool, params: tuple[str, ...], pipeline: str | None,
    run: bool, json: bool,
) -> int:  # fmt: skip
    """Delete the directories of jobs below ROOT that are of no use any more; never one that runs.

    Without --run=1 it says what would be deleted, and why, and changes nothing.
    """
    from kwdag import clean, explain, inventory
    from kwdag.report import control_text

    clean.check(failed, stale, unwanted, params)
    inventory.checked_root(root)
    outlooks = [explain.planned(one, root, pipeline) for one in params]
    doomed = clean.choose(root, clean.Wish(failed, stale, unwanted, outlooks))
    undecided = clean.undecided(outlooks) if unwanted else []
    kept = clean.delete(root, doomed) if run else {}
    if json:
        print_json("clean", 1, control_text.doomed_json(doomed, kept, run, undecided))
    else:
        click.echo("\n".join(control_text.doomed_lines(doomed, kept, run, undecided)))
    return int(bool(kept))
