"""The program `generate`: made-up radar scenes with known slicks.

What is in them is made_scenes.py's, how they are written scene_files.py's.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from pipelines import program
from pipelines.errors import BadInput
from pipelines.option_types import SEED

_SMALLEST, _LARGEST = 128, 4096  # pixels of a side: room for a slick; what a few GB of memory hold


@click.command()
@click.option("--dst", type=click.Path(path_type=Path), required=True, help="Folder to write to.")
@click.option("--scenes", type=click.IntRange(1, 200), default=12, show_default=True, help="How many scenes.")
@click.option(
    "--size",
    default="1024x768",
    show_default=True,
    metavar="WIDTHxHEIGHT",
    help="Of a scene in pixels of 80 m.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Another seed, other scenes.")
def command(dst: Path, scenes: int, size: str, seed: int) -> None:
    """Make radar-like scenes of a sea that is not there, with slicks of every class and their layers.

    Writes DST/scenes/<Sentinel-1 id>/ with Background.png, its ground control points and a picture for each
    slick, DST/aux with platforms, ship density and land, and DST/scenes.txt, which lists the scenes. The same
    options give the same bytes.

    \b
    Example:
      python -m pipelines.cerulean.generate --dst=sea --scenes=12 --size=1024x768
    """
    from tqdm import tqdm

    from pipelines.cerulean import scene_files

    if dst.exists() and not dst.is_dir():
        raise BadInput("is a file, not a folder to write to", where=dst)
    shape = _shape(size)
    with tqdm(total=scenes, desc="generate", unit="scene", disable=None) as bar:
        path = scene_files.write(dst, scenes, shape, seed, bar.update)
    click.echo(f"wrote {scenes} scenes: {path}")


def _shape(size: str) -> tuple[int, int]:
    """Height and width of `1024x768`. Raises BadInput: it is not that, or out of range."""
    found = re.fullmatch(r"(\d{1,6})x(\d{1,6})", size.strip())
    if not found:
        raise BadInput(f"{size!r} is not WIDTHxHEIGHT, as 1024x768", where="size")
    width, height = int(found[1]), int(found[2])
    for side in (width, height):
        if not _SMALLEST <= side <= _LARGEST:
            raise BadInput(f"{size!r} has a side of {side}, not of {_SMALLEST} to {_LARGEST}", where="size")
    return height, width


if __name__ == "__main__":
    program.run(command)
