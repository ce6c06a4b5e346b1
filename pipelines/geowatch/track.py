"""The program `track`: heatmaps over time to sites, for bas_poly and sc_poly.

Options and the order of work; the tracking itself is in site_tracks.py.
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines import program
from pipelines.errors import BadInput

if TYPE_CHECKING:
    from pipelines.geowatch.iarpa import Site
    from pipelines.geowatch.site_tracks import Tracking

_POSITIVE = click.FloatRange(min=0)
_FRACTION = click.FloatRange(0, 1)


@click.command(
    epilog="\b\nExample:\n"
    "  python -m pipelines.geowatch.track \\\n"
    "    --pred_pxl_fpath=pred.kwcoco.zip --boundary_region=region_models \\\n"
    "    --thresh=0.12 --sites_fpath=out/sites_manifest.json"
)
@click.option(
    "--mode",
    type=click.Choice(["bas", "sc"]),
    default="bas",
    show_default=True,
    help="from saliency, or from classes with phases",
)
@click.option("--pred_pxl_fpath", required=True, help="kwcoco with heatmaps")
@click.option("--boundary_region", help="region models that bound the sites: file, folder or manifest")
@click.option("--site_summary", help="region models whose sites are given: file, folder or manifest")
@click.option("--sites_fpath", required=True, help="manifest of the site models, to write")
@click.option("--sites_dpath", help="their folder [default: sites, beside the manifest]")
@click.option(
    "--site_summaries_fpath",
    help="manifest of the region models, to write [default: site_summaries_manifest.json]",
)
@click.option("--site_summaries_dpath", help="their folder [default: site_summaries]")
@click.option("--poly_kwcoco_fpath", help="kwcoco with the sites, to write [default: poly.kwcoco.zip]")
@click.option("--thresh", type=_FRACTION, default=0.2, show_default=True, help="of the heat of a site")
@click.option(
    "--time_thresh",
    type=_POSITIVE,
    default=1.0,
    show_default=True,
    help="a site stays on until its heat falls below this fraction of thresh; its period is from the "
    "first to the last frame that it is on",
)
@click.option("--time_split_thresh", type=_FRACTION, help="a site is two where its heat falls below this")
@click.option(
    "--agg_fn",
    type=click.Choice(["probs", "mean", "max"]),
    default="probs",
    show_default=True,
    help="over time: a power mean of order norm_ord, or by name",
)
@click.option(
    "--norm_ord",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="1: mean, inf: max",
)
@click.option(
    "--moving_window_size",
    type=click.IntRange(min=1),
    help="frames that are aggregated; the highest window counts [default: all]",
)
@click.option("--inner_window_size", help="aggregate such stretches of time first, such as 90d or 1y")
@click.option("--inner_agg_fn", type=click.Choice(["mean", "max"]), default="mean", show_default=True)
@click.option(
    "--morph_kernel",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="close gaps narrower than this, in pixels",
)
@click.option(
    "--poly_merge_method",
    type=click.Choice(["v1", "v2"]),
    default="v2",
    show_default=True,
    help="pieces that touch in a corner are v1: two sites, v2: one",
)
@click.option("--polygon_simplify_tolerance", type=_POSITIVE, help="in metres")
@click.option("--min_area_square_meters", type=_POSITIVE)
@click.option("--max_area_square_meters", type=_POSITIVE)
@click.option("--max_area_behavior", type=click.Choice(["drop"]), default="drop", show_default=True)
@click.option("--response_thresh", type=_FRACTION, help="least mean heat over time inside an outline")
@click.option(
    "--boundary_behavior",
    type=click.Choice(["drop", "clip"]),
    default="drop",
    show_default=True,
    help="of sites that reach over the region's boundary: keep whole, or cut; others are dropped",
)
@click.option(
    "--boundaries_as",
    type=click.Choice(["polys", "bounds", "none"]),
    help="given sites are the outlines, say where to look, or are ignored "
    "[default: polys in mode sc, bounds in mode bas]",
)
@click.option(
    "--use_viterbi",
    type=bool,
    default=False,
    show_default=True,
    help="phases as the likeliest sequence that never goes back",
)
@click.option(
    "--smoothing",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="frames of a moving average over the classes; 0 or 1: none",
)
@click.option("--site_score_thresh", type=_FRACTION, help="least mean heat over the period of a site")
@click.option("--time_pad_before", help="lengthen the period of a site, such as 30d")
@click.option("--time_pad_after", help="the same at its end")
def main(**options: Any) -> None:
    """Track heatmaps over time into sites.

    Writes IARPA site models, region models with site summaries, a manifest of each, and a kwcoco file with
    the sites as annotations.
    """
    from tqdm import tqdm

    from pipelines.geowatch import coco_files, heatmaps, iarpa
    from pipelines.geowatch.site_tracks import find_sites, numbered
    from pipelines.geowatch.track_files import write_tracks
    from pipelines.geowatch.track_regions import RegionFiles, by_id, task_of

    how = tracking_of(options)
    dataset = coco_files.read_dataset(options["pred_pxl_fpath"])
    channels = heatmaps.SALIENT if options["mode"] == "bas" else iarpa.PHASES
    videos = heatmaps.heat_videos(dataset, channels)
    bounding = RegionFiles.of(options["boundary_region"])
    giving = RegionFiles.of(options["site_summary"])
    tasks = [task_of(video, bounding, giving) for video in videos]
    found: list[Site] = []
    bar = tqdm(zip(videos, tasks, strict=True), "track", len(videos), unit="video", disable=None)
    for video, (region, given) in bar:
        found += find_sites(video, how, region, given)
    sites = numbered(found)
    _check_distinct(sites)
    # A region without given sites has no crop, and yet it was looked at.
    searched = {**(giving.regions if giving else {}), **by_id(region for region, _ in tasks)}
    regions = [searched[region_id] for region_id in sorted(searched)]
    write_tracks(paths_of(options), dataset, regions, sites)
    click.echo(f"wrote {len(sites)} sites of {len(regions)} regions: {options['sites_fpath']}")


def tracking_of(options: dict[str, Any]) -> Tracking:
    """The options as the tracker takes them."""
    from dataclasses import fields

    from pipelines.geowatch.site_tracks import Tracking
    from pipelines.geowatch.tracking import Aggregation, days

    order = {"mean": 1.0, "max": math.inf, "probs": options["norm_ord"]}[options["agg_fn"]]
    inner = days(options["inner_window_size"])
    if inner == 0:
        raise BadInput("--inner_window_size is 0")
    computed: dict[str, Any] = {
        "aggregation": Aggregation(order, options["moving_window_size"], inner, options["inner_agg_fn"]),
        "boundaries_as": options["boundaries_as"] or {"sc": "polys", "bas": "bounds"}[options["mode"]],
        "time_pad_before": days(options["time_pad_before"]) or 0.0,
        "time_pad_after": days(options["time_pad_after"]) or 0.0,
    }
    same: dict[str, Any] = {
        field.name: options[field.name] for field in fields(Tracking) if field.name not in computed
    }
    return Tracking(**same, **computed)


def paths_of(options: dict[str, Any]) -> Any:
    """Where the outputs go; those not named lie beside the manifest of the sites."""
    from pipelines.geowatch.track_files import TrackPaths

    manifest = Path(options["sites_fpath"])
    beside = {
        "sites_dpath": "sites",
        "site_summaries_fpath": "site_summaries_manifest.json",
        "site_summaries_dpath": "site_summaries",
        "poly_kwcoco_fpath": "poly.kwcoco.zip",
    }
    others = {key: Path(options[key] or manifest.parent / name) for key, name in beside.items()}
    return TrackPaths(sites_fpath=manifest, **others)


def _check_distinct(sites: list[Site]) -> None:
    seen: defaultdict[str, int] = defaultdict(int)
    for site in sites:
        seen[site.site_id] += 1
        if seen[site.site_id] > 1:
            raise BadInput(f"two videos hold the site {site.site_id!r}")


if __name__ == "__main__":
    program.run(main)
