"""The program that makes a data set with known truth: `python -m pipelines.geowatch.generate --help`.

What is in it is scenes.py's, how it is written bundles.py's.
"""

from __future__ import annotations

from pathlib import Path

import click

from pipelines import program
from pipelines.errors import BadInput

_SMALLEST = 48  # pixels: room for one site
_LARGEST = 1024  # pixels, 10 km: the 3 m images of it take 4 GB of memory to render


_EPILOG = """\b
Example:
  python -m pipelines.geowatch.generate --dst=data --regions=3 --frames=8 --size=128"""


@click.command(epilog=_EPILOG)
@click.option("--dst", type=click.Path(path_type=Path), required=True, help="folder to write to")
@click.option("--regions", type=click.IntRange(1, 99), default=3, show_default=True, help="how many regions")
@click.option(
    "--frames", type=click.IntRange(1, 200), default=8, show_default=True, help="images per region and sensor"
)
@click.option(
    "--size", type=click.IntRange(_SMALLEST, _LARGEST), default=128, show_default=True,
    help="width and height of a region in pixels of 10 m",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="another seed, other data")
@click.option(
    "--first", type=click.IntRange(0, 98), default=0, show_default=True,
    help="number of the first region: 3 makes regions that a data set of 3 does not hold",
)  # fmt: skip
@click.option(
    "--sensors", type=click.Choice(["S2", "PD"]), multiple=True, default=("S2", "PD"), show_default=True,
    help="S2 sees 10 m, PD 3 m; several values may follow",
)  # fmt: skip
def generate(
    dst: Path, regions: int, frames: int, size: int, seed: int, first: int, sensors: tuple[str, ...]
) -> None:
    """Make image sequences of construction sites that are not there, with their truth.

    Writes DST/data.kwcoco.json (the images of each region over two years and the sites' phases in each),
    the GeoTIFFs, DST/region_models and DST/site_models. The same options give the same bytes.
    """
    from tqdm import tqdm

    from pipelines.geowatch import bundles, scenes

    if dst.exists() and not dst.is_dir():
        raise BadInput("is a file, not a folder to write to", where=dst)
    chosen = tuple(dict.fromkeys(sensors))
    planned = [scenes.plan(seed, first + index, frames, size, chosen) for index in range(regions)]
    images = sum(len(scene.acquisitions) for scene in planned)
    with tqdm(total=images, desc="generate", unit="image", disable=None) as bar:
        path = bundles.write(dst, planned, bar.update)
    click.echo(f"wrote {path}")


if __name__ == "__main__":
    program.run(generate)
