"""Two rows of result tables side by side: their parameters, and their metrics region by region.

Pure functions on result tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kwdag.cells import is_missing
from kwdag.errors import ResultError
from kwdag.find_row import pick_row
from kwdag.metrics import is_numeric, metric_columns, scores
from kwdag.render import token
from kwdag.roles import Roles, param_columns
from kwdag.tolerance import EXACT, Tolerance

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class RowPair:
    """Two rows of one node's table.

    Attributes:
        params: parameter -> its values in both where they differ, None where a row has none.
        metrics: region -> metric -> its values in both, None where it was not measured.
            Several jobs of one row and region count as their mean.
        differs: whether any value of a metric does, or a region is missing.
    """

    node: str
    a: str
    b: str
    params: Mapping[str, tuple[Any, Any]]
    metrics: Mapping[str, Mapping[str, tuple[Any, Any]]]
    differs: bool


def compare_rows(
    tables: Mapping[str, pd.DataFrame],
    a: str,
    b: str,
    roles: Roles | None = None,
    tolerance: Tolerance = EXACT,
) -> list[RowPair]:
    """Compare two rows, given by their hashids or unique beginnings of them, in every node that has both.

    Raises:
        ResultError: a name stands for no row or for several, or no node has both.
    """
    pair = [pick_row(tables, name, "compare") for name in (a, b)]
    found = []
    for node, table in tables.items():
        one, two = (table[table[column] == value] for column, value in pair)
        if len(one) and len(two):
            found.append(_pair(node, (pair[0][1], one), (pair[1][1], two), roles or Roles(), tolerance))
    if not found:
        raise ResultError(f"no node has rows of both {pair[0][1]} and {pair[1][1]}", where="compare")
    return found


def _pair(
    node: str, a: tuple[str, pd.DataFrame], b: tuple[str, pd.DataFrame], roles: Roles, tolerance: Tolerance
) -> RowPair:
    params = {}
    for column in param_columns(a[1]):
        name = column.removeprefix("params.")
        one, two = (_first(rows, column) for _, rows in (a, b))
        if name not in roles.unhashed and _text(one) != _text(two):
            params[name] = one, two
    regions = sorted({*a[1]["region_id"], *b[1]["region_id"]})
    metrics = {region: _metrics(node, a[1], b[1], region) for region in regions}
    differs = any(not tolerance.same(*values) for found in metrics.values() for values in found.values())
    return RowPair(node, a[0], b[0], params, metrics, differs)


def _first(rows: pd.DataFrame, column: str) -> Any:
    value = rows[column].tolist()[0]
    return None if is_missing(value) else value


def _text(value: Any) -> Any:
    return None if value is None else token(value)


def _metrics(node: str, a: pd.DataFrame, b: pd.DataFrame, region: str) -> dict[str, tuple[Any, Any]]:
    found = {}
    for column in metric_columns(a):
        pair = tuple(_mean(rows[rows["region_id"] == region][column]) for rows in (a, b))
        if pair != (None, None):
            found[column.removeprefix(f"metrics.{node}.").removeprefix("metrics.")] = pair
    return found


def _mean(values: pd.Series) -> Any:
    """The one value, or the mean of several numbers; None where there is none."""
    known = [value for value in values.tolist() if value is not None]
    if len(known) > 1 and is_numeric(values):
        return float(scores(values).mean())
    return known[0] if known else None
