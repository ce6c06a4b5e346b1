"""The command `esrun`: every program of the pipeline under one name.

What a program does stands in its own module.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from pipelines.program import run

PROGRAMS = {
    "partition": "cut a request into partitions with their windows",
    "build_dataset": "fill windows with their pieces of the images",
    "run_inference": "run the model on the windows of a partition",
    "postprocess": "make one result of the windows of a partition",
    "combine": "make one result of those of the partitions",
    "evaluate": "compare a combined result to labels",
    "visualize": "draw a combined result",
    "prepare_labeled_windows": "make labelled windows of annotations",
    "fit": "train the model on labelled windows",
}


class Programs(click.Group):
    """Programs by name, imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(PROGRAMS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(PROGRAMS.items()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return program(cmd_name) if cmd_name in PROGRAMS else None


def program(name: str) -> click.Command:
    """The command in the module of that name."""
    found = importlib.import_module(f"pipelines.esrun.{name}").command
    assert isinstance(found, click.Command)
    return found


@click.command(cls=Programs, name="esrun", context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Earth-system runs: predictions over partitions of a request, and labelled windows.

    \b
    Example:
      esrun prepare_labeled_windows --project_path=esrun_data/sample --scratch_path=/tmp/scratch
    """


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the program that the first argument names; a program's own options are its own."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in PROGRAMS:
        run(program(arguments[0]), arguments[1:])
    run(group, arguments or ["--help"])


if __name__ == "__main__":
    main()
