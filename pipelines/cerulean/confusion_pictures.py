"""A confusion matrix as a picture: shares of the truth beside shares of what was found.

Drawn by matplotlib without a display; the same matrix gives the same bytes. Counting does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines import program
from pipelines.cerulean.confusions import Confusion

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from matplotlib.axes import Axes

_CELL = 0.72  # inches
_MARGIN = 1.7  # for the names of classes
_DARK = 0.55  # shares above it are written in white
_SMALLEST = 0.005  # a share that would read 0.00
_PANELS = (("truth", "share of the true"), ("prediction", "share of the found"))


def draw(path: Path, confusion: Confusion, of: str) -> None:
    """Write a PNG.

    Args:
        of: what was counted, for the title: pixels, or slicks.
    """
    from matplotlib.figure import Figure

    side = _CELL * len(confusion.names) + _MARGIN
    figure = Figure(figsize=(2 * max(side, 3.2), max(side, 3.2) + 0.6), layout="constrained")
    figure.suptitle(of, fontsize=11)
    for axes, (by, title) in zip(figure.subplots(1, 2), _PANELS, strict=True):
        shares = confusion.normalised("truth" if by == "truth" else "prediction")
        _panel(axes, shares, confusion.counts, confusion.names)
        axes.set_title(title, fontsize=9)
    with program.writing(path) as temporary:
        figure.savefig(temporary, dpi=100, metadata={"Software": None})


def _panel(axes: Axes, shares: np.ndarray, counts: np.ndarray, names: Sequence[str]) -> None:
    """White where there is nothing to divide by."""
    import numpy as np

    axes.imshow(np.ma.masked_invalid(shares), cmap="Blues", vmin=0, vmax=1)
    for row, col in np.ndindex(shares.shape):
        share, number = float(shares[row, col]), int(counts[row, col])
        if number:
            text, colour = f"{_share(share)}\n{shortened(number)}", "white" if share > _DARK else "black"
        else:
            text, colour = "–" if np.isnan(share) else "0", "0.55"
        axes.text(col, row, text, ha="center", va="center", fontsize=8, color=colour)
    labels = [name.replace("_", " ") for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=40, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_yticks(range(len(names)), labels, fontsize=8)
    axes.set(xlabel="found", ylabel="true")
    axes.set_xticks(np.arange(1, len(names)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(names)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)


def _share(share: float) -> str:
    return "<0.01" if share < _SMALLEST else f"{share:.2f}"


def shortened(number: int) -> str:
    """A count of at most four characters before its unit.

    >>> shortened(950), shortened(12345), shortened(399_999_999)
    ('950', '12.3k', '400M')
    """
    for limit, unit, size in ((1000, "", 1), (999_500, "k", 10**3), (10**12, "M", 10**6)):
        if number < limit:
            return f"{number / size:.{3 if size > 1 else 6}g}{unit}"
    return f"{number / 10**9:.3g}G"
