"""The Pareto front: the rows that no other row beats in one metric without losing in another.

Pure functions on result tables; drawing the front is the pictures' business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kwdag.metrics import Metric, scores

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Bools = np.ndarray[Any, np.dtype[np.bool_]]
    Places = np.ndarray[Any, np.dtype[np.int32]]

_BATCH = 256


def pareto_front(table: pd.DataFrame, metrics: Sequence[Metric]) -> Bools:
    """Whether each row is on the front: no other row is as good in all ``metrics`` and better in one.

    Each metric is judged by its objective. Equal rows are on the front together or not at all; a row that
    lacks one of the metrics never is, and never keeps another from it. Without metrics nothing is.
    """
    import numpy as np

    found = np.zeros(len(table), dtype=bool)
    if not metrics or not len(table):
        return found
    values = np.column_stack([scores(table[m.column]) * (1 if m.maximize else -1) for m in metrics])
    whole = np.flatnonzero(~np.isnan(values).any(axis=1))
    # places among the distinct values compare as the values do, and integers compare faster
    places = np.column_stack([np.unique(column, return_inverse=True)[1] for column in values[whole].T])
    distinct, which = np.unique(places.astype(np.int32), axis=0, return_inverse=True)
    found[whole] = _front(distinct)[which.reshape(-1)]
    return found


def _front(rows: Places) -> Bools:
    """The front of distinct rows that are sorted by their first column: only later rows can beat a row."""
    import numpy as np

    front = np.zeros(len(rows), dtype=bool)
    best = rows[:0, 1:]
    for stop in range(len(rows), 0, -_BATCH):
        start = max(0, stop - _BATCH)
        batch = np.arange(start, stop)
        batch = batch[~_beaten(rows[batch, 1:], best)]
        # within the batch a row sees only what stands behind it
        inside = _covers(rows[batch, 1:], rows[batch, 1:])
        batch = batch[~np.tril(inside, -1).any(axis=0)]
        front[batch] = True
        best = np.concatenate([best, rows[batch, 1:]])
    return front


def _beaten(rows: Places, best: Places) -> Bools:
    import numpy as np

    beaten = np.zeros(len(rows), dtype=bool)
    for start in range(0, len(best), 16 * _BATCH):
        left = ~beaten
        beaten[left] = _covers(best[start : start + 16 * _BATCH], rows[left]).any(axis=0)
    return beaten


def _covers(one: Places, other: Places) -> Bools:
    """[i, j]: whether row i of ``one`` is nowhere below row j of ``other``."""
    import numpy as np

    covers = np.ones((len(one), len(other)), dtype=bool)
    for a, b in zip(one.T, other.T, strict=True):
        covers &= a[:, None] >= b[None, :]
    return covers
