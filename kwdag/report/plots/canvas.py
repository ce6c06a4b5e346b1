"""A sheet to draw on: style, size, notes below it, and files in several formats.

No state of pyplot's is used or left behind; what is drawn stands in the modules beside.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kwdag.report.labels import clean, shortened

#: Points of more rows than this become an image within an svg, else it takes minutes to open.
RASTER = 2000
GREY, DARK, FRONT = "#9a9a9a", "#222222", "#d55e00"
_DPI = 150
_NOTE_WIDTH, _NOTE_LINES, _NOTE_HEIGHT = 118, 100, 0.135
_FALLBACK_FONTS = ("Noto Sans CJK JP", "Noto Sans CJK SC", "IPAGothic", "WenQuanYi Zen Hei", "Noto Emoji")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is not drawn yet.

    Attributes:
        name: of its files, without a suffix.
        title: one line above it.
        draw: puts the contents on a figure; what it returns is printed below, each text a paragraph.
        size: width and height in inches, without title and notes.
    """

    name: str
    title: str
    draw: Callable[[Any], Sequence[str]]
    size: tuple[float, float] = field(default=(7.5, 4.5))

    def save(self, folder: Path, formats: Sequence[str]) -> list[Path]:
        """Draw it and write a file for each format; call within ``style()``."""
        figure = self.figure()
        paths = [folder / f"{self.name}.{suffix}" for suffix in formats]
        for path in paths:
            # without a date the same rows give the same bytes
            key = {"png": "Software", "svg": "Date", "pdf": "CreationDate"}[path.suffix[1:]]
            figure.savefig(path, metadata={"Title": self.title, key: None})
        return paths

    def figure(self) -> Any:
        """A matplotlib figure; call within ``style()``."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=self.size, layout="constrained", dpi=_DPI)
        notes = _wrapped(self.draw(figure))
        _extend(figure, self.title, notes)
        return figure


@contextmanager
def style() -> Iterator[None]:
    """Fonts, colours and lines of all pictures; as before afterwards."""
    import matplotlib
    import seaborn

    settings = seaborn.axes_style("whitegrid") | {
        "font.family": ["sans-serif"],
        "font.sans-serif": ["DejaVu Sans", *_installed(_FALLBACK_FONTS)],
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.edgecolor": "#888888",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": "#e4e4e4",
        "text.parse_math": False,  # a dollar in a value is a dollar
        "svg.hashsalt": "kwdag",
        "axes.formatter.useoffset": False,
        "legend.frameon": False,
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _installed(fonts: Sequence[str]) -> list[str]:
    from matplotlib.font_manager import get_font_names

    names = set(get_font_names())
    return [font for font in fonts if font in names]


def _wrapped(notes: Sequence[str]) -> list[str]:
    lines = [
        line for note in notes for line in textwrap.wrap(clean(note), _NOTE_WIDTH, subsequent_indent="    ")
    ]
    rest = len(lines) - _NOTE_LINES
    return lines if rest <= 0 else [*lines[:_NOTE_LINES], f"... {rest} more lines"]


def _extend(figure: Any, title: str, notes: Sequence[str]) -> None:
    """Make room for a title above and notes below the contents, which keep their size."""
    width, height = figure.get_size_inches()
    room = int(width * 10)  # letters of this size in bold
    lines = textwrap.wrap(shortened(clean(title), 3 * room), room)
    above = 0.17 + 0.18 * max(1, len(lines))
    below = len(notes) * _NOTE_HEIGHT + 0.12 if notes else 0.0
    whole = height + above + below
    figure.set_size_inches(width, whole)
    figure.get_layout_engine().set(rect=(0, below / whole, 1, height / whole))
    figure.text(0.012, 1 - 0.1 / whole, "\n".join(lines), va="top", size=10.5, weight="bold")
    for i, line in enumerate(notes):
        y = (below - 0.05 - i * _NOTE_HEIGHT) / whole
        figure.text(
            0.012, y, line, va="top", size=7, color="#444444", family=["DejaVu Sans Mono", "sans-serif"]
        )


def number(value: float, _place: Any = None) -> str:
    """A tick's label; matplotlib's own would be TeX on a logarithmic axis."""
    return f"{value:.6g}".replace("e-0", "e-").replace("e+0", "e")


def set_scale(axis: Any, kind: str, numbers: Any) -> None:
    """Make an x or y axis `linear`, `log` or `symlog`, with ticks that a person can read."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    if kind == "linear":
        return
    name = axis.axis_name
    if kind == "symlog":
        positive = numbers[numbers > 0]
        low, high = float(positive.min()), float(positive.max())
        getattr(axis.axes, f"set_{name}scale")(kind, linthresh=low, linscale=0.5)
        axis.axes.set(**{f"{name}lim": (-low * 0.5, high * (high / low) ** 0.12)})
    else:
        getattr(axis.axes, f"set_{name}scale")(kind)
    axis.set_major_formatter(FuncFormatter(number))
    axis.set_minor_formatter(NullFormatter())


def tick_values(axes: Any, values: Any) -> None:
    """A tick on x at each of a few values, unless they would touch each other."""
    import numpy as np
    from matplotlib.ticker import FuncFormatter

    places = axes.transData.transform(np.column_stack([values, np.full(len(values), axes.get_ylim()[1])]))[
        :, 0
    ]
    if len(values) > 1 and np.diff(places).min() > 0.045 * axes.bbox.width:
        axes.set_xticks(values)
        axes.set_xticks([], minor=True)
        axes.xaxis.set_major_formatter(FuncFormatter(number))
