"""Program: proposed sites against true ones, as BAS and SC metrics in a JSON file.

Reads, calls `polygon_scores` and `phase_scores`, writes; defines no metric.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pipelines import program
from pipelines.errors import BadInput
from pipelines.geowatch import iarpa, phase_scores, polygon_scores
from pipelines.geowatch.iarpa import Region, Site

_SUMMARIES = "site_summaries_manifest.json"


@dataclass(frozen=True)
class Sites:
    """The sites of one region, true and proposed."""

    region: Region
    truths: tuple[Site, ...]
    proposals: tuple[Site, ...]


@click.command(
    epilog="\b\nExample:\n"
    "  python -m pipelines.geowatch.evaluate_polygons \\\n"
    "    --true_site_dpath=site_models --true_region_dpath=region_models \\\n"
    "    --sites_fpath=sites_manifest.json --eval_fpath=poly_eval.json"
)
@click.option("--true_site_dpath", required=True, help="Folder of the true site models.")
@click.option("--true_region_dpath", required=True, help="Folder of the region models, <region>.geojson.")
@click.option("--sites_fpath", required=True, help="Manifest (or folder) of the proposed site models.")
@click.option("--eval_fpath", required=True, help="JSON file to write.")
@click.option("--enable_viz", type=bool, default=False, show_default=True, help="Also draw a map per region.")
@click.option(
    "--regions", multiple=True, help="Regions to score; by default those that were searched for sites."
)
@click.option(
    "--tau",
    multiple=True,
    type=click.FloatRange(0, 1),
    default=polygon_scores.TAUS,
    show_default=True,
    help="Thresholds of similarity; metrics are those of the one with the highest F1.",
)
@click.option(
    "--rho",
    type=click.FloatRange(0, 1),
    default=None,
    help="Compare outlines observation by observation: this share of the true ones must reach tau. "
    "By default the union of the outlines is compared.",
)
def main(
    true_site_dpath: str,
    true_region_dpath: str,
    sites_fpath: str,
    eval_fpath: str,
    enable_viz: bool,
    regions: Sequence[str],
    tau: Sequence[float],
    rho: float | None,
) -> None:
    """Match proposed sites to true ones and report how many were found, and how well their phases.

    A proposal matches a true site when the IoU of their footprints reaches tau and their periods overlap
    (20 percent of the truth's days, 10 percent of the proposal's); matches are one to one. Areas are
    those of an equal-area projection about each region.
    """
    loaded = load(true_site_dpath, true_region_dpath, sites_fpath, regions)
    cases = [polygon_scores.case(one.region, one.truths, one.proposals, rho=rho) for one in loaded]
    report, outcomes = evaluate(loaded, cases, sorted(set(tau)))
    if enable_viz:
        from pipelines.geowatch import curves

        folder = Path(eval_fpath).parent / "maps"
        for case, outcome in zip(cases, outcomes, strict=True):
            curves.draw_map(folder / f"{case.region.region_id}.png", case, outcome)
    info = {"program": "pipelines.geowatch.evaluate_polygons", "tau": sorted(set(tau)), "rho": rho}
    program.write_json(eval_fpath, {"info": [info], "result": report})


def load(
    true_site_dpath: str, true_region_dpath: str, sites_fpath: str, wanted: Iterable[str] = ()
) -> list[Sites]:
    """The regions to score with their sites, sorted by id.

    Without ``wanted`` they are the regions that the tracker says it searched (its site summaries beside
    the manifest) and those of the proposals; failing both, all that have a region model.

    Raises:
        BadInput: a file is missing or wrong, or a region has no model.
    """
    for folder in (true_site_dpath, true_region_dpath):
        if not Path(folder).is_dir():
            raise BadInput("no such folder", where=folder)
    proposals = [iarpa.read_site(path) for path in iarpa.find(sites_fpath)]
    names = set(wanted) or {site.region_id for site in proposals} | _searched(sites_fpath)
    names = names or {path.stem for path in iarpa.find(true_region_dpath)}
    if not names:
        raise BadInput("holds no region model", where=true_region_dpath)
    return [
        Sites(
            region := _region(true_region_dpath, name),
            _truths(true_site_dpath, region),
            tuple(site for site in proposals if site.region_id == name),
        )
        for name in sorted(names)
    ]


def evaluate(
    loaded: Sequence[Sites], cases: Sequence[polygon_scores.Case], taus: Sequence[float]
) -> tuple[dict[str, Any], list[polygon_scores.Outcome]]:
    """The report of all regions together, and each region's outcome at the best threshold."""
    outcomes = {tau: [polygon_scores.outcome(case, tau) for case in cases] for tau in taus}
    totals = {
        tau: sum((one.counts for one in found), polygon_scores.Counts()) for tau, found in outcomes.items()
    }
    best = polygon_scores.best_tau(totals)
    confusions = [_confusions(sites, outcome) for sites, outcome in zip(loaded, outcomes[best], strict=True)]
    everything = [one for some in confusions for one in some]
    known = [_has_phases(sites) for sites in loaded]
    report = {
        "metrics": {**_metrics(totals[best], everything, any(known)), "tau": best},
        "scoreboard": [{"tau": tau, **polygon_scores.metrics(total)} for tau, total in totals.items()],
        "confusion": {
            "phases": list(iarpa.PHASES),
            "true_by_proposed": phase_scores.table(phase_scores.pool(everything)),
        },
        "regions": {
            case.region.region_id: {
                "metrics": _metrics(outcome.counts, some, has_phases),
                "pairs": outcome.pairs,
                "false": outcome.false,
                "missed": outcome.missed,
            }
            for case, outcome, some, has_phases in zip(cases, outcomes[best], confusions, known, strict=True)
        },
    }
    return report, outcomes[best]


def _has_phases(sites: Sites) -> bool:
    return any(item.phase for site in sites.truths for item in site.observations)


def _metrics(
    counts: polygon_scores.Counts, confusions: Sequence[phase_scores.Confusion], has_phases: bool
) -> dict[str, float | int | None]:
    return {
        **polygon_scores.metrics(counts),
        **phase_scores.metrics(confusions, has_phases=has_phases),
    }


def _confusions(sites: Sites, outcome: polygon_scores.Outcome) -> list[dict[tuple[str, str], int]]:
    truths = {site.site_id: site for site in sites.truths}
    proposals = {site.site_id: site for site in sites.proposals}
    return [
        phase_scores.confusion(truths[true], proposals[proposed], sites.region)
        for true, proposed in outcome.pairs
    ]


def _region(folder: str, name: str) -> Region:
    path = Path(folder) / f"{name}.geojson"
    if not path.is_file():
        raise BadInput(f"has no region model {path.name!r} for the region {name!r}", where=folder)
    return iarpa.read_region(path)


def _truths(folder: str, region: Region) -> tuple[Site, ...]:
    """The site models of a region, and its summaries that have none."""
    models = [iarpa.read_site(path) for path in sorted(Path(folder).glob(f"{region.region_id}_*.geojson"))]
    modelled = {site.site_id for site in models}
    summaries = [
        Site(one.site_id, region.region_id, one.status, one.geometry, one.start_date, one.end_date, one.score)
        for one in region.sites
        if one.site_id not in modelled
    ]
    return tuple(sorted([*models, *summaries], key=lambda site: site.site_id))


def _searched(sites_fpath: str) -> set[str]:
    """The regions of the tracker's site summaries: also those in which it found nothing."""
    manifest = Path(sites_fpath).with_name(_SUMMARIES)
    if not manifest.is_file():
        return set()
    return {iarpa.read_region(path).region_id for path in iarpa.find(manifest)}


if __name__ == "__main__":
    program.run(main)
