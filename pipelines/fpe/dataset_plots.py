"""The three pictures of a dataset: observations with the images on them, annotations over time.

Drawn by matplotlib without a display; the same tables give the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by colour-blind readers too.
GREEN, ORANGE, BLUE, GREY = "#009e73", "#d55e00", "#0072b2", "#999999"
RANK_COLOURS = {"LEFT": BLUE, "RIGHT": ORANGE, "SAME": GREEN, "UNKNOWN": GREY}


def draw_images(
    path: Path, title: str, variable: str, images: pd.DataFrame, observed: pd.DataFrame, timezone: ZoneInfo
) -> None:
    """Observations as a line, broken where there is a gap, images on it; those without a value at its foot.

    Args:
        images: as in images.csv; times in UTC are drawn by the clock of ``timezone``.
        observed: one row for each time, as `interpolation.averaged` gives it.
    """
    figure, axes = _figure(title, 9, 4)
    if len(observed):
        usual = observed["timestamp"].diff().median()
        broken = observed["timestamp"].diff() > 4 * usual
        axes.plot(_local(observed["timestamp"], timezone), observed["value"].mask(broken), color=GREY,
                  linewidth=0.8, zorder=1)  # fmt: skip
    known = images["value"].notna()
    foot = float(observed["value"].min()) if len(observed) else 0.0
    for chosen, label, colour in ((known, "value", BLUE), (~known, "no value", ORANGE)):
        times = _local(images.loc[chosen, "timestamp"], timezone)
        name = f"images with {label}: {int(chosen.sum())}"
        axes.scatter(times, images.loc[chosen, "value"].fillna(foot), s=4, color=colour, label=name, zorder=2)
    low, high = observed["value"].min(), observed["value"].max()
    if low > 0 and high > 20 * low:  # floods are a hundred times what is usual
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel(variable)
    _legend(axes)
    _dates(axes.xaxis, timezone)
    _save(figure, path)


def draw_cumulated(path: Path, title: str, annotations: pd.DataFrame, timezone: ZoneInfo) -> None:
    """How many images have been annotated up to each time, an image as often as it was."""
    import pandas as pd

    figure, axes = _figure(title, 9, 4)
    times = pd.concat([annotations["left.timestamp"], annotations["right.timestamp"]]).sort_values()
    axes.step(_local(times, timezone), range(1, len(times) + 1), where="post", color=BLUE)
    axes.set_ylabel("annotated images, cumulated")
    axes.set_ylim(bottom=0)
    _dates(axes.xaxis, timezone)
    _save(figure, path)


def draw_scatter(path: Path, title: str, annotations: pd.DataFrame, timezone: ZoneInfo) -> None:
    """The two times of each pair, coloured by the answer."""
    figure, axes = _figure(title, 6.5, 6.5)
    for rank, colour in RANK_COLOURS.items():
        chosen = annotations[annotations["rank"] == rank]
        left, right = (_local(chosen[f"{side}.timestamp"], timezone) for side in ("left", "right"))
        axes.scatter(left, right, s=6, color=colour, label=f"{rank}: {len(chosen)}")
    axes.set(xlabel="left image", ylabel="right image", aspect="equal")
    _legend(axes)
    _dates(axes.xaxis, timezone)
    _dates(axes.yaxis, timezone)
    _save(figure, path)


def _figure(title: str, width: float, height: float) -> tuple[Figure, Axes]:
    """Inches; not registered with pyplot, so it needs no display and no closing."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=10)
    axes.grid(color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
    return figure, axes


def _local(times: pd.Series, timezone: ZoneInfo) -> Any:
    return times.dt.tz_convert(timezone)


def _dates(axis: Any, timezone: ZoneInfo) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(tz=timezone)
    axis.set_major_locator(locator)
    axis.set_major_formatter(ConciseDateFormatter(locator, tz=timezone))


def _legend(axes: Axes) -> None:
    axes.figure.legend(loc="outside lower center", ncols=4, fontsize=8, markerscale=2)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=100, metadata={"Software": None})
