"""Whether the best value of one parameter depends on another: the table of both, and a permutation test.

Pure functions on result tables; which two are worth a look is told by their effects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kwdag.blocks import Grid, cells, grid
from kwdag.comparing import ALPHA
from kwdag.effects import Effect
from kwdag.metrics import Metric, scores
from kwdag.roles import Roles

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Codes = np.ndarray[Any, np.dtype[np.int64]]
    Floats = np.ndarray[Any, np.dtype[np.float64]]

PERMUTATIONS = 499
# as extreme so often is not rare, and p is known well enough (Besag and Clifford 1991)
_ENOUGH = 50
_MOST_VALUES = 8


@dataclass(frozen=True, slots=True)
class Interaction:
    """Two parameters together.

    Attributes:
        means: [row][column], the mean of the metric over all rows that have both values, NaN where none has.
        best: for each row value the column value with the best mean, where the blocks tell it over those
            alone; None where the row has no values.
        p: of the permutation test, None where so few blocks can show nothing.
        blocks: blocks that have every combination of the values, all else equal.
        smallest_p: what p could be at its smallest.
    """

    row: str
    column: str
    rows: tuple[Any, ...]
    columns: tuple[Any, ...]
    means: tuple[tuple[float, ...], ...]
    best: tuple[Any, ...]
    p: float | None
    blocks: int
    smallest_p: float

    @property
    def found(self) -> bool:
        return self.p is not None and self.p <= ALPHA


def strongest_two(effects: Sequence[Effect]) -> tuple[str, str] | None:
    """The parameters with the two strongest effects that are compared value by value."""
    tested = [effect.column for effect in effects if effect.test and effect.test.compared]
    return (tested[0], tested[1]) if len(tested) > 1 else None


def interaction(
    table: pd.DataFrame, metric: Metric, one: str, other: str, roles: Roles | None = None
) -> Interaction:
    """How two parameters act together on a metric; of each its eight most frequent values.

    The test leaves to each block its own mean and its own effect of either parameter (they are subtracted in
    both directions), scales what remains to the same size in every block, and asks whether it agrees between
    blocks more than when the values are exchanged at random in each: the sum of squares of its mean, over 499
    permutations of rows and columns (always the same ones).
    """
    import numpy as np

    score = scores(table[metric.column])
    known = ~np.isnan(score)
    found = grid(table[known], roles or Roles())
    signed = score[known] * (1 if metric.maximize else -1)
    (i, rows), (j, columns) = (_frequent(found, name) for name in (one, other))
    used = (i >= 0) & (j >= 0)
    code = i[used] * len(columns) + j[used]
    square = _complete(found.blocks(one, other)[used], code, signed[used], len(rows), len(columns))
    means = _means(code, signed[used], len(rows), len(columns))
    p, smallest = _agreement(square)
    best = _best(square.mean(axis=0) if len(square) else means, columns)
    shown = means if metric.maximize else -means
    return Interaction(
        one,
        other,
        tuple(rows),
        tuple(columns),
        tuple(map(tuple, shown.tolist())),
        best,
        p,
        len(square),
        smallest,
    )


def _frequent(found: Grid, column: str) -> tuple[Codes, list[Any]]:
    """(place of each row's value among the most frequent ones or -1, these values), numbers in order."""
    import numpy as np

    code, values = found.codes[column], found.values[column]
    often = np.argsort(-np.bincount(code), kind="stable")[:_MOST_VALUES].tolist()
    often.sort(key=lambda i: _sort_key(values[i]))
    place = np.full(len(values), -1)
    place[often] = np.arange(len(often))
    return place[code], [values[i] for i in often]


def _sort_key(value: Any) -> tuple[int, float, str]:
    if isinstance(value, int | float) and value == value:
        return 0, float(value), ""
    return 1, 0.0, str(value)


def _complete(block: Codes, code: Codes, score: Floats, n: int, m: int) -> Floats:
    """[block, row, column] of mean scores, for the blocks that have them all."""
    import numpy as np

    of, at, mean = cells(block, code, score)
    whole = np.isin(of, np.flatnonzero(np.bincount(of) == n * m)) if len(of) else of > 0
    return mean[whole].reshape(-1, n, m)


def _means(code: Codes, score: Floats, n: int, m: int) -> Floats:
    import numpy as np

    with np.errstate(invalid="ignore"):
        mean: Floats = np.bincount(code, score, minlength=n * m) / np.bincount(code, minlength=n * m)
    return mean.reshape(n, m)


def _best(means: Floats, columns: Sequence[Any]) -> tuple[Any, ...]:
    import numpy as np

    return tuple(None if np.isnan(row).all() else columns[int(np.nanargmax(row))] for row in means)


def _agreement(square: Floats) -> tuple[float | None, float]:
    """(p, the smallest p possible) of the test that ``interaction`` describes."""
    import numpy as np

    blocks, n, m = square.shape
    smallest = _smallest(blocks, n, m)
    if smallest > ALPHA:
        return None, smallest
    with np.errstate(invalid="ignore"):  # infinite values have no mean
        rest = square - square.mean(axis=1, keepdims=True) - square.mean(axis=2, keepdims=True)
        rest += square.mean(axis=(1, 2), keepdims=True)
    size = np.sqrt((rest**2).sum(axis=(1, 2), keepdims=True))
    # rounding leaves a little where nothing is
    noise = 1e-12 * np.abs(square).max(axis=(1, 2), keepdims=True)
    rest = np.divide(rest, size, out=np.zeros_like(rest), where=np.isfinite(size) & (size > noise))
    statistic = (rest.mean(axis=0) ** 2).sum()
    random, at_least, drawn = np.random.default_rng(0), 0, 0
    which = np.arange(blocks)[:, None, None]
    while drawn < PERMUTATIONS and at_least < _ENOUGH:
        drawn += 1
        i = np.argsort(random.random((blocks, n)), axis=1)[:, :, None]
        j = np.argsort(random.random((blocks, m)), axis=1)[:, None, :]
        at_least += (rest[which, i, j].mean(axis=0) ** 2).sum() >= statistic * (1 - 1e-9)
    return float((at_least + 1) / (drawn + 1)), smallest


def _smallest(blocks: int, n: int, m: int) -> float:
    """All blocks agree; exchanging two rows of two is the same as exchanging two columns of two."""
    if not blocks or min(n, m) < 2:
        return 1.0
    orders = math.factorial(n) * math.factorial(m) // (2 if n == m == 2 else 1)
    log = (1 - blocks) * math.log(orders)
    return max(math.exp(log), 1 / (PERMUTATIONS + 1))
