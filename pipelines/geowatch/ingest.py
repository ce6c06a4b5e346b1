"""The program that imports GeoTIFFs and GeoJSON into kwcoco: `python -m pipelines.geowatch.ingest --help`.

Reading the files is image_files.py's and ingest_truth.py's, placing them in videos ingest_videos.py's.
"""

from __future__ import annotations

from pathlib import Path

import click

from pipelines import program

_PATH = click.Path(path_type=Path)
_EPILOG = """\b
Example:
  python -m pipelines.geowatch.ingest --src=scenes --dst=data --sensor=S2 \\
      --channels='blue|green|red|nir' --regions=regions.geojson --sites=site_models"""


@click.command(epilog=_EPILOG)
@click.option("--src", type=_PATH, required=True, help="folder of GeoTIFFs, searched with its subfolders")
@click.option("--dst", type=_PATH, required=True, help="folder to write data.kwcoco.json to")
@click.option("--regions", type=_PATH, help="region models or polygons (GeoJSON file, folder or manifest)")
@click.option("--sites", type=_PATH, help="site models or polygons: the truth (file, folder or manifest)")
@click.option("--times", type=_PATH, help="CSV: file,date and perhaps sensor,channels; else from file names")
@click.option("--sensor", default="unknown", show_default=True, help="sensor of files that do not say")
@click.option("--channels", help="bands of files that do not say, such as 'red|green|blue'")
@click.option("--target_gsd", default="10GSD", show_default=True, help="pixel of video space in metres")
@click.option("--name", help="id of the region when there is no --regions; by default the folder's name")
def ingest(
    src: Path,
    dst: Path,
    regions: Path | None,
    sites: Path | None,
    times: Path | None,
    sensor: str,
    channels: str | None,
    target_gsd: str,
    name: str | None,
) -> None:
    """Make a kwcoco dataset of a directory of GeoTIFFs, one video per region.

    Files of one time and sensor are one image. Files in the CRS of their video stay where they are; others
    are resampled into DST/assets. Regions and sites are written to DST/region_models and DST/site_models.
    """
    from tqdm import tqdm

    from pipelines.errors import BadInput
    from pipelines.geowatch import grids, image_files, ingest_truth, ingest_videos

    metres = grids.gsd(target_gsd)
    if not src.is_dir():
        raise BadInput("no such folder", where=src)
    if dst.resolve().is_relative_to(src.resolve()):
        # The copies would be images of the next import.
        raise BadInput(f"lies in {src}, the folder of images", where=dst, hint="choose another --dst")
    files = image_files.scan(src, times, sensor, channels)
    truth = ingest_truth.read_sites(sites) if sites else []
    if regions:
        models = ingest_truth.read_regions(regions)
    else:
        models = [ingest_videos.region_of(name or src.resolve().name, files)]
    videos = [ingest_videos.plan(region, files, truth, metres) for region in models]
    with tqdm(total=sum(len(v.shots) for v in videos), desc="ingest", unit="image", disable=None) as bar:
        path = ingest_videos.write(dst, videos, bar.update)
    click.echo(f"wrote {path}")


if __name__ == "__main__":
    program.run(ingest)
