"""A parameter against a metric: points and medians along numbers, boxes and points for anything else.

Draws on the axes it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from kwdag.metrics import Metric
from kwdag.report.labels import clean, safe_name, short_labels, shortened
from kwdag.report.plots.canvas import DARK, Picture, set_scale, tick_values
from kwdag.report.plots.marks import add_legend, boxes, full_texts, points
from kwdag.report.plots.view import View, label
from kwdag.report.varied import Varied, metric_scale, scale

if TYPE_CHECKING:
    import pandas as pd

_MOST_LEVELS = 24
_LABEL_WIDTH = 42
_FEW = 16


def pictures(view: View) -> Iterator[Picture]:
    """One picture for each varied parameter and primary metric."""
    for metric in view.primary:
        for parameter in view.parameters:
            yield _picture(view, parameter, metric)


def _picture(view: View, parameter: Varied, metric: Metric) -> Picture:
    drawn = _numeric if parameter.numbers is not None else _categorical
    rows = min(len(parameter.levels), _MOST_LEVELS)
    size = (7.5, 4.2) if parameter.numbers is not None else (7.5, 1.2 + 0.36 * rows)
    return Picture(
        name=safe_name("param", parameter.name, metric.name),
        title=f"{view.node}: {metric.name} by {parameter.name}",
        draw=partial(drawn, view=view, parameter=parameter, metric=metric),
        size=size,
    )


def _frame(view: View, parameter: Varied, metric: Metric) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(
        {"code": parameter.codes, "y": view.values(metric), "region": view.regions.to_numpy()}
    )
    if parameter.numbers is not None:
        frame["x"] = parameter.numbers
    return frame.dropna()


# -- numbers ---------------------------------------------------------------------------------------


def _numeric(figure: Any, view: View, parameter: Varied, metric: Metric) -> list[str]:
    import numpy as np

    axes = figure.subplots()
    frame = _frame(view, parameter, metric)
    kind = scale(frame["x"].to_numpy())
    set_scale(axes.xaxis, kind, frame["x"])
    set_scale(axes.yaxis, metric_scale(frame["y"].to_numpy()), frame["y"])
    points(axes, view, frame.assign(x=_jittered(frame["x"], kind)))
    _medians(axes, frame)
    add_legend(axes)
    distinct = np.unique(frame["x"])
    if len(distinct) <= _FEW:
        tick_values(axes, distinct)
    axes.set(xlabel=shortened(clean(parameter.name), 70), ylabel=label(metric))
    notes = view.missing(view.values(metric), metric.name)
    return notes + (view.missing(parameter.numbers, parameter.name) if parameter.numbers is not None else [])


def _jittered(x: pd.Series, kind: str) -> Any:
    """Values that many rows share, spread a little so that the points do not hide each other."""
    import numpy as np

    distinct = np.unique(x)
    if len(distinct) > _FEW or len(distinct) == len(x) or len(distinct) < 2:
        return x
    random = np.random.default_rng(0).uniform(-1, 1, len(x))
    if kind == "linear":
        return x + random * 0.12 * np.diff(distinct).min()
    positive = distinct[distinct > 0]
    step = np.diff(np.log(positive)).min() if len(positive) > 1 else 1.0
    smallest = positive.min() * 0.2 if len(positive) else 0.0
    return np.where(x > 0, x * np.exp(random * min(0.12 * step, 0.3)), x + random * smallest)


def _medians(axes: Any, frame: pd.DataFrame) -> None:
    """The median over all regions at each value; of many values, in each of 16 equal shares of the rows."""
    import numpy as np
    import pandas as pd

    if frame["x"].nunique() < 2:
        return
    share = frame["x"]
    if frame["x"].nunique() > _FEW:
        share = pd.qcut(frame["x"].rank(method="first"), _FEW, labels=False)
    groups = frame.groupby(share)
    x, y = groups["x"].median(), groups["y"].quantile(np.array([0.25, 0.5, 0.75])).unstack()
    axes.fill_between(x, y[0.25], y[0.75], color=DARK, alpha=0.1, linewidth=0, zorder=1)
    axes.plot(
        x, y[0.5], color=DARK, linewidth=1.8, marker="o", markersize=4.5, label="median, quartiles", zorder=4
    )


# -- anything else ---------------------------------------------------------------------------------


def _categorical(figure: Any, view: View, parameter: Varied, metric: Metric) -> list[str]:
    axes = figure.subplots()
    frame = _frame(view, parameter, metric)
    set_scale(axes.xaxis, metric_scale(frame["y"].to_numpy()), frame["y"])
    medians = frame.groupby("code")["y"].median()
    order = medians.sort_values(ascending=not metric.maximize).index[:_MOST_LEVELS].tolist()
    few = frame[frame["code"].isin(order)]
    boxes(axes, [few["y"][few["code"] == code].to_numpy() for code in order])
    _strip(axes, view, few, order)
    texts = [parameter.levels[code] for code in order]
    labels = short_labels(texts, _LABEL_WIDTH)
    counts = few["code"].value_counts()
    axes.set_yticks(
        range(len(order)), [f"{text}  ({counts[code]:,})" for text, code in zip(labels, order, strict=True)]
    )
    axes.set(xlabel=label(metric), ylabel="", ylim=(len(order) - 0.5, -0.5))
    axes.grid(False, axis="y")
    return [
        *_left_out(parameter, order),
        *view.missing(view.values(metric), metric.name),
        *full_texts(texts, labels),
    ]


def _strip(axes: Any, view: View, few: pd.DataFrame, order: list[int]) -> None:
    """The rows as points over the boxes."""
    import numpy as np

    place = few["code"].map({code: i for i, code in enumerate(order)})
    jitter = np.random.default_rng(0).uniform(-0.24, 0.24, len(few))
    points(axes, view, few.assign(x=few["y"], y=place + jitter))
    add_legend(axes)


def _left_out(parameter: Varied, order: list[int]) -> list[str]:
    rest = len(parameter.levels) - len(order)
    return (
        [f"The {len(order)} values with the best medians; {rest:,} more are not shown."] if rest > 0 else []
    )
