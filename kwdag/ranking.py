"""Which rows are best: order, groups, regions, what varies and what it does to a metric.

Pure functions on result tables; reading job directories and printing do not belong here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kwdag.errors import ResultError, did_you_mean
from kwdag.metrics import Metric, scores
from kwdag.render import Token, token
from kwdag.roles import param_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from pandas.core.groupby import DataFrameGroupBy


# -- what varies -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Basis:
    """``varied``: column -> [(value, rows)], the most frequent first; ``constant``: column -> value."""

    varied: Mapping[str, Sequence[tuple[Any, int]]]
    constant: Mapping[str, Any]


def basis(table: pd.DataFrame) -> Basis:
    counts = {name: _value_counts(table[name].tolist()) for name in param_columns(table)}
    return Basis(
        varied={name: values for name, values in counts.items() if len(values) > 1},
        constant={name: values[0][0] for name, values in counts.items() if len(values) == 1},
    )


def _value_counts(values: Iterable[Any]) -> list[tuple[Any, int]]:
    counts: Counter[Token] = Counter()
    first: dict[Token, Any] = {}
    for value in values:
        text = token(value)
        counts[text] += 1
        first.setdefault(text, value)
    return [(first[text], n) for text, n in counts.most_common()]


def lookup(table: pd.DataFrame, columns: Sequence[str], hashids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """param_hashid -> the values of ``columns`` in its first row, in the order of ``hashids``."""
    rows = table.drop_duplicates("param_hashid").set_index("param_hashid")[list(columns)]
    values = {name: dict(zip(rows.index, rows[name].tolist(), strict=True)) for name in columns}
    return {hashid: {name: values[name][hashid] for name in columns} for hashid in hashids}


# -- order and groups ------------------------------------------------------------------------------


def rank(table: pd.DataFrame, metrics: Sequence[Metric]) -> pd.DataFrame:
    """The rows sorted by the metrics, best last.

    The first metric decides, each further one among rows that are equal in those before it. A missing value
    (None, NaN, no number) is worse than any number, also than an infinite one. Rows that are equal in all
    metrics stand in order of ``param_hashid`` and then ``job_id``: the order of the input never counts.
    """
    import numpy as np

    table = table.sort_values([name for name in ("param_hashid", "job_id") if name in table], kind="stable")
    if not metrics:
        return table.reset_index(drop=True)
    keys: list[np.ndarray[Any, Any]] = []
    for metric in reversed(metrics):
        score = scores(table[metric.column])
        missing = np.isnan(score)
        keys += [np.where(missing, 0.0, score if metric.maximize else -score), ~missing]
    return table.iloc[np.lexsort(keys)].reset_index(drop=True)


def places(ranked: pd.DataFrame, metrics: Sequence[Metric]) -> np.ndarray[Any, Any]:
    """The place of each row of a ranked table, 1 for the best, its last row.

    Rows that are equal in all metrics share the better place and the next place is left out: 1, 2, 2, 4.
    A missing value equals another missing one.
    """
    import numpy as np

    if not len(ranked):
        return np.zeros(0, dtype=np.int64)
    values = np.column_stack([np.zeros(len(ranked)), *(scores(ranked[m.column]) for m in metrics)])[::-1]
    same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    new = np.concatenate([[True], ~same.all(axis=1)])
    place = np.arange(1, len(ranked) + 1)
    return np.maximum.accumulate(np.where(new, place, 0))[::-1]


def top(
    ranked: pd.DataFrame, top_k: int | None = None, per_group: int | None = None, group_by: Sequence[str] = ()
) -> pd.DataFrame:
    """The last ``top_k`` rows, of which at most ``per_group`` share their values of ``group_by``."""
    if per_group is not None:
        seen: Counter[Hashable] = Counter()
        keep = []
        for key in reversed(_group_keys(ranked, group_by)):
            seen[key] += 1
            keep.append(seen[key] <= per_group)
        ranked = ranked[keep[::-1]]
    return ranked if top_k is None else ranked.tail(top_k)


def _group_keys(table: pd.DataFrame, group_by: Sequence[str]) -> list[Hashable]:
    return list(zip(*(map(token, table[name].tolist()) for name in group_by), strict=True))


def by_region(ranked: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """region_id -> its rows, in order of names."""
    return {str(name): rows.reset_index(drop=True) for name, rows in ranked.groupby("region_id", sort=True)}


def macro(table: pd.DataFrame, metrics: Sequence[Metric], regions: Sequence[str]) -> pd.DataFrame:
    """One row for each param_hashid that was measured on all ``regions``, its metrics aggregated over them.

    Several rows of one hashid in one region count as their mean, and a missing value stays missing.
    ``spread_column(metric)`` holds the standard deviation over the regions (of a sample: divided by n - 1),
    missing for a single region.
    """
    import pandas as pd

    if not metrics:
        return pd.DataFrame(columns=["region_id", "param_hashid"])
    measured = table[table["region_id"].isin(list(regions))]
    values = pd.DataFrame({m.column: scores(measured[m.column]) for m in metrics}, index=measured.index)
    cells = _aggregated(values.groupby([measured["param_hashid"], measured["region_id"]]), "mean")
    per_hashid = cells.groupby(level="param_hashid")
    combined = _aggregated(per_hashid, {m.column: m.aggregator for m in metrics})
    spread = _aggregated(per_hashid, "std").rename(columns=_spread_name)
    complete = combined.join(spread)[per_hashid.size() == len(set(regions))]
    return complete.reset_index().assign(region_id=f"macro_{len(regions)}")


def spread_column(metric: Metric) -> str:
    """The column of a macro table that tells how far the regions lie apart."""
    return _spread_name(metric.column)


def _spread_name(column: str) -> str:
    # not `metrics....`: it is no metric, and a metric of that name may exist
    return f"spread.{column.removeprefix('metrics.')}"


def macro_missing(table: pd.DataFrame, regions: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """param_hashid -> those of the ``regions`` that it has no row in, for the hashids that lack any.

    These are the rows that ``macro`` leaves out; in order of hashids, regions in the order given.
    """
    known: dict[str, set[str]] = {}
    for hashid, region in zip(table["param_hashid"].tolist(), table["region_id"].tolist(), strict=True):
        known.setdefault(hashid, set()).add(region)
    lacking = {
        hashid: tuple(region for region in dict.fromkeys(regions) if region not in known[hashid])
        for hashid in sorted(known)
    }
    return {hashid: missing for hashid, missing in lacking.items() if missing}


def _aggregated(groups: DataFrameGroupBy[Any, Any], how: Any) -> pd.DataFrame:
    """Each group's aggregate, missing where any of its values is missing."""
    whole = groups.count().eq(groups.size(), axis=0)
    return groups.agg(how).where(whole)


def effect(table: pd.DataFrame, column: str, metric: Metric) -> list[tuple[Any, int, float, float]]:
    """(value, rows, mean, best) of the metric for each value of a parameter, best mean last."""
    import numpy as np

    numbers: dict[Token, list[float]] = {}
    first: dict[Token, Any] = {}
    for value, score in zip(table[column].tolist(), scores(table[metric.column]), strict=True):
        if not np.isnan(score):
            text = token(value)
            first.setdefault(text, value)
            numbers.setdefault(text, []).append(float(score))
    best = max if metric.maximize else min
    found = [(first[text], len(n), sum(n) / len(n), best(n)) for text, n in numbers.items()]
    return sorted(found, key=lambda row: row[2], reverse=not metric.maximize)


# -- choosing rows ---------------------------------------------------------------------------------


def check_regions(regions: Iterable[str], known: Collection[str], option: str) -> None:
    for region in regions:
        if region not in known:
            raise ResultError(f"no region {region!r}", where=option, hint=did_you_mean(region, known))
