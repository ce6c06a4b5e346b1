"""What each varied parameter does to a metric: by value, tested, and corrected for testing many.

Pure functions on result tables; how values are compared stands in comparing.py, the sentences in the report.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kwdag import ranktests
from kwdag.blocks import MAX_VALUES, REGION, Grid, grid
from kwdag.comparing import Comparison, compare, trend
from kwdag.metrics import Metric, scores
from kwdag.render import token
from kwdag.roles import Roles

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Level:
    """One value of a parameter: the rows that have it and a metric, their mean and best.

    ``wins``: of the ``blocks`` that compare it with others, all else equal, those in which it is the best; a
    tie is shared. None where it is not compared so.
    """

    value: Any
    rows: int
    mean: float
    best: float
    wins: float | None = None
    blocks: int = 0


@dataclass(frozen=True, slots=True)
class Effect:
    """What one parameter does to a metric.

    Attributes:
        levels: its values, the best mean last.
        test: None where there is nothing to compare, for the ``reason`` given.
        together: other parameters that always vary together with it: the effect may as well be theirs.
    """

    column: str
    levels: tuple[Level, ...]
    test: Comparison | None = None
    reason: str = ""
    together: tuple[str, ...] = ()


def effects(table: pd.DataFrame, metric: Metric, roles: Roles | None = None) -> list[Effect]:
    """The effect of each varied parameter that enters ``param_hashid``, the strongest first.

    Effects that were found come before the others, by the largest difference of means; the rest by p.
    Rows without the metric do not count. Parameters that always vary together are one entry. The tests take
    rows as independent: where many share one random result upstream, its luck counts as an effect.
    """
    import numpy as np

    score = scores(table[metric.column])
    known = ~np.isnan(score)
    table, score = table[known], score[known]
    found = grid(table, roles or Roles())
    entries, seen = [], set[str]()
    for column in found.columns:
        if column not in seen:
            together = tuple(other for other in found.together(column) if other != REGION)
            seen.update(together)
            entries.append(replace(_effect(found, column, score, metric), together=together))
    return sorted(_corrected(entries), key=lambda effect: (_strongest(effect), effect.column))


def _effect(found: Grid, column: str, score: Floats, metric: Metric) -> Effect:
    levels = _levels(found, column, score, metric)
    if (score == score[0]).all():
        return Effect(column, levels, reason=f"{metric.name} is the same in all rows")
    if REGION in found.inside[column]:
        return Effect(column, levels, reason="each region has a single value of it")
    signed = score if metric.maximize else -score
    if many := _too_many(found, column):
        test = trend(found, column, signed)
        return Effect(column, levels, test, reason="" if test else many)
    test = compare(found, column, signed)
    wins = {token(value): one for value, one in zip(test.compared, test.wins, strict=False)}
    return Effect(column, tuple(_with_wins(level, wins.get(token(level.value))) for level in levels), test)


def _too_many(found: Grid, column: str) -> str:
    """Why its values cannot be compared one by one; nothing where they can."""
    values, rows = len(found.values[column]), len(found.codes[column])
    if values > MAX_VALUES or (values > 2 and rows < 2 * values):
        return f"{values:,} values in {rows:,} rows are too many to compare one by one"
    return ""


def _levels(found: Grid, column: str, score: Floats, metric: Metric) -> tuple[Level, ...]:
    import numpy as np

    code, values = found.codes[column], found.values[column]
    rows = np.bincount(code)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(code, score) / rows
    best = np.full(len(values), -np.inf if metric.maximize else np.inf)
    (np.maximum if metric.maximize else np.minimum).at(best, code, score)
    numbers = zip(values, rows.tolist(), mean.tolist(), best.tolist(), strict=True)
    return tuple(sorted((Level(*one) for one in numbers), key=lambda level: _goodness(level.mean, metric)))


def _goodness(mean: float, metric: Metric) -> float:
    return -math.inf if math.isnan(mean) else mean if metric.maximize else -mean


def _with_wins(level: Level, found: tuple[float, int] | None) -> Level:
    return level if found is None else replace(level, wins=found[0], blocks=found[1])


def _corrected(entries: Sequence[Effect]) -> list[Effect]:
    import numpy as np

    tested = [i for i, entry in enumerate(entries) if entry.test and entry.test.p is not None]
    ps = np.array([test.p for entry in entries if (test := entry.test) and test.p is not None])
    adjusted = dict(zip(tested, ranktests.holm(ps).tolist(), strict=True))
    return [
        replace(entry, test=replace(entry.test, p_adjusted=adjusted[i], family=len(ps)))
        if entry.test and i in adjusted
        else entry
        for i, entry in enumerate(entries)
    ]


def _strongest(effect: Effect) -> tuple[float, ...]:
    """Found effects first, by how far the means of their values lie apart; then the surest of the others."""
    test = effect.test
    if test is None or test.p is None:
        return 2 if test else 3, 0.0
    means = [level.mean for level in effect.levels if math.isfinite(level.mean)]
    return (0, -(max(means) - min(means)) if means else 0.0) if test.found else (1, test.p)
