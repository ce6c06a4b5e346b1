"""What the jobs cost: time and memory of each node, and against the parameters that drive them.

Draws on the axes it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from kwdag.metrics import Metric
from kwdag.report import varied
from kwdag.report.labels import amount, clean, duration, safe_name, short_labels, shortened
from kwdag.report.plots.canvas import RASTER, Picture, set_scale
from kwdag.report.plots.marks import boxes, full_texts
from kwdag.report.varied import Varied, metric_scale

if TYPE_CHECKING:
    import pandas as pd

_MOST_PARAMETERS = 4
_MOST_LEVELS = 20
_LABEL_WIDTH = 34
_MOST_TICKS = 5
_ROUND_SECONDS = [a * 10.0**b for b in range(-4, 1) for a in (1, 2, 5)] + [
    10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 18000, 43200, *(86400.0 * 2**k for k in range(12)),
]  # fmt: skip
_ROUND_BYTES = [2.0**k for k in range(10, 50)]


@dataclass(frozen=True, slots=True)
class _Cost:
    column: str
    name: str
    text: Callable[[float], str]


_COSTS = (
    _Cost("wall", "wall time", duration),
    _Cost("cpu", "CPU time", duration),
    _Cost("max_rss", "peak memory", amount),
)


def overview(jobs: pd.DataFrame) -> Iterator[Picture]:
    """Time and memory of the jobs of each node, and the sum of the time."""
    costs = _recorded(jobs)
    nodes = list(dict.fromkeys(jobs["node"].tolist()))
    if costs:
        yield Picture(
            name="resources",
            title="What the jobs cost",
            draw=partial(_overview, jobs=jobs, nodes=nodes, costs=costs),
            size=(3.0 * len(costs) + 1.6, 1.2 + 0.45 * len(nodes)),
        )


def pictures(node: str, jobs: pd.DataFrame, base: str | None = None) -> Iterator[Picture]:
    """Time and memory against the parameters that explain most of them."""
    costs = [cost for cost in _recorded(jobs) if cost.column != "cpu"]
    jobs = jobs.reset_index(drop=True)
    found = varied.varied(jobs, base=base) if costs else []
    if not found:
        return
    for parameter in _drivers(jobs, found, costs)[:_MOST_PARAMETERS]:
        rows = min(len(parameter.levels), _MOST_LEVELS)
        yield Picture(
            name=safe_name("resources", parameter.name),
            title=f"{node}: cost by {parameter.name}",
            draw=partial(_by_parameter, jobs=jobs, parameter=parameter, costs=costs),
            size=(8.5, 1.3 + 0.36 * rows),
        )


def _drivers(jobs: pd.DataFrame, found: list[Varied], costs: list[_Cost]) -> list[Varied]:
    """Sorted by how much they explain of the cost that they explain best."""
    spent = [varied.good(jobs, Metric(cost.column, cost.name)) for cost in costs]
    best = {one.column: max(varied.influence(one, score) for score in spent) for one in found}
    return sorted(found, key=lambda one: (-best[one.column], one.name))


def _recorded(jobs: pd.DataFrame) -> list[_Cost]:
    return [cost for cost in _COSTS if cost.column in jobs and _positive(jobs[cost.column]).any()]


def _positive(column: pd.Series) -> Any:
    import numpy as np
    import pandas as pd

    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return np.isfinite(values) & (values > 0)


def _overview(figure: Any, jobs: pd.DataFrame, nodes: list[str], costs: list[_Cost]) -> list[str]:
    labels = short_labels([clean(node) for node in nodes], 28)
    all_axes = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    place = jobs["node"].map({node: i for i, node in enumerate(nodes)})
    for axes, cost in zip(all_axes, costs, strict=True):
        _boxes(axes, jobs[cost.column], place, len(nodes), cost)
    counts = jobs["node"].value_counts()
    all_axes[0].set_yticks(
        range(len(nodes)), [f"{text}  ({counts[node]:,})" for text, node in zip(labels, nodes, strict=True)]
    )
    all_axes[0].set_ylim(len(nodes) - 0.5, -0.5)
    return _sums(jobs, nodes, costs)


def _sums(jobs: pd.DataFrame, nodes: list[str], costs: list[_Cost]) -> list[str]:
    lines = []
    for node in nodes:
        rows = jobs[jobs["node"] == node]
        sums = [f"{duration(float(rows[c.column].sum()))} {c.name}" for c in costs if c.text is duration]
        if sums:
            lines.append(f"{clean(node)}: {', '.join(sums)} in all")
    return lines


def _by_parameter(figure: Any, jobs: pd.DataFrame, parameter: Varied, costs: list[_Cost]) -> list[str]:
    import pandas as pd

    all_axes = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    codes, levels = pd.Series(parameter.codes), list(parameter.levels)
    if len(levels) > _MOST_LEVELS:
        codes, levels = _condensed(parameter)
    labels = short_labels(levels, _LABEL_WIDTH)
    for axes, cost in zip(all_axes, costs, strict=True):
        _boxes(axes, jobs[cost.column], codes, len(levels), cost)
    all_axes[0].set_yticks(range(len(levels)), labels)
    all_axes[0].set_ylim(len(levels) - 0.5, -0.5)
    all_axes[0].set_ylabel(shortened(clean(parameter.name), 40))
    return full_texts(levels, labels)


def _condensed(parameter: Varied) -> tuple[pd.Series, list[str]]:
    """Ten ranges of numbers; of other values the most frequent ones, the rest together."""
    import pandas as pd

    codes = pd.Series(parameter.codes)
    if parameter.numbers is not None:
        ranges = pd.qcut(pd.Series(parameter.numbers), 10, duplicates="drop")
        names = [f"{one.left:.4g} to {one.right:.4g}" for one in ranges.cat.categories]
        return ranges.cat.codes.where(ranges.notna()), names
    kept = sorted(codes.value_counts().index[: _MOST_LEVELS - 1])
    places = codes.map({code: i for i, code in enumerate(kept)}).fillna(len(kept))
    return places, [
        *(parameter.levels[code] for code in kept),
        f"{len(parameter.levels) - len(kept):,} others",
    ]


def _boxes(axes: Any, column: pd.Series, places: pd.Series, n: int, cost: _Cost) -> None:
    """A box and the points of each place, along an axis of durations or amounts."""
    import numpy as np
    import pandas as pd
    from matplotlib.ticker import FuncFormatter

    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    known = np.isfinite(values) & places.notna().to_numpy()
    values, at = values[known], places.to_numpy(dtype=float, na_value=np.nan)[known]
    kind = metric_scale(values)
    set_scale(axes.xaxis, kind, values)
    jitter = np.random.default_rng(0).uniform(-0.26, 0.26, len(values))
    axes.scatter(
        values, at + jitter, s=7, alpha=0.5 if len(values) < RASTER else 0.15, color="#0173b2", linewidths=0,
        rasterized=len(values) > RASTER, zorder=2,
    )  # fmt: skip
    groups = [values[at == i] for i in range(n)]
    boxes(axes, groups)
    if kind == "linear":
        axes.set_xlim(left=0)
    axes.set_xticks(_ticks(cost, *axes.get_xlim(), log=kind == "log"))
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: cost.text(value)))
    axes.tick_params("x", labelsize=8)
    axes.set_xlabel(cost.name)
    axes.grid(False, axis="y")


def _ticks(cost: _Cost, low: float, high: float, *, log: bool) -> list[float]:
    """At most six round times or amounts within a range, evenly spread along its axis."""
    if log:
        inside = [
            one for one in (_ROUND_SECONDS if cost.text is duration else _ROUND_BYTES) if low <= one <= high
        ]
        return inside[:: -(-len(inside) // _MOST_TICKS) or 1]
    steps = (
        one * many for one in (_ROUND_SECONDS if cost.text is duration else _ROUND_BYTES) for many in (1, 2)
    )
    step = next((one for one in sorted(steps) if high / one <= _MOST_TICKS), high)
    return [i * step for i in range(int(high / step) + 1)] if step > 0 else []
