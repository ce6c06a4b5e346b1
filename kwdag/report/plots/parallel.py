"""All varied parameters side by side, a line for each row, coloured by the first metric with the best on top.

Draws on the axes it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from kwdag.metrics import Metric
from kwdag.report.labels import clean, last_parts, safe_name, short_labels, shortened
from kwdag.report.plots.canvas import RASTER, Picture, number
from kwdag.report.plots.marks import full_texts
from kwdag.report.plots.view import View, label
from kwdag.report.varied import Varied, metric_scale, scale

if TYPE_CHECKING:
    from kwdag.report.varied import Floats

_MOST_AXES = 10
_MOST_TICKS = 12
_LABEL_WIDTH = 16


def pictures(view: View) -> Iterator[Picture]:
    """One picture for the first primary metric."""
    if not view.primary or not view.parameters:
        return
    metric, shown = view.primary[0], view.parameters[:_MOST_AXES]
    yield Picture(
        name=safe_name("parallel", metric.name),
        title=f"{view.node}: {metric.name} and what varied",
        draw=partial(_draw, view=view, metric=metric, shown=shown),
        size=(max(7.5, 1.45 * (len(shown) + 1) + 0.8), 4.8),
    )


def _draw(figure: Any, view: View, metric: Metric, shown: tuple[Varied, ...]) -> list[str]:
    import numpy as np

    axes = figure.subplots()
    values = view.values(metric)
    known = np.isfinite(values)
    heights = [_height(one)[known] for one in shown] + [_scaled(values[known], metric_scale(values[known]))]
    _lines(figure, axes, np.column_stack(heights), values[known], metric)
    notes = [note for i, one in enumerate(shown) for note in _ticks(axes, i, one)]
    _metric_ticks(axes, len(shown), values[known])
    names = last_parts([clean(one.name) for one in shown]) + [clean(metric.name)]
    names = [shortened(name, 22) for name in names]
    axes.set_xticks(range(len(names)), names, rotation=18, ha="right", rotation_mode="anchor")
    axes.set(ylim=(-0.06, 1.06), xlim=(-0.35, len(shown) + 0.45), yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    left_out = view.parameters[len(shown) :]
    more = (
        [f"Weaker parameters that are not shown: {', '.join(one.name for one in left_out)}."]
        if left_out
        else []
    )
    return [*more, *view.missing(values, metric.name), *dict.fromkeys(notes)]


def _height(parameter: Varied) -> Floats:
    """Where each row crosses the parameter's axis, from 0 to 1; a missing number lies at the bottom."""
    import numpy as np

    if parameter.numbers is None or len(parameter.levels) <= _MOST_TICKS:
        return parameter.codes / max(1, len(parameter.levels) - 1)
    return np.nan_to_num(_scaled(parameter.numbers, scale(parameter.numbers)), nan=-0.04)


def _scaled(numbers: Floats, kind: str) -> Floats:
    import numpy as np

    if kind != "linear":
        floor = numbers[numbers > 0].min() / 10
        numbers = np.log(np.maximum(numbers, floor))
    finite = numbers[np.isfinite(numbers)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
    return (np.clip(numbers, low, high) - low) / (high - low) if high > low else np.full(len(numbers), 0.5)


def _lines(figure: Any, axes: Any, heights: Any, values: Floats, metric: Metric) -> None:
    """Curves from axis to axis; a little jitter shows how many rows share a value."""
    import numpy as np
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LogNorm, Normalize

    order = np.argsort(values if metric.maximize else -values, kind="stable")
    n = len(order)
    heights = heights[order] + np.random.default_rng(0).uniform(-0.02, 0.02, heights.shape)
    x = np.arange(heights.shape[1])
    segments = np.stack([np.broadcast_to(x, heights.shape), heights], axis=2)
    kind = LogNorm if n and metric_scale(values) == "log" else Normalize
    norm = kind(values.min(), values.max()) if n else Normalize()
    colours = ScalarMappable(norm, "viridis" if metric.maximize else "viridis_r")
    alpha = np.clip(np.linspace(0.25, 1.0, n) ** 2, 0.06, 1) * min(1.0, max(0.12, 300 / max(n, 1)))
    rgba = colours.to_rgba(values[order])
    rgba[:, 3] = np.where(np.arange(n) >= n - 20, 0.95, alpha)
    widths = np.where(np.arange(n) >= n - 5, 2.2, 0.8)
    axes.add_collection(LineCollection(list(segments), colors=rgba, linewidths=widths, rasterized=n > RASTER))
    bar = figure.colorbar(colours, ax=axes, pad=0.01, fraction=0.04, aspect=30, format=number)
    bar.set_label(label(metric))
    bar.outline.set_visible(False)


def _ticks(axes: Any, place: int, parameter: Varied) -> list[str]:
    """The axis of one parameter with its values; returns those that had to be shortened."""
    axes.axvline(place, color="#666666", linewidth=0.9, zorder=3)
    levels = list(parameter.levels)
    if len(levels) > _MOST_TICKS:
        if parameter.numbers is not None:
            return _metric_ticks(axes, place, parameter.numbers)
        step = -(-len(levels) // _MOST_TICKS)
        picked = levels[::step]
    else:
        picked, step = levels, 1
    labels = short_labels(picked, _LABEL_WIDTH)
    for i, text in enumerate(labels):
        _tick(axes, place, i * step / max(1, len(levels) - 1), text)
    return full_texts(picked, labels)


def _metric_ticks(axes: Any, place: int, numbers: Floats) -> list[str]:
    """The smallest and the largest number at the ends of an axis."""
    import numpy as np

    axes.axvline(place, color="#666666", linewidth=0.9, zorder=3)
    finite = numbers[np.isfinite(numbers)]
    for height, value in ((0, finite.min()), (1, finite.max())) if len(finite) else ():
        _tick(axes, place, height, number(float(f"{value:.4g}")))
    return []


def _tick(axes: Any, place: int, height: float, text: str) -> None:
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8}
    axes.text(place + 0.03, height, text, size=7, va="center", zorder=5, bbox=box)
