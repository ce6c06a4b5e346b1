"""What there is to draw of a table: its varied parameters as numbers or levels, the strongest first.

Pure functions on result tables; drawing them belongs to the pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kwdag.cells import is_missing
from kwdag.metrics import Metric, Metrics, scores
from kwdag.render import Token, token
from kwdag.report.labels import value_text
from kwdag.roles import Roles, hashed_columns, param_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Floats = np.ndarray[Any, np.dtype[np.float64]]
    Codes = np.ndarray[Any, np.dtype[np.int64]]

_BINS = 8
_DECADES = 2
_FEW = 16


@dataclass(frozen=True, eq=False, slots=True)
class Varied:
    """A parameter that has several values.

    Attributes:
        levels: its distinct values as text, sorted as numbers or as text, a missing one last.
        codes: the level of each row.
        numbers: the values as floats, NaN where missing, when all of them are numbers; else None.
    """

    column: str
    levels: tuple[str, ...]
    codes: Codes
    numbers: Floats | None = None

    @property
    def name(self) -> str:
        return self.column.removeprefix("params.")


def varied(table: pd.DataFrame, roles: Roles | None = None, *, base: str | None = None) -> list[Varied]:
    """The parameters with several values; given ``roles``, those alone that enter ``param_hashid``."""
    columns = param_columns(table) if roles is None else hashed_columns(table, roles)
    found = (read(table, column, base) for column in columns)
    return [one for one in found if len(one.levels) > 1]


def read(table: pd.DataFrame, column: str, base: str | None = None) -> Varied:
    """One parameter of a table, however many values it has."""
    import numpy as np

    values = table[column].tolist()
    codes, first = _coded(values)
    distinct = list(first.values())
    is_number = bool(distinct) and all(_is_number(value) or is_missing(value) for value in distinct)
    # 1, 1.0 and True are three values: as numbers two of them would fall together
    is_number = is_number and len({_float(v) for v in distinct if not is_missing(v)}) == sum(
        not is_missing(v) for v in distinct
    )
    order = sorted(range(len(distinct)), key=lambda i: _sort_key(distinct[i], is_number))
    place = np.empty(len(distinct), dtype=np.int64)
    place[order] = np.arange(len(distinct))
    levels = tuple(value_text(None if is_missing(distinct[i]) else distinct[i], base) for i in order)
    numbers = np.array([_float(value) for value in values]) if is_number else None
    return Varied(column, levels, place[codes] if len(codes) else codes, numbers)


def _coded(values: Sequence[Any]) -> tuple[Codes, dict[Token, Any]]:
    """The number of each row's value, and the values in order of these numbers."""
    import numpy as np

    numbers: dict[Token, int] = {}
    first: dict[Token, Any] = {}
    codes = np.empty(len(values), dtype=np.int64)
    for i, value in enumerate(values):
        text = None if is_missing(value) else token(value)
        codes[i] = numbers.setdefault(text, len(numbers))
        first.setdefault(text, value)
    return codes, first


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) or _is_numpy_number(value)


def _is_numpy_number(value: Any) -> bool:
    import numpy as np

    return isinstance(value, np.integer | np.floating)


def _float(value: Any) -> float:
    if is_missing(value):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def _sort_key(value: Any, is_number: bool) -> tuple[bool, float, str]:
    if is_missing(value):
        return True, 0.0, ""
    return False, _float(value) if is_number else 0.0, str(value)


def scale(numbers: Floats) -> str:
    """`log` for positive numbers over two decades or in even ratios, `symlog` with zeros among them."""
    import numpy as np

    finite = np.unique(numbers[np.isfinite(numbers)])
    positive = finite[finite > 0]
    if not len(positive) or finite[0] < 0:
        return "linear"
    wide = positive[-1] >= positive[0] * 10**_DECADES
    if not (wide or _even_ratios(positive)):
        return "linear"
    return "log" if len(positive) == len(finite) else "symlog"


def _even_ratios(numbers: Floats) -> bool:
    """Whether a few numbers over a decade, such as 2, 4, 8, 16 and 32, lie evenly along a logarithm."""
    import numpy as np

    if not 3 <= len(numbers) <= _FEW or numbers[-1] < 10 * numbers[0]:
        return False
    steps = np.diff(np.log(numbers))
    return bool(steps.min() > 0.5 * steps.max())


def metric_scale(values: Floats) -> str:
    """`log` for positive numbers over two decades most of which are small, else `linear`."""
    import numpy as np

    if scale(values) != "log":
        return "linear"
    low, middle, high = np.quantile(values, [0.02, 0.5, 0.98])
    return "log" if high > 20 * low and middle < (low + high) / 3 else "linear"


def good(table: pd.DataFrame, metric: Metric) -> Floats:
    """The metric of each row, turned so that more is better; NaN where it is no finite number."""
    import numpy as np

    values = scores(table[metric.column])
    return np.where(np.isfinite(values), values if metric.maximize else -values, np.nan)


def strongest_first(
    table: pd.DataFrame, metrics: Metrics, roles: Roles, *, base: str | None = None
) -> list[Varied]:
    """What varied, by its influence on the first primary metric; without one in the order of the table."""
    found = varied(table, roles, base=base)
    primary = [metric for metric in metrics.primary if metric.column in table]
    return by_influence(found, good(table, primary[0])) if primary else found


def by_influence(parameters: Sequence[Varied], score: Floats) -> list[Varied]:
    """The parameters, the one that explains most of the score's variance first; ties by name."""
    return sorted(parameters, key=lambda one: (-influence(one, score), one.name))


def influence(parameter: Varied, score: Floats) -> float:
    """The share of the score's variance between the values of a parameter, from 0 to 1.

    Epsilon squared (Kelley 1935) on ranks: unlike eta squared it is not raised by many values of few rows.
    Numbers with many values count by eighths of the rows.
    """
    import numpy as np
    import pandas as pd

    known = np.isfinite(score)
    codes = _binned(parameter)[known]
    ranks = pd.Series(score[known]).rank()
    groups = ranks.groupby(codes)
    n, k = len(ranks), groups.ngroups
    total = float(((ranks - ranks.mean()) ** 2).sum()) if n else 0.0
    if k < 2 or n <= k or total == 0:
        return 0.0
    within = float(((ranks - groups.transform("mean")) ** 2).sum())
    return max(0.0, 1 - (within / (n - k)) / (total / (n - 1)))


def _binned(parameter: Varied) -> Codes:
    import pandas as pd

    if parameter.numbers is None or len(parameter.levels) <= _BINS:
        return parameter.codes
    ranks = pd.Series(parameter.numbers).rank(method="dense", na_option="bottom")
    return pd.qcut(ranks, _BINS, labels=False, duplicates="drop").to_numpy()
