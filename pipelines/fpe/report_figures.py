"""How every picture of a report looks: sizes, colours, axes, and SVG text that can stand in a page.

What is drawn stands in report_plots.py. Drawn by matplotlib without a display; same data, same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.fpe.correlations import SPLITS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_SHAPES = 1000  # points of a picture; more become an image within the SVG, or the page would be huge
DOTS = 150  # per inch, of such an image
GREY = "#c4c4c4"
# Of ticks at years, months, days, hours, minutes, seconds; and of those at the first in the next longer.
FORMATS = ["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%S"]
STARTS = ["", "%b %Y", "%d %b", "%d %b", "%H:%M", "%H:%M"]


class Style(NamedTuple):
    colour: str
    marker: str


# After Okabe and Ito and P. Tol: apart for colour-blind readers, and from dark to light on grey paper.
STYLES = {
    "train": Style("#0072b2", "o"),
    "val": Style("#e69f00", "s"),
    "test-in": Style("#009e73", "^"),
    "test-out": Style("#882255", "D"),
}
LABELS = {
    "FLOW_CFS": "flow (ft³/s)", "STAGE_FT": "stage (ft)", "WTEMP_C": "water temperature (°C)",
    "ATEMP_C": "air temperature (°C)",
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """What is drawn twice: for a wide page and paper, and for a phone.

    Attributes:
        name: of letters and -, no other picture's.
        caption: a plain sentence or two.
        alt: what it shows, for who cannot see it.
        wide, narrow: width and height in inches.
        draw: draws in a figure, whether it is wide.
    """

    name: str
    caption: str
    alt: str
    wide: tuple[float, float]
    narrow: tuple[float, float]
    draw: Callable[[Figure, bool], None]

    def svg(self, wide: bool) -> str:
        """An svg element whose ids are its own, so that several can stand in one page."""
        import matplotlib

        name = f"{self.name}-{'wide' if wide else 'narrow'}"
        with matplotlib.rc_context(_rules(name, wide)):
            from matplotlib.figure import Figure

            figure = Figure(figsize=self.wide if wide else self.narrow, layout="constrained")
            self.draw(figure, wide)
            file = io.StringIO()
            figure.savefig(file, format="svg", dpi=DOTS, metadata=dict.fromkeys(("Date", "Creator")))
        return _in_page(file.getvalue(), name)


def label(variable: str) -> str:
    """A variable with its unit; its code where that is not known."""
    return LABELS.get(variable, variable)


def plain(text: str) -> str:
    """For matplotlib, which takes what stands between two $ for mathematics."""
    return text.replace("$", r"\$")


def points(axes: Axes, rows: pd.DataFrame, x: str, y: str, many: int) -> None:
    """The rows of each split in its colour and shape; ``many`` is how many the whole picture has."""
    for split in SPLITS:
        some = rows[rows["split"] == split]
        if len(some):
            cloud(axes, some[x], some[y], many, *STYLES[split], label=split)


def cloud(axes: Axes, x: Any, y: Any, many: int, colour: str, marker: str, **more: Any) -> None:
    size = 9 if many <= MOST_SHAPES or colour == GREY else 5
    axes.scatter(
        x, y, s=size, color=colour, marker=marker, linewidths=0, rasterized=many > MOST_SHAPES, **more
    )


def legend(figure: Figure, wide: bool, axes: Axes, scale: float = 2) -> None:
    """One below the whole picture, of what is drawn in ``axes``."""
    named = {str(handle.get_label()): handle for handle in axes.get_legend_handles_labels()[0]}
    order = [name for name in SPLITS if name in named] + [name for name in named if name not in SPLITS]
    figure.legend(
        [named[name] for name in order], order, loc="outside lower center", ncols=4 if wide else 2,
        markerscale=scale, frameon=False,
    )  # fmt: skip


def clock_axis(axes: Axes, clock: pd.Series, timezone: str) -> None:
    """The horizontal axis shows local times, which stand in ``clock`` without a zone."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    named = ConciseDateFormatter(locator, formats=FORMATS, zero_formats=STARTS, show_offset=False)
    axes.xaxis.set_major_formatter(named)
    first, last = clock.min().year, clock.max().year
    years = str(first) if first == last else f"{first} to {last}"
    axes.set_xlabel(f"local time ({timezone}), {years}")


def whole_axis(axes: Axes, which: str) -> None:
    """The axis ``which``, x or y, has no ticks between whole numbers."""
    from matplotlib.ticker import MaxNLocator

    getattr(axes, f"{which}axis").set_major_locator(MaxNLocator(integer=True))


def value_axis(axes: Axes, which: str, values: pd.Series, variable: str) -> None:
    """The axis ``which``, x or y, is that of the observations: logarithmic for flows above 0."""
    axis = getattr(axes, f"{which}axis")
    axis.set_label_text(plain(label(variable)))
    low, high = values.min(), values.max()
    if not variable.startswith("FLOW") or not low > 0:
        return
    from matplotlib.ticker import LogLocator, NullLocator

    getattr(axes, f"set_{which}scale")("log")
    ticks = (1, 2, 5) if high < 30 * low else (1, 3) if high < 3000 * low else (1,)
    axis.set_major_locator(LogLocator(subs=ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")


def _rules(name: str, wide: bool) -> Any:
    size = 10 if wide else 9
    return {
        "svg.hashsalt": name, "svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": size,
        "axes.titlesize": size, "axes.labelsize": size, "legend.fontsize": size, "xtick.labelsize": size - 1,
        "ytick.labelsize": size - 1, "axes.grid": True, "axes.axisbelow": True, "grid.color": "#dddddd",
        "grid.linewidth": 0.5, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6,
        "axes.titlelocation": "left", "date.converter": "concise", "figure.facecolor": "none",
    }  # fmt: skip


def _in_page(text: str, name: str) -> str:
    """The svg element alone; texts in it are escaped by matplotlib, so that quotes stand in markup only."""
    element = text[text.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>\s*", "", element, count=1, flags=re.DOTALL)
    element = re.sub(r'\b(id="|href="#|url\(#)', rf"\1{name}-", element)
    return re.sub(r"font: ([\d.]+)px [^;\"]*", r"font: \1px 'DejaVu Sans', Verdana, sans-serif", element)
