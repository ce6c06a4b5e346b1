"""`kwdag schedule`: what it is asked, and what it says; scheduling.py does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kwdag.cli.options import YAML, Command, Whole, as_mapping, flag, print_json

if TYPE_CHECKING:
    from kwdag.scheduling import Schedule

EPILOG = """\b
Example:
  kwdag schedule --root_dpath=out --run=1 --params="
      pipeline: 'pipelines.demo.my_demo_pipeline()'
      matrix:
          stage1_predict.src_fpath: [README.rst, setup.cfg]
          stage1_predict.param1: [1, 2, 3]
  "

\b
Exit codes: 0 all requested jobs are done (or it was a dry run), 1 some are not,
2 bad input (nothing was written), 130 stopped by Ctrl-C."""

GROUPS = {
    "What to run": ("params", "pipeline", "root_dpath", "run", "max_configs", "max_rows"),
    "What is done already": ("cache", "stale", "adopt", "skip_existing"),
    "How to run it": (
        "backend",
        "monitor",
        "virtualenv_cmd",
        "retries",
        "resource_retries",
        "max_failures",
        "enable_links",
        "log",
    ),
    "On tmux": ("queue_name", "tmux_workers", "devices", "other_session_handler"),
    "On Slurm": ("slurm_options", "slurm_pack"),
    "What to print": ("print_queue", "print_varied", "print_commands", "json"),
}

#: From so many rows on their number is said before they are expanded.
LARGE = 10_000
_FOR_SCHEDULING = (
    *("backend", "cache", "stale", "adopt", "max_configs", "max_rows", "enable_links", "log"),
    *(
        "retries",
        "resource_retries",
        "max_failures",
        "virtualenv_cmd",
        "queue_name",
        "tmux_workers",
        "devices",
        "other_session_handler",
    ),
    *("slurm_options", "slurm_pack", "monitor"),
)


@click.command(cls=Command, name="schedule", epilog=EPILOG, groups=GROUPS)
@click.option("--params", help="The matrix: YAML text, or the path of a YAML file.")
@click.option("--pipeline", help="The pipeline, unless the params name it: package.module.function(), "
              "file.py::function() or a .yaml file.")  # fmt: skip
@click.option(
    "--root_dpath", default="./kwdag_output", show_default=True, help="Folder for the job directories."
)
@flag("--run", 0, "Run the jobs; without it, say what would run and change nothing.")
@click.option("--backend", default="serial", show_default=True, help="Where jobs run: serial, tmux or slurm.")
@flag("--skip_existing", 0, "Leave done jobs out of the list of jobs.")
@flag("--cache", 1, "Take done jobs as they are; 0 runs them again.")
@click.option("--stale", default="rerun", show_default=True,
              help="Done jobs whose inputs or command changed: rerun, keep or error.")  # fmt: skip
@flag("--adopt", 0, "Take outputs that were made elsewhere and put into a job directory for its results.")
@click.option("--max_configs", type=Whole(1), help="Take only the first rows of the matrix.")
@click.option("--max_rows", type=Whole(1), default=100_000, show_default=True, help="Refuse a larger matrix.")
@click.option("--retries", type=Whole(), default=0, show_default=True,
              help="Run a job that exits with another code than 0 so many times more.")  # fmt: skip
@click.option("--resource_retries", type=Whole(), default=2, show_default=True,
              help="Run a job that ran out of time or memory so often again, with more of it.")  # fmt: skip
@click.option("--max_failures", type=Whole(), default=0, show_default=True,
              help="Stop after that many failed jobs; 0 goes on.")  # fmt: skip
@flag("--enable_links", 1, "Link the job directories along the pipeline (.pred, .succ).")
@flag("--log", 1, "Write the output of each job to its job.log; 0 lets it through.")
@flag("--print_commands", "auto", "Print the commands; auto: the first few of a dry run.", auto=True)
@flag("--print_queue", "auto", "Print the drawing of the pipeline.", auto=True)
@flag("--print_varied", "auto", "Print which parameters vary.", auto=True)
@click.option("--virtualenv_cmd", help="Bash to run first, such as 'conda activate it'.")
@click.option(
    "--queue_name", default="kwdag", show_default=True, help="Name of the run, for scripts and sessions."
)
@click.option("--tmux_workers", "--queue_size", type=Whole(1), default=8, show_default=True,
              help="Number of sessions.")  # fmt: skip
@click.option("--devices", help="GPUs for the jobs that ask for them: auto, or indices such as 0,1.")
@click.option("--slurm_options", type=YAML, help="Options for sbatch, as a YAML mapping.")
@click.option("--slurm_pack", type=Whole(1), help="Jobs per array task; by default about a minute's.")
@click.option(
    "--monitor",
    default="inline",
    show_default=True,
    help="tmux, slurm: inline shows the run to its end; none leaves it alone once it is under way.",
)
@click.option(
    "--other_session_handler",
    default="ask",
    help="What to do about busy sessions of that name: ask, kill, ignore or auto (refuse).",
)
@flag("--json", 0, "Print the report as JSON.")
def command(**asked: Any) -> int:
    """Expand a matrix over a pipeline and run every combination once.

    Without --run=1 it says what would run, and why, and changes nothing.
    """
    from kwdag import scheduling
    from kwdag.report import schedule_text
    from kwdag.signals import Interrupted, stopping

    as_mapping("slurm_options", asked["slurm_options"])
    options = {key: asked[key] for key in _FOR_SCHEDULING}
    try:
        with stopping():
            found = scheduling.schedule(
                asked["params"], root_dpath=asked["root_dpath"], pipeline=asked["pipeline"], run=asked["run"],
                counted=_say_rows, announce=None if asked["json"] else lambda first: _announce(first, asked),
                **options,
            )  # fmt: skip
    except Interrupted as stop:
        click.echo("\nstopped; the same command goes on from here", err=True)
        return 128 + stop.signum
    if asked["json"]:
        print_json("schedule", 1, schedule_text.as_json(found))
    else:
        click.echo(schedule_text.ending(found, asked["queue_name"]))
    return 0 if found.complete or found.left_alone or not found.ran else 1


def _say_rows(count: int) -> None:
    """A large grid takes a moment to expand: say how large it is before that."""
    if count >= LARGE:
        click.echo(f"expanding {count:,} rows", err=True)


def _announce(first: Schedule, asked: dict[str, Any]) -> Any:
    """Say what will run, and return the reporter that tells of it."""
    from kwdag.report import schedule_text
    from kwdag.report.progress import make_reporter

    schedule_text.print_outlook(first, queue=asked["print_queue"], varied=asked["print_varied"],
                                commands=asked["print_commands"], will_run=asked["run"],
                                skip_existing=asked["skip_existing"])  # fmt: skip
    alone = asked["backend"] == "serial"
    return make_reporter(first.outlook.plan, len(first.outlook.selection.run), alone=alone)
