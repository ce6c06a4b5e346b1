"""What several pictures put on their axes: points, boxes, the legend beside them, whole texts below.

Knows nothing of parameters and metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kwdag.report.plots.canvas import DARK, RASTER
from kwdag.report.plots.view import View

if TYPE_CHECKING:
    import pandas as pd


def points(axes: Any, view: View, frame: pd.DataFrame) -> None:
    """The rows of a frame with columns x, y and region, coloured by region."""
    colours, markers = view.colours(), view.markers()
    alpha = 0.75 if len(frame) < 300 else 0.45 if len(frame) < RASTER else 0.2
    size = 26 if len(frame) < 300 else 14 if len(frame) < RASTER else 7
    for region in sorted(frame["region"].unique()):
        rows = frame[frame["region"] == region]
        axes.scatter(
            rows["x"], rows["y"], s=size, alpha=alpha, color=colours[region], marker=markers[region],
            linewidths=0, label=region, rasterized=len(frame) > RASTER, zorder=2,
        )  # fmt: skip


def boxes(axes: Any, groups: Sequence[Any]) -> None:
    """A lying box for each group of numbers, from the top down; single rows are drawn apart, as points."""
    line = {"color": DARK}
    axes.boxplot(
        groups, positions=range(len(groups)), orientation="horizontal", widths=0.62, showfliers=False,
        manage_ticks=False, patch_artist=True, zorder=1.5,
        boxprops={"facecolor": "#e6e6e6", "edgecolor": DARK}, whiskerprops=line, capprops=line,
        medianprops=line | {"linewidth": 2, "zorder": 3},
    )  # fmt: skip


def add_legend(axes: Any) -> None:
    """Names of the colours, beside the axes."""
    if not axes.get_legend_handles_labels()[1]:
        return
    legend = axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, fontsize=8)
    for handle in legend.legend_handles:
        handle.set_alpha(1)
        if hasattr(handle, "set_sizes"):
            handle.set_sizes([26])  # of thousands of rows the points are too small to name a colour


def full_texts(texts: list[str], labels: list[str]) -> list[str]:
    """The whole of each text that was shortened."""
    return [f"{name} = {text}" for text, name in zip(texts, labels, strict=True) if text != name]
