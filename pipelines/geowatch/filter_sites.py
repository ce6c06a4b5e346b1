"""The program `filter_sites`: the sites whose scores speak for a construction, the others left out.

How a site is scored is in site_scores.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from pipelines.errors import BadInput
from pipelines.geowatch import iarpa
from pipelines.program import read_json, run

Score = dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """What a site must be like; a threshold of None asks nothing, nor does a score that nobody knows."""

    start_thresh: float | None = None
    end_thresh: float | None = None
    change_thresh: float | None = None

    def reason(self, score: Score) -> str | None:
        """Why a site is left out, or None where it stays."""
        start, end, change = (score.get(f"{key}_score") for key in ("start", "end", "change"))
        if self.start_thresh is not None and start is not None and start > self.start_thresh:
            return f"start score {start:.3f} is above {self.start_thresh:g}"
        if self.end_thresh is not None and end is not None and end < self.end_thresh:
            return f"end score {end:.3f} is below {self.end_thresh:g}"
        if self.change_thresh is not None and change is not None and change < self.change_thresh:
            return f"change score {change:.3f} is below {self.change_thresh:g}"
        return None


def filter_region(regions: list[iarpa.Region], rejected: set[str]) -> iarpa.Region:
    """One region model of the sites that stay; several regions become one that covers them all."""
    import shapely

    sites = tuple(site for region in regions for site in region.sites if site.site_id not in rejected)
    if len(regions) == 1:
        return replace(regions[0], sites=sites)
    starts = [region.start_date for region in regions if region.start_date]
    ends = [region.end_date for region in regions if region.end_date]
    return iarpa.Region(
        regions[0].region_id,
        shapely.union_all([region.geometry for region in regions]),
        min(starts, default=None),
        max(ends, default=None),
        regions[0].mgrs,
        tuple(sorted(sites, key=lambda site: site.site_id)),
    )


def _scores(path: str) -> dict[str, Score]:
    document = read_json(path)
    if not isinstance(document, dict) or document.get("type") != "site_scores":
        raise BadInput("is not a file of score_sites", where=path)
    scores: dict[str, Score] = document.get("sites", {})
    return scores


def _write_sites(files: list[Path], rejected: set[str], folder: Path) -> list[Path]:
    """Copy the site models that stay, and remove what another run left in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = []
    for file in files:
        site = iarpa.read_site(file)
        if site.site_id not in rejected:
            kept.append(folder / f"{site.site_id}.geojson")
            iarpa.write_site(kept[-1], site)
    for old in sorted(set(folder.glob("*.geojson")) - set(kept)):
        old.unlink()
    return kept


def _write_summaries(regions: list[iarpa.Region], rejected: set[str], manifest: Path) -> None:
    """As the tracker writes them: a region model each in a folder beside the manifest, and the manifest."""
    files = [manifest.parent / "out_site_summaries" / f"{region.region_id}.geojson" for region in regions]
    for file, region in zip(files, regions, strict=True):
        iarpa.write_region(file, filter_region([region], rejected))
    iarpa.write_manifest(manifest, files)


def _regions(path: str) -> list[iarpa.Region]:
    regions = [iarpa.read_region(file) for file in iarpa.find(path)]
    if not regions:
        raise BadInput("names no region model", where=path)
    return sorted(regions, key=lambda region: region.region_id)


@click.command()
@click.option("--regions", required=True, help="site summaries: manifest, region model or folder")
@click.option("--sites", required=True, help="site models: manifest, file or folder")
@click.option("--scores_fpath", required=True, help="JSON of score_sites")
@click.option(
    "--start_thresh", default=0.5, show_default=True, help="leave out sites with a higher start score"
)
@click.option("--end_thresh", default=0.15, show_default=True, help="leave out sites with a lower end score")
@click.option("--change_thresh", type=float, default=0.1, show_default=True, help="and a lower change score")
@click.option("--out_region", default="out_region.geojson", show_default=True, help="region model to write")
@click.option("--out_sites", default="out_sites", show_default=True, help="folder of site models to write")
@click.option(
    "--out_site_summaries", help="manifest of a region model each [default: beside the site manifest]"
)
@click.option("--out_site_manifest", default="out_site_manifest.json", show_default=True, help="their list")
def main(regions: str, sites: str, scores_fpath: str, **options: Any) -> None:
    """Keep the sites whose scores speak for a construction.

    A site stays unless a known score is on the wrong side of its threshold; a site that could not be
    scored stays. Each site left out is named with its reason on stdout. Of several regions, out_region
    holds the sites of all; out_site_summaries names a model of each.

    \b
    python -m pipelines.geowatch.filter_sites --regions=site_summaries_manifest.json \\
        --sites=sites_manifest.json --scores_fpath=site_scores.json --end_thresh=0.1
    """
    rule = Rule(options["start_thresh"], options["end_thresh"], options["change_thresh"])
    reasons = {site: rule.reason(score) for site, score in sorted(_scores(scores_fpath).items())}
    rejected = {site for site, reason in reasons.items() if reason}
    known = _regions(regions)
    kept_region = filter_region(known, rejected)
    files = _write_sites(iarpa.find(sites), rejected, Path(options["out_sites"]))
    iarpa.write_region(options["out_region"], kept_region)
    beside = Path(options["out_site_manifest"]).with_name("out_site_summaries_manifest.json")
    _write_summaries(known, rejected, Path(options["out_site_summaries"] or beside))
    iarpa.write_manifest(options["out_site_manifest"], files)
    for site in sorted(rejected):
        click.echo(f"left out {site}: {reasons[site]}")
    click.echo(f"wrote {options['out_site_manifest']}: {len(files)} sites")


if __name__ == "__main__":
    run(main)
