"""Which rows a person asked for: regions, a condition, states of jobs, dates.

Pure functions on result tables; the condition's language is query.py's business.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from kwdag import units
from kwdag.errors import ResultError, did_you_mean
from kwdag.query import columns_of, rows_where
from kwdag.ranking import check_regions

if TYPE_CHECKING:
    import pandas as pd

    Tables = Mapping[str, pd.DataFrame]

#: The states that a job without a row may have.
ABSENT = ("failed", "blocked", "pending", "running", "interrupted", "damaged")
STATES = ("done", *ABSENT)


@dataclass(frozen=True, slots=True)
class Filters:
    """What rows must satisfy; the default keeps the done jobs.

    Attributes:
        rois: names of regions, None for all.
        query: a condition (see ``kwdag.query.rows_where``).
        states: the jobs that get a row; one that is not done has no metrics in it.
        since, until: seconds since the epoch between which a job ended; one without that record is left out.
    """

    rois: Sequence[str] | None = None
    query: str | None = None
    states: Sequence[str] | None = None
    since: float | None = None
    until: float | None = None


def filtered(
    tables: Tables, absent: Tables, filters: Filters, base: str | None = None
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """The rows and the absent jobs that satisfy all filters, node by node.

    An absent job is dropped where it is sure that its result would be, too: a condition on metrics or dates
    cannot say so.

    Raises:
        ResultError: there is no such region, state or column, or the condition is malformed.
    """
    check_states(filters.states)
    kept, missing = dict(tables), dict(absent)
    if filters.rois is not None:
        everything = [*kept.values(), *missing.values()]
        check_regions(filters.rois, {name for table in everything for name in table["region_id"]}, "rois")
        kept, missing = (
            {node: table[table["region_id"].isin(list(filters.rois))] for node, table in some.items()}
            for some in (kept, missing)
        )
    if filters.states is not None:
        kept = {node: _in_states(table, missing.get(node), filters.states) for node, table in kept.items()}
    kept = {node: _between(table, filters) for node, table in kept.items()}
    if filters.query is not None:
        missing = {node: _perhaps(table, filters.query, base) for node, table in missing.items()}
        kept = {node: rows_where(table, filters.query, base) for node, table in kept.items()}
    return ({node: table.reset_index(drop=True) for node, table in some.items()} for some in (kept, missing))  # type: ignore[return-value]


def check_states(states: Sequence[str] | None) -> None:
    """Raises ResultError for a name that is no state of a job."""
    for state in states or ():
        if state not in STATES:
            raise ResultError(f"no state {state!r}", where="states", hint=did_you_mean(state, STATES))


def moment(option: str, text: str | None, now: float | None = None) -> float | None:
    """Seconds since the epoch from a date, a date with a time of day, or a span before now.

    Without a time zone, that of this machine counts. Raises ResultError for anything else.

    >>> moment("since", "2d", now=200_000.0), moment("since", "1970-01-02T00:00:00Z")
    (27200.0, 86400.0)
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError):
        pass
    try:
        return (time.time() if now is None else now) - float(units.seconds(text) or 0)
    except ValueError:
        hint = "such as 2026-11-21, 2026-11-21T13:30 or 2d for two days ago"
        raise ResultError(f"{text!r} is no date", where=option, hint=hint) from None


def _in_states(table: pd.DataFrame, absent: pd.DataFrame | None, states: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    parts = [table.assign(state="done")] if "done" in states else [table.iloc[:0].assign(state="done")]
    if absent is not None:
        parts.append(absent[absent["state"].isin(list(states))])
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def _between(table: pd.DataFrame, filters: Filters) -> pd.DataFrame:
    for bound, keeps in ((filters.since, "ge"), (filters.until, "le")):
        if bound is not None and "job.stop" in table:
            table = table[getattr(table["job.stop"].astype(float), keeps)(bound)]
        elif bound is not None:
            table = table.iloc[:0]
    return table


def _perhaps(absent: pd.DataFrame, query: str, base: str | None) -> pd.DataFrame:
    try:
        known = all(name in absent for name in columns_of(absent, query))
    except ResultError:  # a column that only results have
        known = False
    return rows_where(absent, query, base) if known else absent
