"""What jobs cost, as text: by node, and by value of each varied parameter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kwdag.report.labels import amount, duration, short_labels, value_text
from kwdag.report.tables import WIDTH, table_lines
from kwdag.resources import cost_by_node, cost_by_value

if TYPE_CHECKING:
    import pandas as pd

#: So many values of one parameter are shown, the dearest.
MOST = 12
_VALUE_WIDTH = 18


def resource_lines(jobs: pd.DataFrame, base: str | None = None, width: int = WIDTH) -> Iterator[str]:
    """The report on a job table (see ``kwdag.resources.job_table``), tables no wider than asked."""
    if jobs.empty:
        yield "No jobs"
        return
    yield from _nodes(jobs, width)
    costs = cost_by_value(jobs)
    for column, rows in costs.groupby("column", sort=False):
        yield ""
        yield from _values(str(column), rows, base, width)
    if len(costs):
        yield ""
        yield "wall, mean, cpu, memory: of the jobs with the value, without their ancestors"
        yield "a row: a final job and all that it rests on; in all: shared ancestors count once"


def _nodes(jobs: pd.DataFrame, width: int) -> Iterator[str]:
    nodes = cost_by_node(jobs)
    yield f"Cost: {span(nodes['wall'].sum())} in {_count(len(jobs), 'job')}" + _elapsed(jobs)
    unknown = int(jobs["wall"].isna().sum())
    if unknown:
        yield f"({_count(unknown, 'job')} did not record what they took)"
    yield from table_lines({
        "node": nodes["node"].tolist(),
        "jobs": _counts(nodes["jobs"]),
        "wall": _spans(nodes["wall"]),
        "share": [_percent(share) for share in nodes["share"]],
        "mean": _spans(nodes["wall_mean"]),
        "cpu": _spans(nodes["cpu"]),
        "cores busy": [_missing_or(busy, f"{busy:.2f}") for busy in nodes["busy"]],
        "peak memory": _amounts(nodes["max_rss"]),
    }, width, keys=1)  # fmt: skip


def _elapsed(jobs: pd.DataFrame) -> str:
    """How long the jobs took from the first start to the last stop, and how many ran at once."""
    elapsed = jobs["stop"].max() - jobs["start"].min()
    if not elapsed > 0:
        return ""
    return f", {span(elapsed)} from first to last ({jobs['wall'].sum() / elapsed:.1f} at a time)"


def _values(column: str, rows: pd.DataFrame, base: str | None, width: int) -> Iterator[str]:
    dearest = rows
    if len(rows) > MOST:
        dearest = rows.loc[rows["all_wall"].nlargest(MOST).index.sort_values()]
    name = column.removeprefix("params.")
    yield f"Cost of {name}" + (f" (the {MOST} dearest of {len(rows):,} values)" if len(rows) > MOST else "")
    yield from table_lines({
        "value": short_labels([value_text(value, base) for value in dearest["value"]], _VALUE_WIDTH),
        "jobs": _counts(dearest["jobs"]),
        "wall": _spans(dearest["wall"]),
        "mean": _spans(dearest["wall_mean"]),
        "cpu": _spans(dearest["cpu"]),
        "memory": _amounts(dearest["max_rss"]),
        "a row": _spans(dearest["row_wall"]),
        "in all": _spans(dearest["all_wall"]),
    }, width, keys=1)  # fmt: skip


# -- units -----------------------------------------------------------------------------------------


def span(seconds: float) -> str:
    """A span of time, short enough for a column.

    >>> [span(s) for s in (0.0123, 5, 83, 4980, float("nan"))]
    ['0.012 s', '5 s', '1 m 23 s', '1 h 23 m', '-']
    """
    if 0 < seconds < 1:
        return f"{seconds:.2g} s"
    return _missing_or(seconds, lambda: duration(round(seconds, 1)).replace(" min", " m"))


def _missing_or(value: float, text: Any) -> str:
    if math.isnan(value):
        return "-"
    return str(text() if callable(text) else text)


def _percent(share: float) -> str:
    return _missing_or(share, f"{share:.0%}")


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def _counts(numbers: pd.Series) -> list[str]:
    return [f"{number:,}" for number in numbers]


def _spans(seconds: pd.Series) -> list[str]:
    return [span(value) for value in seconds]


def _amounts(sizes: pd.Series) -> list[str]:
    return [_missing_or(size, lambda size=size: amount(size)) for size in sizes]
