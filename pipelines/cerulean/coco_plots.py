"""The plots of a dataset's tables: instances and pixels per class, areas, and what each scene holds.

Drawn by matplotlib without a display; the same tables give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cerulean.palette import SHADES, colour, hexadecimal

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHADES = tuple(hexadecimal(shade) for shade in SHADES)
_MOST_SCENES = 60  # more bars than that cannot be read; the table has them all


def draw_instances(path: Path, classes: pd.DataFrame) -> None:
    """Bars of instances, and of the share of slick pixels, for each class, one shade for each dataset.

    Args:
        classes: of `coco_tables.by_class`.
    """
    figure, (left, right) = _figure(11, 4, columns=2)
    names = list(dict.fromkeys(classes["class"]))
    datasets = list(dict.fromkeys(classes["dataset"]))
    for axes, column, label in ((left, "instances", "instances"), (right, "share", "share of slick pixels")):
        for number, dataset in enumerate(datasets):
            rows = classes[classes["dataset"] == dataset].set_index("class").reindex(names)
            width = 0.8 / len(datasets)
            places = [place - 0.4 + width * (number + 0.5) for place in range(len(names))]
            bars = axes.bar(places, rows[column].fillna(0), width, color=_SHADES[number % len(_SHADES)],
                            label=dataset)  # fmt: skip
            if len(datasets) <= 3:
                axes.bar_label(bars, fmt="{:g}" if column == "instances" else "{:.2f}", fontsize=7)
        axes.set_xticks(range(len(names)), names, rotation=20, ha="right")
        axes.set_ylabel(label)
    if len(datasets) > 1:
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8)
    _save(figure, path)


def draw_areas(path: Path, instances: pd.DataFrame, names: Sequence[str]) -> None:
    """The area of every instance, a row for each class, with the median as a line.

    Args:
        instances: of `coco_tables.instances`.
        names: classes from top to bottom.
    """
    import numpy as np

    figure, (axes,) = _figure(9, 1.2 + 0.5 * max(len(names), 1))
    places = np.random.default_rng(4)  # spreads points that would hide each other
    for row, name in enumerate(names):
        areas = instances.loc[instances["class"] == name, "area"]
        areas = areas[areas > 0]
        if not len(areas):
            continue
        axes.scatter(
            areas,
            row + places.uniform(-0.25, 0.25, len(areas)),
            s=14,
            color=hexadecimal(colour(name)),
            edgecolors="#333333",
            linewidths=0.3,
        )
        axes.vlines(areas.median(), row - 0.4, row + 0.4, color="black", linewidth=1.5)
    axes.set_xscale("log")
    for formatted in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        formatted("{x:g}")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("area of an instance in pixels; a line at the median")
    _save(figure, path)


def draw_scenes(path: Path, scenes: pd.DataFrame) -> None:
    """Tiles of each scene, with and without slick; the scenes with the most tiles where there are too many.

    Args:
        scenes: of `coco_tables.by_scene`.
    """
    shown = scenes.sort_values("tiles", ascending=False, kind="stable").head(_MOST_SCENES).sort_index()
    figure, (axes,) = _figure(10, 1.5 + 0.22 * max(len(shown), 3))
    without = shown["tiles_without_slick"]
    with_slick = shown["tiles"] - without
    places = range(len(shown))
    axes.barh(places, with_slick, color=_SHADES[0], label="with slick")
    axes.barh(places, without, left=with_slick, color="#bbbbbb", label="without")
    several = shown["dataset"].nunique() > 1
    labels = [f"{row['dataset']}  {row['scene']}" if several else row["scene"] for _, row in shown.iterrows()]
    axes.set_yticks(places, labels, fontsize=6)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    more = len(scenes) - len(shown)
    axes.set_xlabel(
        "tiles" + (f" (the {len(shown)} largest scenes; {more} more in scenes.csv)" if more else "")
    )
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    _save(figure, path)


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Inches; not registered with pyplot, so it needs no display and no closing."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    several: Any = figure.subplots(1, columns, squeeze=False)[0]
    for axes in several:
        axes.grid(color="#dddddd", linewidth=0.5)
        axes.set_axisbelow(True)
    return figure, list(several)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=100, metadata={"Software": None})
