"""Job directories to columns: the parameters and metrics of every done job of a node.

Reads only and knows nothing of ranks; a damaged result is set aside and never stops the rest.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kwdag import jobdir
from kwdag.errors import KwdagError

if TYPE_CHECKING:
    import pandas as pd

#: What a ``load_result`` hook may return: given a job directory, a flat mapping of dotted keys.
Loader = Callable[[Path], Mapping[str, Any]]

OWN_COLUMNS = ("node", "job_id", "dpath")
_PROBES = 10
_BATCH = 512


class Job(NamedTuple):
    """A job directory and the loader of the pipeline that made it."""

    job_id: str
    dpath: str
    load: Loader


class Skipped(NamedTuple):
    """A job directory that should hold a result and does not hold a readable one."""

    path: str
    reason: str


class _Unusable(Exception):
    """The reason why a done job gives no row."""


@dataclass(slots=True)
class Columns:
    """Rows with differing keys, kept as one list per key; a value that a row lacks is None."""

    n_rows: int = 0
    lists: dict[str, list[Any]] = field(default_factory=dict)

    def append(self, row: Mapping[str, Any]) -> None:
        for key, value in row.items():
            column = self.lists.setdefault(key, [])
            if len(column) < self.n_rows:
                column.extend([None] * (self.n_rows - len(column)))
            column.append(value)
        self.n_rows += 1

    def table(self) -> pd.DataFrame:
        """A DataFrame: node, job_id and dpath, then parameters, metrics and whatever else was reported."""
        import pandas as pd

        for column in self.lists.values():
            column.extend([None] * (self.n_rows - len(column)))
        data = {name: _typed(self.lists[name], _is_metric(name)) for name in _ordered(self.lists)}
        return pd.DataFrame(data, columns=[*data] if data else [*OWN_COLUMNS])


@dataclass(slots=True)
class NodeResults:
    """What the job directories of one node hold.

    ``states`` counts every job by the state that it recorded, ``unfinished`` where it recorded none.
    """

    columns: Columns = field(default_factory=Columns)
    states: Counter[str] = field(default_factory=Counter)
    skipped: list[Skipped] = field(default_factory=list)


def load_node(
    node: str, jobs: Iterable[Job], *, need_metrics: bool = True, io_workers: int = 0
) -> NodeResults:
    """One row for each done job of ``node``, in order of job ids.

    Args:
        need_metrics: set a done job without any ``metrics.*`` aside instead of giving it a row.
        io_workers: threads that read; they pay on a network file system, on a local disk 0 is fastest.
    """
    results = NodeResults()
    for job, (state, row, reason) in _map(lambda job: _read(node, job), sorted(jobs, key=_place), io_workers):
        results.states[state] += 1
        if row is not None and need_metrics and not has_metrics(row):
            row, reason = None, "its result holds no metrics"
        if row is not None:
            results.columns.append(row)
        elif reason is not None:
            results.skipped.append(Skipped(job.dpath, reason))
    return results


def _place(job: Job) -> tuple[str, str]:
    return job.job_id, job.dpath


def reports_metrics(node: str, jobs: Iterable[Job]) -> bool:
    """Whether the first of the ``jobs`` that can be read has metrics; gives up after ten."""
    rows = (_read(node, job)[1] for job in islice(jobs, _PROBES))
    return has_metrics(next((row for row in rows if row is not None), {}))


def has_metrics(row: Mapping[str, Any]) -> bool:
    return any(map(_is_metric, row))


def _is_metric(name: str) -> bool:
    return name.startswith("metrics.")


def _map(function: Callable[[Job], Any], jobs: list[Job], workers: int) -> Iterator[tuple[Job, Any]]:
    """Pairs of job and result in order; with threads a batch at a time, so that memory stays bounded."""
    if workers <= 0:
        yield from ((job, function(job)) for job in jobs)
        return
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(jobs), _BATCH):
            batch = jobs[start : start + _BATCH]
            yield from zip(batch, pool.map(function, batch), strict=True)


def _read(node: str, job: Job) -> tuple[str, dict[str, Any] | None, str | None]:
    """(state, row, reason): a row for a readable done job, a reason for an unreadable one, else neither."""
    try:
        state = _state(job.dpath)
    except Exception as error:
        return "damaged", None, _reason(error)
    if state != "done":
        return state, None, None
    try:
        return state, _row(node, job), None
    except Exception as error:  # a user's hook may raise anything, and must not stop the rest
        return state, None, _reason(error)


def _state(dpath: str) -> str:
    status = jobdir.read_status(dpath)
    if status is None:
        return "unfinished"
    if status["state"] != "finished":
        return str(status["state"])
    # a job that was run by hand records its exit code and leaves the judgement to its readers
    return "done" if status.get("exit_code") == 0 else "failed"


def _row(node: str, job: Job) -> dict[str, Any]:
    config = jobdir.read_config(job.dpath)
    result = job.load(Path(job.dpath))
    if not isinstance(result, Mapping):
        raise _Unusable(f"load_result returned {type(result).__name__}, not a mapping")
    row = {"node": node, "job_id": job.job_id, "dpath": job.dpath}
    row.update((f"params.{key}", value) for key, value in config.items())
    for key, value in result.items():
        row.setdefault(str(key), value)
    return row


def _reason(error: Exception) -> str:
    """One line that says what is wrong with a job directory."""
    if isinstance(error, KwdagError):
        text = f"{Path(error.where).name} {error.message}" if error.where else str(error)
    elif isinstance(error, _Unusable):
        text = str(error)
    elif isinstance(error, FileNotFoundError) and error.filename:
        text = f"no file {Path(error.filename).name}"
    elif isinstance(error, OSError):
        text = f"{error.strerror or error}: {error.filename}"
    elif isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        text = f"its result is not JSON: {error}"
    else:
        text = f"load_result raised {type(error).__name__}: {error}"
    return " ".join(text.split())[:300]


def _ordered(names: Iterable[str]) -> list[str]:
    """Own columns first, then params, metrics and the rest; within a kind as first seen."""
    return sorted(names, key=_kind)


def _kind(name: str) -> int:
    if name in OWN_COLUMNS:
        return 0
    return 1 if name.startswith("params.") else 2 if _is_metric(name) else 3


def _typed(values: list[Any], metric: bool) -> pd.Series:
    """A column that keeps ints as ints and, for parameters, 1 and 1.0 and True apart."""
    import pandas as pd

    types = set(map(type, values))
    if len(types) == 1 and types <= {float, bool, str}:
        return pd.Series(values)
    if metric and types <= {int, type(None)}:
        return _numbers(values, "int64" if types == {int} else "Int64")
    if metric and types <= {int, float, type(None)}:
        return _numbers(values, "float64")
    return _numbers(values, "int64") if types == {int} else pd.Series(values, dtype=object)


def _numbers(values: list[Any], dtype: str) -> pd.Series:
    import pandas as pd

    try:
        return pd.Series(values, dtype=dtype)
    except (OverflowError, TypeError):  # an int of more than 64 bits
        return pd.Series(values, dtype=object)
