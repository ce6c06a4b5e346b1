"""The pictures of a report: of its images, its training, and its scores beside the observations.

How they look stands in report_figures.py, what goes round them in templates/report.html.j2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipelines.fpe.correlations import SPLITS, Correlation, by_split, daily
from pipelines.fpe.report_data import Material, chosen_epoch
from pipelines.fpe.report_figures import (
    GREY,
    STYLES,
    Picture,
    clock_axis,
    cloud,
    label,
    legend,
    plain,
    points,
    value_axis,
    whole_axis,
)
from pipelines.fpe.report_tables import number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BARS = 160
PERIODS = {1: "day", 7: "week", 30: "30 days"}  # that a bar counts, by its days


def inputs(material: Material) -> Picture:
    """How many images there are, and how many were asked about, over time."""
    import pandas as pd

    clock = pd.concat([material.rows["clock"], material.pairs["clock"]])
    first, days = clock.min().normalize(), (clock.max() - clock.min().normalize()).days + 1
    step = next((step for step in PERIODS if days / step <= MOST_BARS), max(PERIODS))
    edges = pd.date_range(first, periods=-(-days // step) + 1, freq=f"{step}D")

    def draw(figure: Figure, wide: bool) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True)
        _bars(top, material.rows, edges)
        _bars(bottom, material.pairs, edges)
        top.set_ylabel(f"images a {PERIODS[step]}")
        bottom.set_ylabel(f"annotated a {PERIODS[step]}")
        clock_axis(bottom, clock, material.timezone)
        legend(figure, wide, top)

    caption = (
        f"Above, the images of each {PERIODS[step]} by split. Below, how many images people were asked about,"
        " an image as often as it stood in a pair."
    )
    return Picture("inputs", caption, "Bars: images and annotations over time", (9.6, 4.2), (4, 4.6), draw)


def losses(material: Material) -> Picture:
    """The losses of each epoch; the epoch is marked whose weights the model has."""
    table, chosen = material.losses, chosen_epoch(material.losses)

    def draw(figure: Figure, wide: bool) -> None:
        axes = figure.subplots()
        for split, line in (("train", "-"), ("val", "--")):
            colour, marker = STYLES[split]
            axes.plot(table["epoch"], table[f"{split}_loss"], line, color=colour, marker=marker, markersize=4,
                      label=split)  # fmt: skip
        if chosen is not None:
            axes.axvline(chosen, color="black", linewidth=0.8, linestyle=":", label=f"chosen: epoch {chosen}")
        whole_axis(axes, "x")
        axes.set(xlabel="epoch", ylabel="loss (cross entropy)")
        legend(figure, wide, axes, 1)

    said = (
        "none has a validation loss" if chosen is None else f"epoch {chosen} was chosen, where val is least"
    )
    caption = f"Loss of pairs in each epoch; {said}."
    return Picture("losses", caption, f"Lines: {caption}", (6.4, 3.3), (4, 3.2), draw)


def series(material: Material) -> Picture:
    """Scores over time, below the observations where there are any."""
    return _series(material, material.rows, "predictions", "one image")


def daily_series(material: Material) -> Picture:
    return _series(material, days_of(material), "daily-series", "the mean of one day's images in a split")


def scatter(material: Material) -> Picture:
    """Score against observation in each split."""
    caption = (
        "A point is one image; grey are the images of all splits. τ is Kendall's, n the images in the split."
    )
    return _scatter(material, material.compared, by_split(material.rows), "scatter", caption)


def daily_scatter(material: Material) -> Picture:
    days = days_of(material)
    caption = "A point is the mean of one day's images in a split. τ is Kendall's, n the days in the split."
    return _scatter(material, days, by_split(days), "daily-scatter", caption)


def ranks(material: Material) -> Picture:
    """Rank of score against rank of observation in each split."""

    def axes_of(axes: Axes) -> None:
        axes.axline((0, 0), slope=1, color="black", linewidth=0.6)
        axes.set(
            xlim=(0, 100), ylim=(0, 100), aspect="equal", xticks=range(0, 101, 25), yticks=range(0, 101, 25)
        )

    caption = (
        f"Ranks among all {len(material.compared):,} images that have both a score and an observation, from 0"
        " (least) to 100 (most); on the line, a score puts its image where the observation does."
    )
    names = ("value_rank", "score_rank")
    texts = ("rank of observation (%)", "rank of score (%)")
    return _panels(material.compared, names, texts, by_split(material.rows), "ranks", caption, axes_of)


def residuals(material: Material) -> Picture:
    """Residuals by date, hour and observed value."""
    rows = material.compared

    def draw(figure: Figure, wide: bool) -> None:
        names = "dd;hv" if wide else "d;h;v"  # by date, hour and value
        axes = figure.subplot_mosaic(names)
        for one in axes.values():
            one.axhline(0, color="black", linewidth=0.6)
            one.set_ylabel("residual (%)")
        points(axes["d"], rows, "clock", "residual", len(rows))
        clock_axis(axes["d"], rows["clock"], material.timezone)
        _by_hour(axes["h"], rows)
        points(axes["v"], rows, "value", "residual", len(rows))
        value_axis(axes["v"], "x", rows["value"], material.variable)
        legend(figure, wide, axes["d"])

    caption = (
        "A residual is the rank of an image's score less the rank of its observation, both from 0 to 100 as"
        " above: +20 says that the score puts the image above 20 % too many of the others. Boxes are the"
        " quartiles of an hour, with its median."
    )
    alt = "Points and boxes: residuals by date, hour of day and observed value"
    return Picture("residuals", caption, alt, (9.6, 4.8), (4, 7.6), draw)


def days_of(material: Material) -> pd.DataFrame:
    """Means of local days in each split: split, clock (the day's midnight), value, score."""
    import pandas as pd

    days = daily(material.rows, material.timezone)
    return days.assign(clock=pd.to_datetime(days["date"]))


def _series(material: Material, rows: pd.DataFrame, name: str, point: str) -> Picture:
    observed = bool(rows["value"].notna().any())

    def draw(figure: Figure, wide: bool) -> None:
        several = figure.subplots(2 if observed else 1, 1, sharex=True, squeeze=False)[:, 0]
        if observed:
            points(several[0], rows.dropna(subset=["value"]), "clock", "value", len(rows))
            value_axis(several[0], "y", rows["value"], material.variable)
        points(several[-1], rows.dropna(subset=["score"]), "clock", "score", len(rows))
        several[-1].set_ylabel("score")
        clock_axis(several[-1], rows["clock"], material.timezone)
        legend(figure, wide, several[-1])

    what = "Above, the observations; below, the scores." if observed else "The scores."
    caption = f"{what} A point is {point}. Only the order of scores has a meaning."
    tall = 4.4 if observed else 2.9
    return Picture(name, caption, f"Points over time: {caption}", (9.6, tall), (4, tall), draw)


def _scatter(
    material: Material, rows: pd.DataFrame, found: dict[str, Correlation], name: str, caption: str
) -> Picture:
    def axes_of(axes: Axes) -> None:
        value_axis(axes, "x", rows["value"], material.variable)

    return _panels(
        rows, ("value", "score"), (label(material.variable), "score"), found, name, caption, axes_of
    )


def _panels(
    rows: pd.DataFrame, names: tuple[str, str], texts: tuple[str, str], found: dict[str, Correlation],
    name: str, caption: str, axes_of: Callable[[Axes], None],
) -> Picture:  # fmt: skip
    """A panel for each split with its points before those of all."""

    def draw(figure: Figure, wide: bool) -> None:
        shape = (1, 4) if wide else (2, 2)
        panels = figure.subplots(*shape, sharex=True, sharey=True, squeeze=False)
        for axes, split in zip(panels.flat, SPLITS, strict=True):
            cloud(axes, rows[names[0]], rows[names[1]], len(rows) * 4, GREY, ".")
            points(axes, rows[rows["split"] == split], *names, len(rows))
            axes_of(axes)
            axes.set(xlabel="", title=f"{split}: τ {number(found[split].tau, 2)}, n {found[split].n:,}")
        figure.supxlabel(plain(texts[0]), fontsize="medium")
        figure.supylabel(texts[1], fontsize="medium")

    alt = f"Points in a panel for each split: {texts[1]} against {texts[0]}"
    return Picture(name, caption, alt, (9.6, 2.7), (4, 4.2), draw)


def _bars(axes: Axes, rows: pd.DataFrame, edges: pd.DatetimeIndex) -> None:
    """How many rows lie between one edge and the next, those of a split upon those of another."""
    from matplotlib.dates import date2num

    names = [split for split in SPLITS if (rows["split"] == split).any()]
    if names:
        # An outline for each split: a shape for each bar would be slow and large.
        axes.hist([date2num(rows.loc[rows["split"] == split, "clock"]) for split in names], date2num(edges),
                  histtype="stepfilled", stacked=True, label=names,
                  color=[STYLES[split].colour for split in names])  # fmt: skip
    whole_axis(axes, "y")


def _by_hour(axes: Axes, rows: pd.DataFrame) -> None:
    hours = {int(hour): some["residual"].to_numpy() for hour, some in rows.groupby(rows["clock"].dt.hour)}
    style: dict[str, Any] = {"widths": 0.6, "showfliers": False, "medianprops": {"color": "black"}}
    axes.boxplot(list(hours.values()), positions=list(hours), manage_ticks=False, **style)
    axes.set_xlim(min(hours) - 0.7, max(hours) + 0.7)
    whole_axis(axes, "x")
    axes.set_xlabel("hour of the local day")
