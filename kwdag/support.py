"""Whether failures go with a parameter, and rankings of what can be compared all the same.

Pure functions on result tables; the causes of failures are another matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kwdag import ranking, ranktests
from kwdag.blocks import REGION, Grid, grid
from kwdag.comparing import ALPHA
from kwdag.metrics import Metric, scores
from kwdag.render import token
from kwdag.roles import Roles, param_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Codes = np.ndarray[Any, np.dtype[np.int64]]

#: States of a job that will give no result unless something is done about it.
FAILED = ("failed", "blocked")
_SAMPLES = 9999


@dataclass(frozen=True, slots=True)
class FailureLink:
    """How failures go with the values of one parameter, or with the region (``column`` is `region_id`).

    Attributes:
        value: the value with the most failures beyond its share.
        failed: of the ``jobs`` with that value, those that failed or are blocked.
        others_failed: the same for the ``others``, the jobs with any other value.
        p: that failures have nothing to do with the values; ``p_adjusted`` by Holm's method over the
            ``family`` of parameters tested.
        together: other parameters that always vary together with this one.
    """

    column: str
    value: Any
    failed: int
    jobs: int
    others_failed: int
    others: int
    p: float
    p_adjusted: float = 1.0
    family: int = 1
    together: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        return self.p_adjusted <= ALPHA


def failure_links(
    table: pd.DataFrame, absent: pd.DataFrame | None, roles: Roles | None = None
) -> list[FailureLink]:
    """For each varied parameter and the region, whether failures depend on it; the surest first.

    Jobs are those with a result and those that failed or are blocked; others may still come out either way.
    Fisher's exact test for two values, else a permutation test of the chi-square of the table. Jobs count one
    by one, also where one failure blocks many: that the survivors are biased does not depend on why.
    """
    import numpy as np

    if absent is None or not len(absent) or not len(table):
        return []
    failures = absent[absent["state"].isin(FAILED)]
    if not len(failures):
        return []
    found = grid(_stacked(table, failures), roles or Roles())
    failed = np.arange(len(table) + len(failures)) >= len(table)
    links, seen = [], set[str]()
    for column in [*found.columns, REGION]:
        values = _values(found, column, table, failures)
        if column not in seen and 1 < len(values) <= len(failed) / 2:
            together = tuple(other for other in found.together(column) if other != REGION)
            seen.update(together)
            links.append(replace(_link(column, values, found.codes[column], failed), together=together))
    adjusted = ranktests.holm(np.array([link.p for link in links]))
    links = [
        replace(link, p_adjusted=float(p), family=len(links)) for link, p in zip(links, adjusted, strict=True)
    ]
    return sorted(links, key=lambda link: (link.p, link.column))


def _stacked(table: pd.DataFrame, failures: pd.DataFrame) -> pd.DataFrame:
    """Region and parameters of both, values as they are (an int stays an int beside a missing one)."""
    import pandas as pd

    names = list(dict.fromkeys([REGION, *param_columns(table), *param_columns(failures)]))
    return pd.DataFrame(
        {
            name: pd.Series([*_listed(table, name), *_listed(failures, name)], dtype=object)
            for name in names
        }
    )  # fmt: skip


def _listed(table: pd.DataFrame, name: str) -> list[Any]:
    return table[name].tolist() if name in table else [None] * len(table)


def _values(found: Grid, column: str, table: pd.DataFrame, failures: pd.DataFrame) -> Sequence[Any]:
    if column != REGION:
        return found.values[column]
    return list(dict.fromkeys([*table[REGION].tolist(), *failures[REGION].tolist()]))


def _link(column: str, values: Sequence[Any], code: Codes, failed: np.ndarray[Any, Any]) -> FailureLink:
    import numpy as np

    jobs, fails = np.bincount(code), np.bincount(code, failed).astype(np.int64)
    share = fails.sum() / jobs.sum()
    excess = (fails - share * jobs) / np.sqrt(jobs * (1 - jobs / jobs.sum()))
    worst = int(np.argmax(excess))
    n, bad = int(jobs[worst]), int(fails[worst])
    others, others_bad = int(jobs.sum()) - n, int(fails.sum()) - bad
    return FailureLink(column, values[worst], bad, n, others_bad, others, _p(jobs, fails))


def _p(jobs: Codes, fails: Codes) -> float:
    import numpy as np
    from scipy import stats

    if len(jobs) == 2:
        return float(stats.fisher_exact([fails, jobs - fails]).pvalue)
    statistic = (fails**2 / jobs).sum()
    random = np.random.default_rng(0)
    drawn = random.multivariate_hypergeometric(jobs, int(fails.sum()), size=_SAMPLES, method="marginals")
    at_least = ((drawn**2 / jobs).sum(axis=1) >= statistic * (1 - 1e-9)).sum()
    return float((at_least + 1) / (_SAMPLES + 1))


# -- what can be compared all the same ---------------------------------------------------------------


def common_support(table: pd.DataFrame, column: str, roles: Roles | None = None) -> pd.DataFrame:
    """The rows whose block has a result for every value of ``column`` (a parameter, or `region_id`).

    The rows of a block agree in region and all other parameters. A value that no row has is not asked for.
    Empty where there is no such block.
    """
    import numpy as np

    found = grid(table, roles or Roles())
    if column not in found.codes:  # it has a single value
        return table
    block, code = found.blocks(column), found.codes[column]
    n = int(code.max(initial=-1)) + 1
    pairs = np.unique(block * n + code) // n if len(table) else block
    return table[np.bincount(pairs)[block] == n] if len(table) else table


def ranked_values(
    table: pd.DataFrame, column: str, metric: Metric, roles: Roles | None = None
) -> tuple[list[tuple[Any, int, float, float]], int]:
    """(value, rows, mean, best) on common support, the best mean last; and the number of its rows.

    A row that lacks the metric is as good as none.
    """
    import numpy as np

    known = table[~np.isnan(scores(table[metric.column]))]
    common = common_support(known, column, roles)
    return ranking.effect(common, column, metric), len(common)


def without_result(table: pd.DataFrame, absent: pd.DataFrame, column: str) -> list[Any]:
    """The values of ``column`` that jobs of ``absent`` have and no row of the table has."""
    known = set(map(token, _listed(table, column)))
    found = {token(value): value for value in _listed(absent, column) if value is not None}
    return [value for text, value in found.items() if text not in known]


def common_regions(table: pd.DataFrame) -> list[str]:
    """The regions that every param_hashid of the table has a row in, in order of names.

    A macro over these ranks all configurations alike.
    """
    counts = table.groupby("region_id")["param_hashid"].nunique()
    whole = counts[counts == table["param_hashid"].nunique()]
    return sorted(map(str, whole.index))
