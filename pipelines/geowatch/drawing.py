"""How a frame is drawn: the panels, the outlines of sites, the text above them.

Which frames there are and where their pixels come from does not belong here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from pipelines.geowatch.iarpa_models import PHASES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from shapely.geometry.base import BaseGeometry

Colour = tuple[int, int, int]
NODATA: Colour = (52, 52, 66)
BACKGROUND: Colour = (18, 18, 24)
TEXT: Colour = (235, 235, 235)
PREDICTED: Colour = (255, 159, 28)
TRUE: Colour = (64, 224, 255)
TRUE_IDLE: Colour = (150, 205, 220)
SHADOW: Colour = (0, 0, 0)
#: Okabe and Ito's palette, told apart by colour-blind readers too.
PHASE_COLOURS: dict[str, Colour] = dict(
    zip(PHASES, ((120, 120, 120), (240, 228, 66), (213, 94, 0), (86, 180, 233)), strict=True)
)
_OTHERS: tuple[Colour, ...] = ((0, 158, 115), (204, 121, 167), (0, 114, 178), (230, 159, 0))
GAP = 6
LINE = 18


@dataclass(frozen=True)
class Outline:
    """A site over a panel: shape in panel pixels, colour (of `_KINDS`), and a short text beside it."""

    shape: BaseGeometry
    colour: Colour
    label: str = ""


@dataclass(frozen=True)
class Panel:
    """One picture of a frame: uint8 (height, width, 3), a title, and the legend of its colours."""

    pixels: NDArray[np.uint8]
    title: str
    legend: tuple[tuple[str, Colour], ...] = ()


def rgb(bands: NDArray[np.float32], stretch: Sequence[tuple[float, float]]) -> NDArray[np.uint8]:
    """Three bands (3, height, width) as a picture, each stretched from low to high.

    A gamma of 1.4 and a fifth of headroom leave both dark woods and bright roofs something to show.
    """
    import numpy as np

    low, high = (np.array(side, dtype=np.float32)[:, None, None] for side in zip(*stretch, strict=True))
    scaled = np.clip((bands - low) / np.maximum((high - low) * 1.2, 1e-6), 0, 1) ** (1 / 1.4)
    return _picture(scaled.transpose(1, 2, 0), np.isfinite(bands).all(axis=0))


def heat(band: NDArray[np.float32]) -> NDArray[np.uint8]:
    """One band of probabilities (height, width) in the colours of inferno, 0 to 1."""
    import matplotlib
    import numpy as np

    known = np.isfinite(band)
    return _picture(matplotlib.colormaps["inferno"](np.where(known, band, 0.0))[..., :3], known)


def classes(bands: NDArray[np.float32], names: Sequence[str]) -> NDArray[np.uint8]:
    """Class probabilities (classes, height, width) as the mixture of the colours of the classes."""
    import numpy as np

    known = np.isfinite(bands).all(axis=0)
    shares = np.where(known, np.clip(bands, 0, 1), 0.0)
    shares = shares / np.maximum(shares.sum(axis=0), 1e-6)
    palette = np.array([colour for _, colour in class_legend(names)]) / 255
    return _picture(np.einsum("chw,cr->hwr", shares, palette), known)


def class_legend(names: Sequence[str]) -> tuple[tuple[str, Colour], ...]:
    """A colour for each class."""
    others = iter(_OTHERS * len(names))
    return tuple((name, PHASE_COLOURS[name] if name in PHASE_COLOURS else next(others)) for name in names)


_KINDS = {PREDICTED: "predicted site", TRUE: "true site", TRUE_IDLE: "true, not under construction"}
#: Pixels drawn and left out: told apart without colours, and a true site hides no predicted one below it.
_DASHES = {TRUE: (7, 5), TRUE_IDLE: (2, 4)}
HEAT_LEGEND = (("0", (0, 0, 4)), ("0.5", (188, 55, 84)), ("1", (252, 255, 164)))


def frame(
    header: str, panels: Sequence[Panel], outlines: Sequence[Outline], kinds: Iterable[Colour] = ()
) -> Image.Image:
    """Panels side by side under the header, with the same outlines on each, and the legends below.

    Args:
        kinds: colours of outlines that the legend explains, be they in this frame or not.
    """
    from PIL import Image, ImageDraw

    height, width = panels[0].pixels.shape[:2]
    lines = [line for line in header.replace("\\n", "\n").split("\n") if line.strip()]
    top = GAP + LINE * len(lines)
    total = (GAP + len(panels) * (width + GAP), top + LINE + height + 2 * LINE + 2 * GAP)
    picture = Image.new("RGB", total, BACKGROUND)
    draw = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        draw.text((GAP, GAP // 2 + LINE * number), _fitted(line, total[0] - 2 * GAP), TEXT, _font())
    below = top + LINE + height + GAP
    for number, panel in enumerate(panels):
        left = GAP + number * (width + GAP)
        draw.text((left, top), _fitted(panel.title, width), TEXT, _font())
        overlaid = Image.fromarray(panel.pixels)
        _overlay(overlaid, outlines)
        picture.paste(overlaid, (left, top + LINE))
        _legend(draw, panel.legend, left, below, width)
    shown = {*kinds, *(outline.colour for outline in outlines)}
    sites = tuple((text, colour) for colour, text in _KINDS.items() if colour in shown)
    _legend(draw, (*sites, ("no data", NODATA)), GAP, below + LINE, total[0] - 2 * GAP)
    return picture


def _overlay(picture: Image.Image, outlines: Sequence[Outline]) -> None:
    """Draw outlines, and the labels that have room: one over another would tell nothing."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    for outline in outlines:
        parts = getattr(outline.shape, "geoms", [outline.shape])
        for part in (part for part in parts if part.geom_type == "Polygon" and not part.is_empty):
            for ring in (part.exterior, *part.interiors):
                _line(draw, ring, outline.colour)
    taken: list[BaseGeometry] = []
    for outline in outlines:
        if not outline.label or outline.shape.is_empty:
            continue
        place = _label_box(outline, picture.size, draw.textlength(outline.label, _font(11)))
        if not any(place.intersects(other) for other in taken):
            taken.append(place)
            corner = place.bounds[:2]
            draw.text(corner, outline.label, outline.colour, _font(11), stroke_width=1, stroke_fill=(0, 0, 0))


def _line(draw: Any, line: BaseGeometry, colour: Colour) -> None:
    """A line in the manner of its kind, with a dark edge: a heatmap has bright colours of its own."""
    from shapely.ops import substring

    pieces = [line]
    if colour in _DASHES:
        there, gone = _DASHES[colour]
        starts = range(0, math.ceil(line.length), there + gone)
        pieces = [substring(line, start, start + there) for start in starts]
    for piece in pieces:
        draw.line(list(piece.coords), fill=SHADOW, width=4, joint="curve")
    for piece in pieces:
        draw.line(list(piece.coords), fill=colour, width=2, joint="curve")


def _label_box(outline: Outline, size: tuple[int, int], width: float) -> BaseGeometry:
    """Above the site, or below it where the picture ends; always within the picture."""
    from shapely.geometry import box

    west, north, _, south = outline.shape.bounds
    left = min(max(west, 1), size[0] - width - 1)
    top = min(max(north - 14, 0), size[1] - 14) if north > 14 else min(max(south, 0), size[1] - 14)
    return box(left, top, left + width, top + 12)


def _legend(draw: Any, entries: Sequence[tuple[str, Colour]], left: int, top: int, width: int) -> None:
    """A line for sites, a square for what fills pixels; what has no room is left out."""
    from shapely.geometry import LineString

    right = left + width
    for text, colour in entries:
        sample = 26 if colour in _KINDS else 10
        length = int(draw.textlength(text, _font(11)))
        if left + sample + 4 + length > right:
            return
        if colour in _KINDS:
            _line(draw, LineString([(left, top + 5), (left + sample, top + 5)]), colour)
        else:
            draw.rectangle((left, top, left + sample, top + 10), fill=colour, outline=(120, 120, 120))
        draw.text((left + sample + 4, top - 2), text, TEXT, _font(11))
        left += sample + 4 + length + 10


def _picture(shares: Any, known: Any) -> NDArray[np.uint8]:
    """Shares of red, green and blue (height, width, 3) in 0..1 as bytes, nodata in its colour."""
    import numpy as np

    picture = np.full((*known.shape, 3), NODATA, dtype=np.uint8)
    picture[known] = np.rint(np.asarray(shares)[known] * 255).astype(np.uint8)
    return picture


def _fitted(text: str, width: int) -> str:
    """The text, cut with dots to fit a width in pixels."""
    while text and _font().getlength(text) > width:
        text = text.removesuffix("…")[:-1] + "…" if len(text) > 1 else ""
    return text


@cache
def _font(size: int = 13) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
