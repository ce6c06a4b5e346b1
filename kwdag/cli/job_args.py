"""What the commands about single jobs have in common: the name of a job, and its root."""

from __future__ import annotations

from typing import Any

import click


def root_option() -> Any:
    return click.option("--root_dpath", default="./kwdag_output", show_default=True,
                        help="Folder for the job directories.")  # fmt: skip


def params_options(multiple: bool = False) -> Any:
    """`--params` and `--pipeline`, to look at a job with the eyes of a plan."""

    def decorate(command: Any) -> Any:
        several = " May be given several times." if multiple else ""
        pipeline = click.option("--pipeline", help="The pipeline, unless the params name it.")
        params = click.option("--params", multiple=multiple,
                              help=f"A matrix: YAML text, or the path of a YAML file.{several}")  # fmt: skip
        return params(pipeline(command))

    return decorate
