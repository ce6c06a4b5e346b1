"""Broad area search metrics: true and proposed sites of regions, counted at each threshold.

How two sites are compared is `matching`; phases are `phase_scores`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.geowatch import matching
from pipelines.geowatch.matching import Presence

if TYPE_CHECKING:
    import numpy as np

    from pipelines.geowatch.iarpa import Region, Site

TAUS = tuple(round(0.1 * step, 1) for step in range(1, 10))
_SQUARE_KM = 1e6
# Of the statuses of the IARPA annotations, those that a search neither must nor must not find.
_IGNORED_TRUTH = frozenset({"ignore", "positive_excluded", "positive_unbounded"})
_WITHDRAWN = frozenset({"system_rejected", "ignore", "negative"})


@dataclass(frozen=True)
class Counts:
    """What was found and what not; areas in square metres, days of the regions' periods."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    fp_area: float = 0.0
    region_area: float = 0.0
    days: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.tp + other.tp,
            self.fp + other.fp,
            self.fn + other.fn,
            self.fp_area + other.fp_area,
            self.region_area + other.region_area,
            self.days + other.days,
        )


@dataclass(frozen=True, eq=False)
class Case:
    """A region ready to be scored: sites sorted by id, similarities as `matching.similarities` has them."""

    region: Region
    crs: str
    truths: tuple[Presence, ...]
    proposals: tuple[Presence, ...]
    alike: np.ndarray
    alike_ignored: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """A region at one threshold: ids of matched (truth, proposal), of false positives and negatives."""

    pairs: tuple[tuple[str, str], ...]
    false: tuple[str, ...]
    missed: tuple[str, ...]
    counts: Counts


def case(
    region: Region, truths: Sequence[Site], proposals: Sequence[Site], *, rho: float | None = None
) -> Case:
    """Bring the sites of a region together; what lies outside its area or period is left out."""
    crs = matching.equal_area_crs(region)
    true = _presences(truths, region, crs, is_truth=True)
    ignored = tuple(site for site in true if site.status in _IGNORED_TRUTH)
    wanted = tuple(site for site in true if site.status.startswith("positive") and site not in ignored)
    standing = [site for site in proposals if site.status not in _WITHDRAWN]
    found = _presences(standing, region, crs, is_truth=False)
    return Case(
        region,
        crs,
        wanted,
        found,
        matching.similarities(wanted, found, rho=rho),
        matching.similarities(ignored, found, rho=rho),
    )


def outcome(case: Case, tau: float) -> Outcome:
    """Match at ``tau``; a proposal that matches only a truth to be ignored is neither right nor wrong."""
    pairs = matching.assign(case.alike, tau)
    hit = {i for i, _ in pairs}
    settled = {j for _, j in pairs} | matching.reached(case.alike_ignored, tau)
    false = [proposal for j, proposal in enumerate(case.proposals) if j not in settled]
    missed = [truth for i, truth in enumerate(case.truths) if i not in hit]
    ground = matching.in_metres(case.region.geometry, case.crs)
    counts = Counts(
        tp=len(pairs),
        fp=len(false),
        fn=len(missed),
        fp_area=matching.union([site.footprint for site in false]).intersection(ground).area,
        region_area=ground.area,
        days=_days(case.region),
    )
    return Outcome(
        tuple((case.truths[i].site_id, case.proposals[j].site_id) for i, j in pairs),
        tuple(site.site_id for site in false),
        tuple(site.site_id for site in missed),
        counts,
    )


def best_tau(scores: Mapping[float, Counts]) -> float:
    """The threshold with the highest F1; of equals the strictest."""
    return max(scores, key=lambda tau: (_f1(scores[tau]) or 0.0, tau))


def metrics(counts: Counts) -> dict[str, float | int | None]:
    """The BAS metrics; None where one divides zero by zero.

    As in the IARPA SMART metrics framework `bas_space_FAR` is false positives per square kilometre of
    region and `bas_time_FAR` per day of its period; of false positives in `bas_ffpa` the part within the
    region counts, overlapping ones once.
    """
    f1 = _f1(counts)
    ffpa = _ratio(counts.fp_area, counts.region_area)
    return {
        "bas_tp": counts.tp,
        "bas_fp": counts.fp,
        "bas_fn": counts.fn,
        "bas_ntrue": counts.tp + counts.fn,
        "bas_npred": counts.tp + counts.fp,
        "bas_tpr": _ratio(counts.tp, counts.tp + counts.fn),
        "bas_ppv": _ratio(counts.tp, counts.tp + counts.fp),
        "bas_f1": f1,
        "bas_ffpa": ffpa,
        "bas_faa_f1": None if f1 is None or ffpa is None else f1 * (1 - ffpa),
        "bas_space_FAR": _ratio(counts.fp, counts.region_area / _SQUARE_KM),
        "bas_time_FAR": _ratio(counts.fp, counts.days),
    }


def _presences(sites: Sequence[Site], region: Region, crs: str, *, is_truth: bool) -> tuple[Presence, ...]:
    found = (
        matching.presence(site, region, crs, is_truth=is_truth)
        for site in sorted(sites, key=lambda site: site.site_id)
    )
    return tuple(site for site in found if site is not None)


def _f1(counts: Counts) -> float | None:
    return _ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _days(region: Region) -> int:
    """Length of the region's period, 0 if it has none."""
    if region.start_date is None or region.end_date is None:
        return 0
    return matching.Period(region.start_date, region.end_date).days
