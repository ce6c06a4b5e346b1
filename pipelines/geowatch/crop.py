"""The program `crop`: a kwcoco dataset cut into one video a site (`sc_crop`, and `sv_crop` with end frames).

The options are here, the work is in crop_sites.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from pipelines.errors import BadInput
from pipelines.geowatch.coco_files import read_dataset, write_dataset
from pipelines.geowatch.crop_grids import ground_size
from pipelines.geowatch.crop_images import Wanted
from pipelines.geowatch.crop_sites import CropOptions, crop
from pipelines.geowatch.grids import gsd
from pipelines.geowatch.site_areas import site_areas
from pipelines.program import run, staged


def _words(values: Iterable[str]) -> frozenset[str]:
    """`red|green`, `S2,PD` and several values, all as one set."""
    return frozenset(word.strip() for v in values for word in v.replace("|", ",").split(",") if word.strip())


@click.command()
@click.option("--crop_src_fpath", required=True, help="kwcoco dataset to cut, of high resolution")
@click.option("--regions", required=True, help="site summaries, sites (manifest, file, folder) or `truth`")
@click.option("--crop_dst_fpath", default="sitecrop.kwcoco.zip", show_default=True, help="kwcoco to write")
@click.option("--target_gsd", default="4", show_default=True, help="metres per pixel, as 4 or 4GSD")
@click.option("--context_factor", default=1.5, show_default=True, help="widens a site's bounding box")
@click.option("--minimum_size", default="128x128@10GSD", show_default=True, help="least size of a crop")
@click.option("--include_channels", multiple=True, help="such as `red|green|blue`; all by default")
@click.option("--exclude_sensors", multiple=True, help="such as `S2,L8`")
@click.option("--force_nodata", type=float, default=-9999, show_default=True, help="nodata of the crops")
@click.option("--convexify_regions", type=bool, default=True, show_default=True, help="note convex hulls")
@click.option("--num_start_frames", type=int, help="only the first frames with data (sv_crop: 3)")
@click.option("--num_end_frames", type=int, help="and the last (sv_crop: 3)")
@click.option("--img_workers", default=2, show_default=True, help="threads over images")
@click.option("--aux_workers", default=0, show_default=True, help="threads over assets of an image")
@click.option("--keep", help="`img`: go on from the assets on the same grid that an earlier run left")
def main(crop_src_fpath: str, regions: str, crop_dst_fpath: str, **options: Any) -> None:
    """Cut a dataset into one video for each site, resampled to a target resolution.

    \b
    python -m pipelines.geowatch.crop --crop_src_fpath=data.kwcoco.json \\
        --regions=site_summaries_manifest.json --target_gsd=4 --crop_dst_fpath=out/sitecrop.kwcoco.zip
    """
    if options["context_factor"] <= 0:
        raise BadInput(f"--context_factor must be above 0, not {options['context_factor']}")
    if options["keep"] not in (None, "None", "none", "img"):
        raise BadInput(f"--keep is img or none, not {options['keep']!r}")
    settings = _settings(options)
    dataset = read_dataset(crop_src_fpath)
    destination = Path(crop_dst_fpath).absolute()
    workers = (options["img_workers"], options["aux_workers"])
    areas = site_areas(regions, dataset)
    keep, bundle = settings.wanted.keep, destination.parent
    # Assets to keep are looked for where a run that failed has left them.
    with nullcontext(bundle) if keep else staged(bundle, last=destination) as folder:
        made = crop(dataset, areas, folder, settings, workers)
        write_dataset(made, folder / destination.name)
    click.echo(f"wrote {crop_dst_fpath}: {len(made.videos())} sites, {made.n_images} images")


def _settings(options: dict[str, Any]) -> CropOptions:
    wanted = Wanted(
        _words(options["include_channels"]) or None, options["force_nodata"], options["keep"] == "img"
    )
    return CropOptions(
        wanted=wanted,
        target_gsd=gsd(options["target_gsd"]),
        context_factor=options["context_factor"],
        minimum_size=ground_size(options["minimum_size"]),
        exclude_sensors=_words(options["exclude_sensors"]),
        start_frames=options["num_start_frames"],
        end_frames=options["num_end_frames"],
        convexify=options["convexify_regions"],
    )


if __name__ == "__main__":
    run(main)
