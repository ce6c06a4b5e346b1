"""Failures that bias a ranking, and what can be compared all the same, in sentences and small tables.

Text only: the numbers come from support.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kwdag import ranking, support
from kwdag.metrics import Metric, Metrics
from kwdag.render import token
from kwdag.report.tables import WIDTH, table_lines
from kwdag.report.wording import p_text, shown_name, shown_values, wrapped
from kwdag.roles import Roles
from kwdag.support import FailureLink

if TYPE_CHECKING:
    import pandas as pd

_MOST_LINKS, _MOST_NAMES, _MOST_VALUES = 3, 8, 24


def bias_lines(
    table: pd.DataFrame, absent: pd.DataFrame | None, metrics: Metrics, roles: Roles,
    base: str | None = None, width: int = WIDTH,
) -> Iterator[str]:  # fmt: skip
    """On what failures depend, and the ranking on what can be compared all the same; often nothing."""
    if absent is None:
        return
    found = [link for link in support.failure_links(table, absent, roles) if link.found]
    for link in found[:_MOST_LINKS]:
        yield from _flush(_dependence(link, base), width)
        if not metrics.primary:
            continue
        if link.column == "region_id":
            yield from _regions(table, metrics.primary[0], width)
        else:
            yield from _on_support(table, absent, link, metrics.primary[0], roles, base, width)
    if len(found) > _MOST_LINKS:
        others = ", ".join(shown_name(link.column) for link in found[_MOST_LINKS:])
        yield from _flush(f"Failures also depend on {others}", width)


def _flush(text: str, width: int) -> list[str]:
    return [line.removeprefix("  ") for line in wrapped(text, width + 2)]


def _dependence(link: FailureLink, base: str | None) -> str:
    name = shown_name(link.column)
    value = shown_values([link.value], base)[0]
    others = ", ".join(map(shown_name, link.together))
    also = f" (or {others}, always together with it)" if others else ""
    after = f" after Holm over {link.family} parameters" if link.family > 1 else ""
    return (
        f"Failures depend on {name}{also}: {link.failed:,} of {_jobs(link.jobs)} with {name}={value} "
        f"{'has' if link.failed == 1 else 'have'} no result, {link.others_failed:,} of {link.others:,} "
        f"others (p {p_text(link.p_adjusted)}{after}); ranking the survivors is biased"
    )


def _jobs(n: int) -> str:
    return "1 job" if n == 1 else f"{n:,} jobs"


def _on_support(
    table: pd.DataFrame, absent: pd.DataFrame, link: FailureLink, metric: Metric, roles: Roles,
    base: str | None, width: int,
) -> Iterator[str]:  # fmt: skip
    name = shown_name(link.column)
    lost = support.without_result(table, absent, link.column)
    if lost:
        labels = ", ".join(shown_values(lost[:_MOST_NAMES], base))
        yield from wrapped(f"no job with {name}={labels} has a result: nothing can be said of it", width)
    if len(set(map(token, table[link.column].tolist()))) < 2:
        return
    ranked, rows = support.ranked_values(table, link.column, metric, roles)
    if len(ranked) < 2:
        nowhere = f"nowhere, all else equal, has every value of {name} a result"
        yield from wrapped(f"no common support: {nowhere}", width)
        return
    ranked = ranked[-_MOST_VALUES:]
    where = f"where, all else equal, every value of {name} has a result"
    yield from wrapped(f"{metric.name} {where} ({rows:,} of {len(table):,} rows):", width)
    values, counts, means, bests = zip(*ranked, strict=True)
    columns = {"value": shown_values(values, base), "rows": counts, "mean": means, "best": bests}
    yield from table_lines(columns, width)


def _regions(table: pd.DataFrame, metric: Metric, width: int) -> Iterator[str]:
    """The best configurations over the regions that all of them have."""
    common = support.common_regions(table)
    if not common:
        yield from wrapped(
            "no common support: there is no region in which all configurations have results", width
        )
        return
    ranked = ranking.rank(ranking.macro(table, [metric], common), [metric]).tail(_MOST_NAMES)
    where = f"over the regions in which all configurations have results ({', '.join(common)})"
    yield from wrapped(f"{metric.aggregator} {metric.name} {where}, the best last:", width)
    columns = {"param_hashid": ranked["param_hashid"].tolist(), metric.name: ranked[metric.column].tolist()}
    yield from table_lines(columns, width)
