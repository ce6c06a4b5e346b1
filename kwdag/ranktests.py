"""Rank tests on plain arrays, honest for few and tied numbers: exact or by permutation where these are small.

Knows nothing of tables and parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    Codes = np.ndarray[Any, np.dtype[np.int64]]
    Floats = np.ndarray[Any, np.dtype[np.float64]]

#: Random permutations where there are too many to count: the smallest p is then 1 / 5,000.
PERMUTATIONS = 4999
_BATCH = 500
# as extreme so often is not rare, and p is known well enough (Besag and Clifford 1991)
_ENOUGH = 100
_EXACT_PAIRS = 100
#: With more rows the chi-square distribution is near enough.
SMALL = 200


class Tested(NamedTuple):
    """``size`` is the effect size; ``method``: exact, permutation or asymptotic."""

    p: float
    size: float
    method: str


def signed_rank(differences: Floats) -> Tested:
    """Wilcoxon's signed-rank test, two-sided, of paired differences; pairs without one are left out.

    Up to 100 pairs the null distribution is counted out, ties included (Wilcoxon 1945; Pratt's zeros are not
    used); beyond, scipy's normal approximation. The size is the matched rank-biserial correlation, from -1 to
    1: (favourable - unfavourable rank sum) / total (Kerby 2014).
    """
    import numpy as np
    from scipy import stats

    found = differences[differences != 0]
    if not len(found):
        return Tested(1.0, 0.0, "exact")
    ranks = stats.rankdata(np.abs(found))
    total, plus = float(ranks.sum()), float(ranks[found > 0].sum())
    size = (2 * plus - total) / total
    if len(found) > _EXACT_PAIRS:
        return Tested(float(stats.wilcoxon(found).pvalue), size, "asymptotic")
    return Tested(_signed_rank_p(np.rint(2 * ranks).astype(np.int64), round(2 * plus)), size, "exact")


def _signed_rank_p(doubled: Codes, plus: int) -> float:
    """P(the sum of those that a fair coin picks lies as far from its mean), ranks doubled to be whole."""
    import numpy as np

    chance = np.ones(1)
    for rank in doubled.tolist():
        more = np.zeros(len(chance) + rank)
        more[: len(chance)] += chance / 2
        more[rank:] += chance / 2
        chance = more
    tail = chance[: min(plus, len(chance) - 1 - plus) + 1].sum()
    return min(1.0, 2 * float(tail))


def association(values: Floats, score: Floats, stratum: Codes) -> Tested:
    """Whether ranks of ``score`` within each stratum go with ``values``; rows of a stratum are exchangeable.

    The extended Mantel-Haenszel statistic of Landis, Heyman and Koch (1978) on ranks divided by the stratum's
    size + 1 (van Elteren 1960). With ``values`` [row, group] of zeros and ones it is Kruskal and Wallis' H
    for one stratum (for two groups Mann and Whitney's test) and Friedman's chi-square where the strata are
    blocks with one row a group; with [row, 1] numbers, the square of a rank correlation. Ties are allowed.

    Returns:
        p from permutations within strata for up to 200 rows, else from the chi-square distribution, for
        which each group should have five rows. ``size`` is the statistic over rows less strata: epsilon
        squared, Kendall's W or the squared rank correlation.
    """
    import numpy as np
    from scipy import stats

    order = np.argsort(stratum, kind="stable")
    stratum = np.unique(stratum[order], return_inverse=True)[1]
    count = np.bincount(stratum)
    x = _centred(values[order].astype(float), stratum, count)
    y = _centred(_ranks(score[order], stratum, count)[:, None], stratum, count)[:, 0]
    spread = np.bincount(stratum, y * y) / np.maximum(count - 1, 1)
    covariance = (x * spread[stratum, None]).T @ x
    inverse = np.asarray(np.linalg.pinv(covariance, rcond=1e-9, hermitian=True), dtype=float)
    degrees = int(np.linalg.matrix_rank(covariance, tol=1e-9 * max(1e-300, float(np.abs(covariance).max()))))
    if degrees == 0:
        return Tested(1.0, 0.0, "exact")
    statistic = _quadratic(y @ x, inverse)
    size = min(1.0, float(statistic) / (len(y) - len(count)))
    if len(y) > SMALL:
        return Tested(float(stats.chi2.sf(statistic, degrees)), size, "asymptotic")
    more = drawn = 0
    for sums in _shuffled(x, y, stratum):
        drawn += len(sums)
        more += int(np.count_nonzero(_quadratic(sums, inverse) > statistic * (1 - 1e-9)))
        if more >= _ENOUGH:
            break
    return Tested((more + 1) / (drawn + 1), size, "permutation")


def _centred(values: Floats, stratum: Codes, count: Codes) -> Floats:
    """The columns less their mean in each stratum."""
    import numpy as np

    means = np.column_stack([np.bincount(stratum, column) / count for column in values.T])
    return values - means[stratum]


def _ranks(score: Floats, stratum: Codes, count: Codes) -> Floats:
    """Middle ranks within each stratum over its size + 1; ``stratum`` is sorted."""
    import numpy as np

    order = np.lexsort([score, stratum])
    own, ordered = stratum[order], score[order]
    new = np.concatenate([[True], (ordered[1:] != ordered[:-1]) | (own[1:] != own[:-1])])
    tie = np.cumsum(new) - 1
    position = np.arange(1, len(score) + 1) - (np.cumsum(count) - count)[own]
    middle = np.bincount(tie, position) / np.bincount(tie)
    ranks = np.empty(len(score))
    ranks[order] = middle[tie] / (count[own] + 1)
    return ranks


def _quadratic(sums: Floats, inverse: Floats) -> Any:
    import numpy as np

    return np.einsum("...i,ij,...j->...", sums, inverse, sums)


def _shuffled(x: Floats, y: Floats, stratum: Codes) -> Any:
    """The sums for permutations of ``y`` within strata, some hundred at a time; the same every time."""
    import numpy as np

    random = np.random.default_rng(0)
    for start in range(0, PERMUTATIONS, _BATCH):
        keys = random.random((min(_BATCH, PERMUTATIONS - start), len(y)))
        keys += stratum
        yield y[np.argsort(keys, axis=1)] @ x


def holm(ps: Floats) -> Floats:
    """p-values adjusted for testing them all: the chance of any false alarm stays below p (Holm 1979)."""
    import numpy as np

    order = np.argsort(ps, kind="stable")
    steps = np.maximum.accumulate(ps[order] * np.arange(len(ps), 0, -1))
    adjusted = np.empty(len(ps))
    adjusted[order] = np.minimum(1, steps)
    return adjusted


def smallest_p(sizes: Codes) -> float:
    """What p can be at its smallest for groups of these sizes, [stratum, group].

    The groups lie apart in every stratum, in one of their orders; all arrangements are as likely.
    """
    import numpy as np
    from scipy.special import gammaln

    arrangements = gammaln(sizes.sum(axis=1) + 1).sum() - gammaln(sizes + 1).sum()
    return min(1.0, float(np.exp(gammaln(sizes.shape[1] + 1) - arrangements)))
