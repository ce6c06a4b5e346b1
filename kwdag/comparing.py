"""Whether the values of one parameter differ: with all else equal, over all rows, or along a number.

Works on the codes of a grid; which parameters are compared, and what is said of it, is decided elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kwdag import ranktests
from kwdag.blocks import REGION, Grid, comparisons

if TYPE_CHECKING:
    import numpy as np

    Codes = np.ndarray[Any, np.dtype[np.int64]]
    Floats = np.ndarray[Any, np.dtype[np.float64]]

#: The chance of any false alarm among the parameters of one table.
ALPHA = 0.05
#: The chi-square distribution needs so many rows in each group.
_FEW = 5
_LEAST_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Comparison:
    """A rank test of whether the values of a parameter differ.

    Attributes:
        kind: `paired`, within blocks in which all else is equal (Wilcoxon's signed ranks for two values, else
            Friedman's test); `unpaired`, over the rows of each region (Mann-Whitney or Kruskal-Wallis, by van
            Elteren's method where there are several regions); `trend`, Spearman's rank correlation.
        p: two-sided; None where so few rows can show nothing, whatever they say.
        size: rank-biserial correlation for two values, else Kendall's W (paired) or epsilon squared
            (unpaired), all from 0 to 1; for a trend the rank correlation, from -1 to 1.
        n: pairs or blocks (paired), else rows.
        smallest_p: what p could be at its smallest.
        compared: the values compared, best first (of those that many blocks have); none for a trend.
        won: blocks in which the best of them beats the next best, of the ``met`` that have both; ``tied``
            those in which they are equal. For paired tests only.
        wins: for each of ``compared`` the blocks in which it is the best, shared where several are, and the
            blocks that have it. For paired tests only.
        reason: why it is not paired.
        p_adjusted: corrected by Holm's method over the ``family`` of parameters tested.
    """

    kind: str
    p: float | None
    size: float
    n: int
    smallest_p: float
    method: str = ""
    compared: tuple[Any, ...] = ()
    won: int = 0
    tied: int = 0
    met: int = 0
    wins: tuple[tuple[float, int], ...] = ()
    reason: str = ""
    p_adjusted: float | None = None
    family: int = 0

    @property
    def found(self) -> bool:
        """Whether there is an effect, at a chance of 5 in 100 of any false alarm among the parameters."""
        return self.p_adjusted is not None and self.p_adjusted <= ALPHA


def compare(grid: Grid, column: str, score: Floats) -> Comparison:
    """Compare the values of ``column`` by ``score`` (more is better, no NaN), paired where possible.

    Rows of one block and value count as their mean. Paired tests use the blocks that have several of the
    values. Where these hold less than a tenth of the rows, or are so few that they can show nothing while
    each stands for many rows, all rows are compared instead, within their region.
    """
    import numpy as np

    block, code, mean = comparisons(grid.blocks(column), grid.codes[column], score)
    block = np.unique(block, return_inverse=True)[1]
    blocks, rows = len(np.unique(block)), len(score)
    if not blocks:
        return _unpaired(grid, column, score, "no two rows differ in it alone")
    paired = _paired(block, code, mean, grid.values[column])
    share = len(mean) / len(np.unique(grid.blocks(column) * len(grid.values[column]) + grid.codes[column]))
    if (paired.p is None and rows >= 2 * len(mean)) or share < _LEAST_SHARE:
        return _unpaired(grid, column, score, "too few rows differ in it alone")
    return paired


# -- paired ----------------------------------------------------------------------------------------


def _paired(block: Codes, code: Codes, mean: Floats, values: Any) -> Comparison:
    import numpy as np

    kept, column = np.unique(code, return_inverse=True)
    matrix = np.full((int(block.max()) + 1, len(kept)), np.nan)
    matrix[block, column] = mean
    known = ~np.isnan(matrix)
    smallest = ranktests.smallest_p(known.astype(np.int64))
    tested = _two(matrix) if len(kept) == 2 else ranktests.association(np.eye(len(kept))[column], mean, block)
    order = _two_order(tested.size) if len(kept) == 2 else _order(matrix)
    best, second = matrix[:, order[0]], matrix[:, order[1]]
    top = matrix == np.nanmax(matrix, axis=1, keepdims=True)
    wins = (top / top.sum(axis=1, keepdims=True)).sum(axis=0)
    return Comparison(
        kind="paired",
        p=tested.p if smallest <= ALPHA else None,
        size=abs(float(tested.size)),
        n=len(matrix),
        smallest_p=smallest,
        method=tested.method,
        compared=tuple(values[kept[i]] for i in order),
        won=int((best > second).sum()),
        tied=int((best == second).sum()),
        met=int((~np.isnan(best) & ~np.isnan(second)).sum()),
        wins=tuple((float(wins[i]), int(known[:, i].sum())) for i in order),
    )


def _two(matrix: Floats) -> ranktests.Tested:
    import numpy as np

    one, other = matrix.T
    with np.errstate(invalid="ignore"):  # inf - inf: they are equal
        return ranktests.signed_rank(np.where(one == other, 0.0, one - other))


def _two_order(size: float) -> list[int]:
    return [0, 1] if size >= 0 else [1, 0]


def _order(matrix: Floats) -> list[int]:
    """The columns by their mean rank within rows, best first, and those last that few rows have."""
    import numpy as np
    import pandas as pd

    ranks = pd.DataFrame(matrix).rank(axis=1, pct=True)
    often = ranks.count() * 2 >= ranks.count().max()
    return [int(i) for i in np.lexsort([-ranks.mean(), ~often])]


# -- unpaired --------------------------------------------------------------------------------------


def _unpaired(grid: Grid, column: str, score: Floats, reason: str) -> Comparison:
    import numpy as np

    code, region = grid.codes[column], grid.codes[REGION]
    often = np.bincount(code) >= _FEW
    if len(score) > ranktests.SMALL and often.sum() > 1:
        used = often[code]
        code, region, score = code[used], region[used], score[used]
    kept, group = np.unique(code, return_inverse=True)
    region = np.unique(region, return_inverse=True)[1]
    sizes = np.zeros((int(region.max()) + 1, len(kept)), dtype=np.int64)
    np.add.at(sizes, (region, group), 1)
    smallest = ranktests.smallest_p(sizes)
    tested = ranktests.association(np.eye(len(kept))[group], score, region)
    order = np.argsort(-_mean_places(score, group, region), kind="stable")
    return Comparison(
        kind="unpaired",
        p=tested.p if smallest <= ALPHA else None,
        size=_rank_biserial(score, group, region) if len(kept) == 2 else float(tested.size),
        n=len(score),
        smallest_p=smallest,
        method=tested.method,
        compared=tuple(grid.values[column][kept[i]] for i in order),
        reason=reason,
    )


def _mean_places(score: Floats, group: Codes, region: Codes) -> Floats:
    """The mean rank within regions of each group's rows, from 0 to 1."""
    import numpy as np
    import pandas as pd

    places = pd.Series(score).groupby(region).rank(pct=True).to_numpy()
    mean: Floats = np.bincount(group, places) / np.bincount(group)
    return mean


def _rank_biserial(score: Floats, group: Codes, region: Codes) -> float:
    """Of the pairs of rows of both groups and one region, those won less those lost (Cureton 1956)."""
    import numpy as np
    import pandas as pd

    ranks = pd.Series(score).groupby(region).rank().to_numpy()
    one, n = np.bincount(region, ranks * group), np.bincount(region, group)
    pairs = n * (np.bincount(region) - n)
    won = (one - n * (n + 1) / 2)[pairs > 0].sum()
    return abs(2 * float(won) / float(pairs.sum()) - 1) if pairs.any() else 0.0


# -- numbers ---------------------------------------------------------------------------------------


def trend(grid: Grid, column: str, score: Floats) -> Comparison | None:
    """The rank correlation of a parameter with the score within regions; None where a value is no number."""
    import numpy as np
    import pandas as pd

    values = grid.values[column]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) and one == one for one in values):
        return None
    region = grid.codes[REGION]
    number = np.array([float(one) for one in values])[grid.codes[column]]
    ranks = pd.DataFrame({"x": number, "y": score}).groupby(region).rank(pct=True)
    tested = ranktests.association(ranks["x"].to_numpy()[:, None], score, region)
    centred = ranks - ranks.groupby(region).transform("mean")
    rho = math.copysign(math.sqrt(tested.size), float((centred["x"] * centred["y"]).sum()))
    # every order of the rows of a region, of which two are the steepest
    smallest = min(1.0, 2 * float(np.exp(-_log_orders(np.bincount(region)))))
    return Comparison(
        "trend", tested.p if smallest <= ALPHA else None, rho, len(score), smallest, tested.method
    )


def _log_orders(counts: Codes) -> float:
    from scipy.special import gammaln

    return float(gammaln(counts + 1).sum())
