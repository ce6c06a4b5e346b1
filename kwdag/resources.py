"""What jobs cost: time, CPU and memory of every job, summed by node and by value of a parameter.

Reads status files; which rows are good is no question here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kwdag import records
from kwdag.cells import is_missing
from kwdag.records import Record
from kwdag.render import Token, token
from kwdag.roles import param_columns

if TYPE_CHECKING:
    import pandas as pd

    from kwdag.targets import Run

_NUMBERS = ("start", "stop", "wall", "cpu", "max_rss", "attempt")
_TEXTS = ("host", "backend")


def job_table(runs: Iterable[Run]) -> pd.DataFrame:
    """One row for each job directory of every node, whatever its state; damaged ones are left out.

    Columns: node, job_id, dpath, state, reason, start, stop (seconds since the epoch), wall, cpu (seconds),
    max_rss (bytes), host, backend, attempt, upstream (ids of the jobs that it read from), and params.* of the
    job and its ancestors. What was not recorded is NaN or None.
    """
    jobs = ((node, job.job_id, job.dpath) for run in runs for node in run.jobs for job in run.jobs[node])
    return table_of(record for record in records.read(jobs) if record.state != records.DAMAGED)


def table_of(found: Iterable[Record]) -> pd.DataFrame:
    """The table of some jobs (see ``job_table``)."""
    import pandas as pd

    found = list(found)
    columns: dict[str, Any] = {
        name: pd.Series([getattr(record, name) for record in found], dtype=object)
        for name in ("node", "job_id", "dpath", "state", "reason")
    }
    for name in _NUMBERS:
        columns[name] = pd.Series([_number(record.status.get(name)) for record in found], dtype="float64")
    for name in _TEXTS:
        columns[name] = pd.Series([record.status.get(name) for record in found], dtype=object)
    columns["upstream"] = pd.Series([record.upstream for record in found], dtype=object)
    for key in dict.fromkeys(key for record in found for key in record.config):
        values = [record.config.get(key) for record in found]
        columns[f"params.{key}"] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


# -- sums ------------------------------------------------------------------------------------------


def cost_by_node(jobs: pd.DataFrame) -> pd.DataFrame:
    """What the jobs of each node took, in the order of the table.

    Columns: node, jobs, wall, cpu (totals in seconds), share (of all wall time), wall_mean, max_rss (largest,
    bytes) and busy (CPU seconds a wall second: the cores that a job kept busy on average).
    """
    import pandas as pd

    total = jobs["wall"].sum()
    rows = []
    for node, own in jobs.groupby("node", sort=False):
        both = own[own["wall"].notna() & own["cpu"].notna()]
        wall = own["wall"].sum()
        rows.append({
            "node": node,
            "jobs": len(own),
            "wall": wall,
            "share": _ratio(wall, total),
            "wall_mean": own["wall"].mean(),
            "cpu": own["cpu"].sum(),
            "busy": _ratio(both["cpu"].sum(), both["wall"].sum()),
            "max_rss": own["max_rss"].max(),
        })  # fmt: skip
    names = ["node", "jobs", "wall", "share", "wall_mean", "cpu", "busy", "max_rss"]
    return pd.DataFrame(rows, columns=names)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def cost_by_value(jobs: pd.DataFrame, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """What each value of each varied parameter cost, by default of all that vary.

    A job counts for the values in its own parameters, which include those of its ancestors. Columns:

        column, value, jobs: how many jobs have it
        wall, wall_mean, cpu, cpu_mean, max_rss: what these jobs took, in seconds and bytes
        rows: how many of them are final, read by no other job
        row_wall, row_cpu: a final job with all that it rests on, on average
        all_wall, all_cpu: these jobs with all that they rest on, shared ancestors counted once
    """
    import pandas as pd

    family = _Family(jobs)
    rows = []
    for column in param_columns(jobs) if columns is None else columns:
        groups = _by_value(jobs[column].tolist())
        if len(groups) > 1 or columns is not None:
            rows += [{"column": column, "value": value, **family.cost(own)} for value, own in groups]
    names = ["column", "value", "jobs", "wall", "wall_mean", "cpu", "cpu_mean", "max_rss",
             "rows", "row_wall", "row_cpu", "all_wall", "all_cpu"]  # fmt: skip
    return pd.DataFrame(rows, columns=names).astype({"value": object})


def _by_value(values: Sequence[Any]) -> list[tuple[Any, list[int]]]:
    """(value, places of the jobs that have it), numbers first and by size, then texts."""
    first: dict[Token, Any] = {}
    places: dict[Token, list[int]] = {}
    for place, value in enumerate(values):
        if not is_missing(value):
            first.setdefault(token(value), value)
            places.setdefault(token(value), []).append(place)
    return [(first[text], places[text]) for text in sorted(first, key=lambda text: _order(first[text]))]


def _order(value: Any) -> tuple[bool, float, str]:
    is_number = isinstance(value, int | float) and abs(value) < 1e300
    return not is_number, float(value) if is_number else 0.0, str(value)


class _Family:
    """The jobs of a table by their places, and what each of them rests on."""

    def __init__(self, jobs: pd.DataFrame):
        roots = [dpath.rpartition("/")[0].rpartition("/")[0] for dpath in jobs["dpath"].tolist()]
        ids = jobs["job_id"].tolist()
        place = {key: i for i, key in enumerate(zip(roots, ids, strict=True))}
        self.up = [
            [place[root, up] for up in upstream if (root, up) in place]
            for root, upstream in zip(roots, jobs["upstream"].tolist(), strict=True)
        ]
        nodes = jobs["node"].tolist()
        read = {nodes[i] for ups in self.up for i in ups}
        self.is_final = [node not in read for node in nodes]
        self.took = {name: jobs[name].tolist() for name in ("wall", "cpu", "max_rss")}

    def with_ancestors(self, places: Iterable[int]) -> set[int]:
        found = set(places)
        waiting = list(found)
        while waiting:
            new = [up for up in self.up[waiting.pop()] if up not in found]
            found.update(new)
            waiting += new
        return found

    def cost(self, places: list[int]) -> dict[str, Any]:
        """What some jobs took: by themselves, a final one with what it rests on, and all together."""
        final = [self.with_ancestors([place]) for place in places if self.is_final[place]]
        everything = self.with_ancestors(places)
        found: dict[str, Any] = {"jobs": len(places), "rows": len(final)}
        for name in ("wall", "cpu"):
            found[name] = sum(self._known(name, places))
            found[f"{name}_mean"] = _mean(self._known(name, places))
            found[f"row_{name}"] = _mean([sum(self._known(name, one)) for one in final])
            found[f"all_{name}"] = sum(self._known(name, everything))
        return {**found, "max_rss": max(self._known("max_rss", places), default=math.nan)}

    def _known(self, name: str, places: Iterable[int]) -> list[float]:
        values = self.took[name]
        return [values[place] for place in places if values[place] == values[place]]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
