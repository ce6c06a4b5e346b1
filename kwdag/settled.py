"""Which places of a ranking are settled while results are missing: no outcome of theirs could change them.

Pure functions on result tables; who is missing, and why, is told to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kwdag import ranking
from kwdag.metrics import Metric, scores

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Bools = np.ndarray[Any, np.dtype[np.bool_]]
    Floats = np.ndarray[Any, np.dtype[np.float64]]
    Places = np.ndarray[Any, np.dtype[np.int64]]

#: Sorts behind every name: what a job is called that is not known.
_LAST = "\U0010ffff"


def settled(ranked: pd.DataFrame, absent: pd.DataFrame | None, metrics: Sequence[Metric]) -> Bools:
    """Whether each row of a ranked table keeps its place in its region, whatever becomes of the missing jobs.

    The place counts from the end: 1 for the region's last row. A missing job may never end, or end with any
    value that its metric's ``bounds`` allow (any number at all where they are not known), or with none. So a
    place is settled if every missing job of the region, were it at its best in all metrics, would rank below;
    ties go as in ``ranking.rank``.

    Args:
        ranked: result of ``ranking.rank`` by the same ``metrics``.
        absent: a row for each missing job: ``region_id``, ``param_hashid``, ``job_id``. One without a region
            may belong to any, and one without a hashid or job_id comes best among equals.
    """
    import numpy as np

    n = len(ranked)
    if absent is None or not len(absent) or not n:
        return np.ones(n, dtype=bool)
    absent = _in_every_region(absent, ranked)
    m = len(absent)
    values = np.vstack([_signed(ranked, metrics), np.tile(_best(metrics), (m, 1))])
    names = [_names(ranked, name, "") + _names(absent, name, _LAST) for name in ("param_hashid", "job_id")]
    high = _order(values, names)
    low = np.where(np.arange(n + m) < n, high, -1)
    regions = _names(ranked, "region_id", "") + _names(absent, "region_id", "")
    group = np.unique(np.array(regions, dtype=object).astype(str), return_inverse=True)[1]
    return _fixed(group, low, high)[:n]


def settled_macro(
    ranked: pd.DataFrame,
    table: pd.DataFrame,
    absent: pd.DataFrame | None,
    metrics: Sequence[Metric],
    regions: Sequence[str],
    *,
    may_grow: bool = False,
) -> Bools:
    """Whether each row of a ranked macro table keeps its place, whatever becomes of the missing jobs.

    A missing job can bring a further configuration into the table, or change the mean of one that is in it
    (where it repeats a job of the same region and hashid). The place is settled if neither could move it past
    another; its own value may still change.

    Args:
        ranked: ``ranking.rank`` of ``ranking.macro(table, metrics, regions)``.
        may_grow: whether a region of ``absent`` that is not among ``regions`` will join them once it has
            results; then nothing is settled while there is one.
    """
    import numpy as np

    n = len(ranked)
    if absent is None or not len(absent) or not n:
        return np.ones(n, dtype=bool)
    unknown = absent[["region_id", "param_hashid"]].isna().any(axis=None)
    if unknown or (may_grow and not absent["region_id"].isin(list(regions)).all()):
        return np.zeros(n, dtype=bool)
    absent = absent[absent["region_id"].isin(list(regions))]
    if not len(absent):
        return np.ones(n, dtype=bool)
    bests = _bests(table, absent, metrics, regions)
    now = ranked["param_hashid"].tolist()
    moving = np.array([hashid in bests for hashid in now])
    coming = [hashid for hashid in bests if hashid not in set(now)]
    hashids = [hashid for hashid, moves in zip(now, moving, strict=True) if moves]
    current = _signed(ranked, metrics)
    worst = np.full((len(hashids), len(metrics)), np.nan)
    tops = [_better(bests[hashid], row) for hashid, row in zip(hashids, current[moving], strict=True)]
    tops += [bests[hashid] for hashid in coming]
    values = np.vstack([worst, current, np.array(tops).reshape(-1, len(metrics))])
    order = _order(values, [hashids + now + hashids + coming])
    low = np.full(n + len(coming), -1)
    high = np.empty_like(low)
    low[:n] = high[:n] = order[len(hashids) : len(hashids) + n]
    low[:n][moving] = order[: len(hashids)]
    high[:n][moving] = order[len(hashids) + n :][: len(hashids)]
    high[n:] = order[len(hashids) + n :][len(hashids) :]
    return _fixed(np.zeros(len(low), dtype=np.int64), low, high)[:n]


# -- the best that can still come --------------------------------------------------------------------


def _bests(
    table: pd.DataFrame, absent: pd.DataFrame, metrics: Sequence[Metric], regions: Sequence[str]
) -> dict[str, Floats]:
    """param_hashid -> its macro values (more is better) were its missing jobs all at their best.

    For those alone that have a missing job and could be measured on all regions.
    """
    import numpy as np
    import pandas as pd

    identity = ["region_id", "param_hashid"]
    best = zip(metrics, _best(metrics), strict=True)
    bounds = {m.column: float(value) * (1 if m.maximize else -1) for m, value in best}
    same = table["param_hashid"].isin(absent["param_hashid"])
    touched = table[same & table["region_id"].isin(list(regions))]
    known = touched[identity].assign(**{m.column: scores(touched[m.column]) for m in metrics})
    hoped = pd.concat([known, absent[identity].assign(**bounds)], ignore_index=True)
    combined = ranking.macro(hoped, metrics, regions)
    hashids = combined["param_hashid"].tolist()
    values = _signed(combined, metrics)
    # an infinite value of each sign makes a mean that is no number; the missing one need not be infinite
    lacking = (
        known[list(bounds)].isna().groupby(known["param_hashid"]).any().reindex(hashids, fill_value=False)
    )
    values = np.where(np.isnan(values) & ~lacking.to_numpy(dtype=bool), np.inf, values)
    return {hashid: values[i] for i, hashid in enumerate(hashids)}


def _better(one: Floats, other: Floats) -> Floats:
    import numpy as np

    # NaN stays: a value that is missing now stays missing
    return np.maximum(one, other)


def _best(metrics: Sequence[Metric]) -> Floats:
    """The best value of each metric, more is better."""
    import numpy as np

    spans = [metric.bounds or (-np.inf, np.inf) for metric in metrics]
    return np.array([high if m.maximize else -low for m, (low, high) in zip(metrics, spans, strict=True)])


def _signed(table: pd.DataFrame, metrics: Sequence[Metric]) -> Floats:
    """[row, metric], more is better, NaN where missing."""
    import numpy as np

    columns = [scores(table[m.column]) * (1 if m.maximize else -1) for m in metrics]
    return np.column_stack(columns) if columns else np.zeros((len(table), 0))


# -- order -----------------------------------------------------------------------------------------


def _in_every_region(absent: pd.DataFrame, ranked: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    nowhere = absent["region_id"].isna()
    if not nowhere.any():
        return absent
    lost = absent[nowhere].drop(columns="region_id")
    everywhere = lost.merge(ranked[["region_id"]].drop_duplicates(), how="cross")
    return pd.concat([absent[~nowhere], everywhere], ignore_index=True)


def _names(table: pd.DataFrame, column: str, missing: str) -> list[str]:
    if column not in table:
        return [missing] * len(table)
    names = table[column]
    return [missing if lacks else str(name) for name, lacks in zip(names.tolist(), names.isna(), strict=True)]


def _order(values: Floats, names: Sequence[Sequence[str]]) -> Places:
    """The place of each row in the order of ``ranking.rank``, 0 for the worst; equals as they stand."""
    import numpy as np

    keys = [np.unique(np.array(one, dtype=object), return_inverse=True)[1] for one in reversed(names)]
    for column in reversed(values.T):
        missing = np.isnan(column)
        keys += [np.where(missing, 0.0, column), ~missing]
    order = np.empty(len(values), dtype=np.int64)
    order[np.lexsort(keys)] = np.arange(len(values))
    return order


def _fixed(group: Places, low: Places, high: Places) -> Bools:
    """Whether each one's place in its group is the same wherever between ``low`` and ``high`` all end up.

    Every one chooses freely, so a place is fixed unless its own span overlaps another's. ``low`` is -1 for
    one that may not come at all.
    """
    import numpy as np

    span = int(high.max()) + 2
    low, high, end = group * span + low + 1, group * span + high + 1, (group + 1) * span
    lows, highs = np.sort(low), np.sort(high)
    could_be_above = np.searchsorted(highs, end) - np.searchsorted(highs, low, side="right")
    must_be_above = np.searchsorted(lows, end) - np.searchsorted(lows, high)
    itself = np.where(high > low, 1, -1)
    return could_be_above - must_be_above == itself
