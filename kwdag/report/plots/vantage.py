"""Two metrics against each other, with the rows that none beats in both.

Draws on the axes it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from kwdag.metrics import Metric
from kwdag.pareto import pareto_front
from kwdag.report.labels import safe_name
from kwdag.report.plots.canvas import FRONT, Picture, set_scale
from kwdag.report.plots.marks import add_legend, points
from kwdag.report.plots.view import View, label
from kwdag.report.varied import metric_scale

if TYPE_CHECKING:
    import pandas as pd


def pictures(view: View) -> Iterator[Picture]:
    """One picture of the two first metrics, if there are two."""
    if len(view.shown) < 2:
        return
    y, x = view.shown[:2]
    yield Picture(
        name=safe_name("vantage", y.name, x.name),
        title=f"{view.node}: {y.name} against {x.name}",
        draw=partial(_draw, view=view, x=x, y=y),
        size=(7.5, 5.2),
    )


def _draw(figure: Any, view: View, x: Metric, y: Metric) -> list[str]:
    import numpy as np
    import pandas as pd

    axes = figure.subplots()
    frame = pd.DataFrame({"x": view.values(x), "y": view.values(y), "region": view.regions.to_numpy()})
    both = (np.isfinite(frame["x"]) & np.isfinite(frame["y"])).to_numpy()
    frame, table = frame[both], view.table[both]
    set_scale(axes.xaxis, metric_scale(frame["x"].to_numpy()), frame["x"])
    set_scale(axes.yaxis, metric_scale(frame["y"].to_numpy()), frame["y"])
    points(axes, view, frame)
    _front(axes, frame[pareto_front(table, (x, y))], x)
    add_legend(axes)
    axes.set(xlabel=label(x), ylabel=label(y))
    rest = int((~both).sum())
    return [f"{rest:,} of {len(both):,} rows lack one of the two and are not shown."] if rest else []


def _front(axes: Any, best: pd.DataFrame, x: Metric) -> None:
    """The border of what has been reached in both metrics, its best x first."""
    best = best.sort_values("x", ascending=not x.maximize)
    axes.plot(
        best["x"], best["y"], color=FRONT, linewidth=1.4, marker="o", markersize=6, markerfacecolor="none",
        markeredgewidth=1.4, label=f"Pareto front ({len(best)})", zorder=4, drawstyle="steps-post",
    )  # fmt: skip
