"""Options that several programs have, in the same words.

Kinds of values stand in pipelines/option_types.py, options of one program alone with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pipelines.cerulean.georeference import MODELS, POLYNOMIAL
from pipelines.option_types import Finite, Threshold, given

if TYPE_CHECKING:
    from pipelines.cerulean.auxiliary import Auxiliary

AUX = click.option("--aux", help="Folder of auxiliary data; none: without.  [default: none]")
SCENES = click.option(
    "--list",
    "list_path",
    required=True,
    help="List of scenes, the path of a folder on each line; or a folder: all scenes below it.",
)
DEVICE = click.option(
    "--device", default="auto", show_default=True, help="cpu, the number of a GPU, or auto: a GPU if any."
)
GEOREFERENCE = click.option(
    "--georeference",
    type=click.Choice(MODELS),
    default=POLYNOMIAL,
    show_default=True,
    help="Model fitted to a scene's ground control points.",
)


def workers(default: int = 1) -> Any:
    """Of a program that takes scene after scene, see `processes.each`."""
    return click.option(
        "--workers",
        type=click.IntRange(0),
        default=default,
        show_default=True,
        help="Processes, each with a scene at a time; 0: this one.",
    )


def metres(name: str, default: int, text: str) -> Any:
    """A distance; beyond its range, metres around a scene's middle are none."""
    return click.option(f"--{name}", type=Finite(0, 100_000), default=default, show_default=True, help=text)


def threshold(name: str, default: float | None, text: str) -> Any:
    """A share, or none: no such step."""
    shown = "none" if default is None else str(default)
    return click.option(f"--{name}", type=Threshold(), default=shown, show_default=True, help=text)


def auxiliary_data(aux: str | None) -> Auxiliary:
    """What is in the folder that `--aux` names; without one, nothing.

    Raises:
        BadInput: see `auxiliary.load`.
    """
    from pipelines.cerulean import auxiliary

    folder = given(aux)
    return auxiliary.Auxiliary(None, None, None) if folder is None else auxiliary.load(folder)
