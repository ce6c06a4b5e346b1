"""The metrics of a node: which of them rank its rows, which are shown, and their values as numbers.

Pure functions on result tables; what is done with the numbers stands in ranking.py.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kwdag.errors import ResultError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


AGGREGATORS = ("mean", "median", "min", "max", "sum")


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of a result table that rows are judged by or that a reader wants to see.

    ``bounds`` are the lowest and highest value that it can have, None where they are not known.
    """

    column: str
    name: str
    maximize: bool = True
    aggregator: str = "mean"
    bounds: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    """``primary`` decide the order, the first before the others; ``display`` are printed."""

    primary: tuple[Metric, ...] = ()
    display: tuple[Metric, ...] = ()


#: A metric asked for: its name, or a mapping `{metric, objective, aggregator, bounds}` (or `range`).
Wanted = str | Mapping[str, Any]


def choose_metrics(
    node: str,
    declared: Iterable[Mapping[str, Any]],
    table: pd.DataFrame,
    primary: Iterable[Wanted] | None = None,
    display: Iterable[Wanted] | None = None,
) -> Metrics:
    """The metrics of one node's table.

    Where nothing is asked for, the declared ones; where nothing is declared, all numeric columns, maximised.
    Names that this table lacks are left out: another node's table may have them.
    """
    entries = {metric_column(node, str(entry["metric"]), table.columns): entry for entry in declared}
    names = [name for name in dict.fromkeys([*entries, *metric_columns(table)]) if name in table]
    known = {name: _metric(node, name, entries.get(name, {})) for name in names}
    asked, shown = (_pick(node, names, known) for names in (primary, display))
    flagged = [known[name] for name, entry in entries.items() if name in known and entry.get("primary")]
    listed = [known[name] for name in entries if name in known]
    visible = [metric for metric in listed if entries[metric.column].get("display", True)]
    numeric = [metric for metric in known.values() if is_numeric(table[metric.column])]
    chosen = asked or flagged or listed or numeric
    others = visible if listed else list(known.values())
    return Metrics(_distinct(chosen), _distinct(shown or [*chosen, *others]))


def metric_columns(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if name.startswith("metrics.")]


def metric_column(node: str, name: str, columns: Collection[str]) -> str:
    """The column that ``name`` (bare, `<node>.<name>` or whole) stands for, whether it exists or not."""
    forms = (name, f"metrics.{node}.{name}", f"metrics.{name}")
    return next((form for form in forms if form.startswith("metrics.") and form in columns), forms[1])


def check_wanted(wanted: Iterable[Wanted], tables: Mapping[str, pd.DataFrame], option: str) -> None:
    """Raises ResultError for a metric that no table has."""
    known = {name for table in tables.values() for name in metric_columns(table)}
    short = {name.removeprefix(f"metrics.{node}.") for node in tables for name in known}
    for name in map(_wanted_name, wanted):
        if not any(metric_column(node, name, known) in known for node in tables):
            hint = did_you_mean(name, known if name.startswith("metrics.") else short)
            raise ResultError(f"no metric {name!r}", where=option, hint=hint)


def _wanted_name(wanted: Wanted) -> str:
    return wanted if isinstance(wanted, str) else str(wanted.get("metric"))


def _pick(node: str, wanted: Iterable[Wanted] | None, known: Mapping[str, Metric]) -> list[Metric]:
    picked = []
    for want in wanted or ():
        column = metric_column(node, _wanted_name(want), known)
        if column in known:
            picked.append(known[column] if isinstance(want, str) else _metric(node, column, want))
    return picked


def _metric(node: str, column: str, entry: Mapping[str, Any]) -> Metric:
    objective, aggregator = entry.get("objective") or "maximize", entry.get("aggregator") or "mean"
    for value, allowed in ((objective, ("maximize", "minimize")), (aggregator, AGGREGATORS)):
        if value not in allowed:
            raise ResultError(f"metric {column}: {value!r} is none of {', '.join(allowed)}")
    name = column.removeprefix(f"metrics.{node}.").removeprefix("metrics.")
    return Metric(column, name, objective == "maximize", aggregator, _bounds(column, entry))


def _bounds(column: str, entry: Mapping[str, Any]) -> tuple[float, float] | None:
    """What the entry says under `bounds`, else under `range`, to which the contract holds every result."""
    span = entry.get("bounds") or entry.get("range")
    if span is None:
        return None
    try:
        low, high = span
        low = -math.inf if low is None else float(low)
        high = math.inf if high is None else float(high)
    except (TypeError, ValueError):
        low = high = math.nan
    if not low <= high:
        raise ResultError(f"metric {column}: bounds are [lowest, highest], not {span!r}")
    return low, high


def _distinct(metrics: Iterable[Metric]) -> tuple[Metric, ...]:
    return tuple({metric.column: metric for metric in metrics}.values())


def is_numeric(column: pd.Series) -> bool:
    """Whether a column holds numbers; a few values of other kinds among them do not matter."""
    import numpy as np

    return _has_numeric_dtype(column) or not bool(np.isnan(scores(column)).all())


def _has_numeric_dtype(column: pd.Series) -> bool:
    from pandas.api.types import is_numeric_dtype

    return bool(is_numeric_dtype(column.dtype))


def scores(column: pd.Series) -> np.ndarray[Any, Any]:
    """The column as floats, NaN where it holds no number."""
    import numpy as np

    if _has_numeric_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan)
    return np.array([_number(value) for value in column.tolist()], dtype=float)


def _number(value: Any) -> float:
    if not isinstance(value, int | float):
        return float("nan")
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
