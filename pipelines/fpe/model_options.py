"""Options of the programs that work on one model: its folder below a root, or explicit paths instead.

What a program does with the paths does not belong here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipelines.errors import BadInput
from pipelines.fpe.settings import at_home

# The manual steps write --model-code, a pipeline's parameters are spelled model_code: both are understood.
EITHER_DASH = {"token_normalize_func": lambda name: name.replace("_", "-")}


def _at_home(_: click.Context, __: click.Parameter, path: str | None) -> str | None:
    return None if path is None else at_home(path)


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --directory, --station-id and --model-code."""
    for option in (
        click.option("--model-code", help="Of the model, a folder below models/."),
        click.option("-s", "--station-id", help="Of the station, a folder of the root."),
        click.option(
            "-d", "--directory", callback=_at_home, help="Root folder, <directory>/<station>/models/<code>."
        ),
    ):
        command = option(command)
    return command


def model_folder(directory: str | None, station_id: str | None, model_code: str | None) -> Path | None:
    """The folder of a model, which is there; None where all three are.

    Raises:
        BadInput: only some are given, or there is no such folder.
    """
    given = {"--directory": directory, "--station-id": station_id, "--model-code": model_code}
    if not any(given.values()):
        return None
    for name, value in given.items():
        if not value:
            raise BadInput(
                f"{name} is missing", hint="--directory, --station-id and --model-code go together"
            )
    folder = Path(str(directory)) / str(station_id) / "models" / str(model_code)
    if not folder.is_dir():
        raise BadInput("no such model", where=folder, hint="rank-input makes one")
    return folder


def path_of(given: str | None, option: str, folder: Path | None, default: str) -> Path:
    """The path that ``option`` gives, else ``default`` within the model's folder.

    Raises:
        BadInput: neither is given.
    """
    if given is not None:
        return Path(at_home(given))
    if folder is None:
        raise BadInput(f"{option} is missing", hint="or give --directory, --station-id and --model-code")
    return folder / default
