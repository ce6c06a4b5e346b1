"""The rankings that a report shows, one a region and one over all; who is in each, and what may change.

Tables, no text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kwdag import ranking
from kwdag.metrics import Metric, Metrics, is_numeric
from kwdag.report.options import Options
from kwdag.roles import Roles
from kwdag.settled import settled, settled_macro

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Section:
    """All that is reported of one node: its rows (best last), what ranked them, and what has no row.

    ``absent`` has a row for each job without one in the table: its state, parameters and identity.
    """

    node: str
    table: pd.DataFrame
    metrics: Metrics
    states: Mapping[str, int] = dataclasses.field(default_factory=dict)
    skipped: int = 0
    absent: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """One ranking.

    Attributes:
        ranked: all its rows, best last.
        shown: those of them that the report prints.
        settled: for each of ``ranked`` whether its place is sure.
        absent: the jobs without a result that may change it.
        left_out: param_hashid -> the regions that it lacks, where all are needed.
    """

    label: str
    ranked: pd.DataFrame
    shown: pd.DataFrame
    settled: Sequence[bool]
    absent: pd.DataFrame
    left_out: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)


def boards(section: Section, options: Options, roles: Roles) -> list[Board]:
    """The rankings of a node's results; raises ResultError where the options name no region of theirs."""
    found = _regions(section)
    if options.macro_analysis:
        found.append(_macro(section, options))
    if options.reference_region is None:
        return [dataclasses.replace(one, shown=_top(one.ranked, options, roles)) for one in found]
    reference = _reference(found, str(options.reference_region))
    best = _top(reference.ranked, options, roles)
    hashids = best["param_hashid"]
    return [
        dataclasses.replace(
            one, shown=best if one is reference else one.ranked[one.ranked["param_hashid"].isin(hashids)]
        )
        for one in found
    ]


def _regions(section: Section) -> list[Board]:
    absent = _absent(section)
    flags = settled(section.table, absent, section.metrics.primary)
    anywhere = absent["region_id"].isna()
    return [
        Board(
            region,
            rows,
            rows,
            flags[(section.table["region_id"] == region).to_numpy()].tolist(),
            absent[anywhere | (absent["region_id"] == region)],
        )
        for region, rows in ranking.by_region(section.table).items()
    ]


def _macro(section: Section, options: Options) -> Board:
    known = sorted({str(region) for region in section.table["region_id"]})
    named = options.macro_analysis if isinstance(options.macro_analysis, list) else None
    wanted = named or known
    ranking.check_regions(wanted, known, "stdout_report")
    rows = ranking.macro(section.table, _numeric(section), wanted)
    primary = [metric for metric in section.metrics.primary if metric.column in rows]
    rows, absent = ranking.rank(rows, primary), _absent(section)
    flags = settled_macro(rows, section.table, absent, primary, wanted, may_grow=named is None)
    left_out = ranking.macro_missing(section.table, wanted)
    label = f"macro_{len(wanted)} ({', '.join(wanted)})"
    return Board(label, rows, rows, flags.tolist(), absent, left_out)


def _absent(section: Section) -> pd.DataFrame:
    import pandas as pd

    if section.absent is not None and {"region_id", "param_hashid"} <= {*section.absent.columns}:
        return section.absent
    return pd.DataFrame(columns=["region_id", "param_hashid"])


def _reference(found: Sequence[Board], name: str) -> Board:
    if name == "final":
        return found[-1]
    by_name = {one.label.split(" (")[0]: one for one in found} | {one.label: one for one in found}
    ranking.check_regions([name], by_name, "stdout_report")
    return by_name[name]


def _top(rows: pd.DataFrame, options: Options, roles: Roles) -> pd.DataFrame:
    models = [name for name in rows.columns if name.removeprefix("params.") in roles.model]
    return ranking.top(rows, options.top_k, options.per_group, models or ["param_hashid"])


def _numeric(section: Section) -> list[Metric]:
    metrics = {m.column: m for m in (*section.metrics.primary, *section.metrics.display)}
    return [m for m in metrics.values() if is_numeric(section.table[m.column])]
