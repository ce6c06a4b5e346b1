"""Site characterisation metrics: the phases of matched sites on the days the truth was observed.

Which sites match is `matching`'s business.
"""

from __future__ import annotations

import bisect
import datetime
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipelines.geowatch.iarpa import PHASES
from pipelines.geowatch.matching import ACTIVE_PHASES, dated_phases

if TYPE_CHECKING:
    from pipelines.geowatch.iarpa import Region, Site

Confusion = Mapping[tuple[str, str], int]
_NAMES = dict(zip(ACTIVE_PHASES, ("macro_f1_siteprep", "macro_f1_active"), strict=True))


def confusion(truth: Site, proposal: Site, region: Region) -> dict[tuple[str, str], int]:
    """(true phase, proposed phase) -> days of observation.

    The proposed phase of a day is that of the proposal's latest observation; before its first it is
    `No Activity`. Days without a true phase are not counted.
    """
    proposed = {day: phase for day, phase in dated_phases(proposal, region).items() if phase is not None}
    days = list(proposed)
    counts: dict[tuple[str, str], int] = {}
    for day, true in dated_phases(truth, region).items():
        if true is not None:
            pair = (true, _phase_at(day, days, proposed))
            counts[pair] = counts.get(pair, 0) + 1
    return counts


def f1(counts: Confusion, phase: str) -> float | None:
    """2 TP / (2 TP + FP + FN) of a phase, None if it is neither in the truth nor proposed."""
    tp = counts.get((phase, phase), 0)
    touched = sum(n * ((true == phase) + (proposed == phase)) for (true, proposed), n in counts.items())
    return 2 * tp / touched if touched else None


def metrics(confusions: Sequence[Confusion], *, has_phases: bool) -> dict[str, float | None]:
    """The SC metrics of matched sites.

    `macro_f1_*` is the mean over the sites that have the phase in truth or proposal, each site of equal
    weight; `sc_macro_f1` the mean of the two active phases (as in the IARPA SMART metrics framework);
    `sc_micro_f1` pools the days of all sites. With nothing matched they are 0 where the truth has phases
    to tell (``has_phases``), else None.
    """
    nothing = 0.0 if has_phases else None
    macro = {_NAMES[phase]: _mean([f1(one, phase) for one in confusions], nothing) for phase in ACTIVE_PHASES}
    pooled = pool(confusions)
    return {
        **macro,
        "sc_macro_f1": _mean(list(macro.values()), nothing),
        "sc_micro_f1": _mean([f1(pooled, phase) for phase in ACTIVE_PHASES], nothing),
    }


def pool(confusions: Sequence[Confusion]) -> dict[tuple[str, str], int]:
    """The sum of several confusions."""
    total: dict[tuple[str, str], int] = {}
    for counts in confusions:
        for pair, n in counts.items():
            total[pair] = total.get(pair, 0) + n
    return total


def table(counts: Confusion) -> list[list[int]]:
    """Days by true phase (rows) and proposed phase (columns), in the order of `iarpa.PHASES`."""
    return [[counts.get((true, proposed), 0) for proposed in PHASES] for true in PHASES]


def _phase_at(day: datetime.date, days: Sequence[datetime.date], phases: Mapping[datetime.date, str]) -> str:
    before = bisect.bisect_right(days, day)
    return phases[days[before - 1]] if before else PHASES[0]


def _mean(values: Sequence[float | None], nothing: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else nothing
