"""What the page says in words: counts, the best row of each node, what the jobs cost.

Plain values for the template; nothing here knows markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kwdag.metrics import Metric, Metrics, scores
from kwdag.report.html.dag import Fact
from kwdag.report.labels import amount, clean, duration, shortened, value_text
from kwdag.report.varied import Varied, strongest_first
from kwdag.roles import Roles

if TYPE_CHECKING:
    import pandas as pd

    from kwdag.pipeline import Wiring


def section(
    node: str,
    table: pd.DataFrame,
    metrics: Metrics,
    roles: Roles,
    states: Mapping[str, int],
    base: str | None,
) -> dict[str, Any]:
    """The words above a node's plots and table."""
    found = {"name": clean(node), "rows": len(table), "missing": _not_ranked(states), "best": None}
    if table.empty:
        return found
    several = strongest_first(table, metrics, roles)
    best = table.iloc[-1]
    return found | {
        "regions": int(table["region_id"].nunique()),
        "settings": int(table["param_hashid"].nunique()),
        "varied": len(several),
        "primary": [_objective(metric) for metric in metrics.primary],
        "best": {
            "region": clean(best["region_id"]),
            "hashid": clean(best["param_hashid"]),
            "metrics": [_value(table, m) for m in _distinct(metrics) if m.column in table],
            "params": [_parameter(one, best[one.column], base) for one in several],
        },
    }


def _parameter(one: Varied, value: Any, base: str | None) -> tuple[str, str, str]:
    """Its name, its value and what of that fits."""
    text = value_text(None if value is None or value != value else value, base)
    return clean(one.name), text, shortened(text, 44)


def _distinct(metrics: Metrics) -> list[Metric]:
    return list({m.column: m for m in (*metrics.primary, *metrics.display)}.values())


def _objective(metric: Metric) -> str:
    return f"{clean(metric.name)} ({'higher' if metric.maximize else 'lower'} is better)"


def _value(table: pd.DataFrame, metric: Metric) -> tuple[str, str]:
    number = float(scores(table[metric.column].iloc[-1:])[0])
    value = table[metric.column].iloc[-1]
    if number == number:
        return clean(metric.name), f"{number:.6g}"
    return clean(metric.name), "–" if value is None or value != value else value_text(value)


def _not_ranked(states: Mapping[str, int]) -> list[str]:
    return [f"{n:,} {clean(state)}" for state, n in sorted(states.items()) if n and state != "done"]


def facts(
    wiring: Wiring | None,
    jobs: pd.DataFrame | None,
    states: Mapping[str, Mapping[str, int]],
    anchors: Mapping[str, str],
) -> dict[str, Fact]:
    """What the picture of the pipeline says of each node."""
    if wiring is None:
        return {}
    spans = {cost["node"]: cost for cost in (costs(jobs) if jobs is not None else [])}
    counted = _counted(jobs) | {node: dict(found) for node, found in states.items()}
    return {
        node: Fact(counted.get(node, {}), _note(spans.get(clean(node))), anchors.get(node))
        for node in wiring.nodes
    }


def _counted(jobs: pd.DataFrame | None) -> dict[str, dict[str, int]]:
    if jobs is None or "state" not in jobs:
        return {}
    counts = {str(node): rows["state"].value_counts() for node, rows in jobs.groupby("node", sort=False)}
    return {node: {str(state): int(n) for state, n in found.items()} for node, found in counts.items()}


def _note(cost: Mapping[str, str] | None) -> str:
    return f"{cost['median']} a job, {cost['wall']} in all" if cost and cost["wall"] else ""


def costs(jobs: pd.DataFrame) -> list[dict[str, str]]:
    """A line for each node: jobs, median and sum of the time, CPU time, memory; empty where unknown."""
    lines = []
    for node, rows in jobs.groupby("node", sort=False):
        wall, cpu, rss = (_numbers(rows, name) for name in ("wall", "cpu", "max_rss"))
        lines.append({
            "node": clean(node),
            "jobs": f"{len(rows):,}",
            "median": duration(float(wall.median())) if len(wall) else "",
            "longest": duration(float(wall.max())) if len(wall) else "",
            "wall": duration(float(wall.sum())) if len(wall) else "",
            "cpu": duration(float(cpu.sum())) if len(cpu) else "",
            "rss": amount(float(rss.max())) if len(rss) else "",
        })  # fmt: skip
    return lines


def _numbers(rows: pd.DataFrame, name: str) -> pd.Series:
    import pandas as pd

    return pd.to_numeric(rows[name], errors="coerce").dropna() if name in rows else pd.Series(dtype=float)
