"""The mean of a metric for each pair of values of the two strongest parameters; missing cells are marked.

Draws on the axes it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from kwdag.metrics import Metric
from kwdag.report.labels import clean, safe_name, short_labels, shortened
from kwdag.report.plots.canvas import Picture, number
from kwdag.report.plots.marks import full_texts
from kwdag.report.plots.view import View, label
from kwdag.report.varied import Varied

if TYPE_CHECKING:
    import pandas as pd

_MOST_LEVELS = 16
_RANGES = 10
_MOST_ANNOTATED = 12
_LABEL_WIDTH = 34
_LONG = 7


@dataclass(frozen=True, eq=False, slots=True)
class _Side:
    """One side of the map: where each row lies on it (NaN for nowhere), the labels of the places, notes."""

    title: str
    places: pd.Series
    labels: list[str]
    notes: list[str]


def pictures(view: View) -> Iterator[Picture]:
    """One picture for each primary metric, if two parameters varied."""
    if len(view.parameters) < 2:
        return
    across, down = sorted(view.parameters[:2], key=_bulk)
    rows, columns = (min(len(one.levels), _MOST_LEVELS) for one in (down, across))
    for metric in view.primary:
        yield Picture(
            name=safe_name("heatmap", down.name, across.name, metric.name),
            title=f"{view.node}: mean {metric.name} by {down.name} and {across.name}",
            draw=partial(_draw, view=view, down=down, across=across, metric=metric),
            size=(max(6.0, 3.2 + 0.62 * columns), max(3.0, 1.6 + 0.36 * rows)),
        )


def _bulk(parameter: Varied) -> tuple[bool, int]:
    """Long labels go down the side, then many of them."""
    return max(map(len, parameter.levels)) > _LONG, min(len(parameter.levels), _MOST_LEVELS)


def _draw(figure: Any, view: View, down: Varied, across: Varied, metric: Metric) -> list[str]:
    import pandas as pd

    values = pd.Series(view.values(metric))
    left, below = _side(down, values, metric), _side(across, values, metric)
    groups = values.groupby([left.places, below.places])
    rows, columns = range(len(left.labels)), range(len(below.labels))
    means, counts = (
        f.unstack().reindex(index=rows, columns=columns) for f in (groups.mean(), groups.count())
    )
    axes = figure.subplots()
    _map(axes, means, metric)
    _mark_missing(axes, means)
    axes.set(xlabel=below.title, ylabel=left.title)
    axes.set_yticks([i + 0.5 for i in rows], left.labels, rotation=0)
    slanted = max(map(len, below.labels), default=0) > _LONG
    turned = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks([i + 0.5 for i in columns], below.labels, **turned)
    return [_key(means, counts), *left.notes, *below.notes]


def _side(parameter: Varied, values: pd.Series, metric: Metric) -> _Side:
    """Numbers with many values in ranges; of many other values the best ones."""
    import pandas as pd

    title = shortened(clean(parameter.name), 60)
    if parameter.numbers is not None and len(parameter.levels) > _MOST_LEVELS:
        numbers = pd.Series(parameter.numbers)
        ranges = pd.qcut(numbers, _RANGES, duplicates="drop")
        low = float(numbers.min())  # the first range begins a little below it
        labels = [f"{number(max(low, one.left))} to {number(one.right)}" for one in ranges.cat.categories]
        return _Side(title, ranges.cat.codes.where(ranges.notna()), labels, [])
    codes = pd.Series(parameter.codes)
    kept = list(range(len(parameter.levels)))
    if len(kept) > _MOST_LEVELS:
        medians = values.groupby(codes).median().sort_values(ascending=not metric.maximize)
        kept = sorted(int(code) for code in medians.index[:_MOST_LEVELS])
    texts = [parameter.levels[code] for code in kept]
    labels = short_labels(texts, _LABEL_WIDTH)
    rest = len(parameter.levels) - len(kept)
    more = [f"{parameter.name}: the {len(kept)} best values; {rest:,} more are not shown."] if rest else []
    places = codes.map({code: i for i, code in enumerate(kept)})
    return _Side(title, places, labels, more + full_texts(texts, labels))


def _map(axes: Any, means: pd.DataFrame, metric: Metric) -> None:
    import numpy as np
    import seaborn

    texts = means.map(lambda value: "" if np.isnan(value) else number(float(f"{value:.3g}")))
    seaborn.heatmap(
        means.to_numpy(float), ax=axes, cmap="viridis" if metric.maximize else "viridis_r", linewidths=0.8,
        annot=texts.to_numpy() if means.shape[1] <= _MOST_ANNOTATED else None, fmt="",
        annot_kws={"size": 7.5}, cbar_kws={"label": label(metric), "format": number},
    )  # fmt: skip


def _mark_missing(axes: Any, means: pd.DataFrame) -> None:
    import numpy as np
    from matplotlib.patches import Rectangle

    look: dict[str, Any] = {"facecolor": "#f2f2f2", "edgecolor": "#bbbbbb", "hatch": "///", "linewidth": 0}
    for row, column in np.argwhere(means.isna().to_numpy()):
        axes.add_patch(Rectangle((column, row), 1, 1, **look))


def _key(means: pd.DataFrame, counts: pd.DataFrame) -> str:
    """On how many rows a cell stands, and what the marks mean."""
    some = counts.to_numpy(float)[counts.to_numpy(float) > 0]
    span = " to ".join(f"{rows:,.0f}" for rows in sorted({some.min(), some.max()})) if len(some) else "no"
    text = f"{span} {'row' if span == '1' else 'rows'} a cell.".capitalize()
    missing = int(means.isna().to_numpy().sum())
    return f"{text} Hatched: {missing} cells without a finite value." if missing else text
