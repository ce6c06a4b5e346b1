"""How the picture of a scene is drawn: two panels of radar, outlines of slicks on them, a legend.

Where pixels and outlines come from does not belong here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from pipelines.cerulean.classes import NAMES
from pipelines.cerulean.palette import Colour, colour

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image, ImageDraw
    from shapely.geometry import LineString, Polygon
    from shapely.geometry.base import BaseGeometry

NODATA: Colour = (52, 52, 66)
PAGE: Colour = (18, 18, 24)
TEXT: Colour = (235, 235, 235)
DASHED: Colour = (255, 255, 255)
SHADOW: Colour = (0, 0, 0)
GAP, LINE = 8, 20
_DASH, _SPACE = 6, 5  # told apart from what was found without colours, too
_BESIDE = 2.0  # pixels from a slick's edge to its line: on the edge it would hide what is thin
_FINE = 0.7  # pixels of the picture; corners nearer than that are not seen


@dataclass(frozen=True)
class Slick:
    """A slick over a panel: its shape in pixels of the panel, its class, a short text beside it."""

    shape: BaseGeometry
    name: str
    label: str = ""


def grey(mean: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Radar as a picture (height, width, 3), stretched from its first to its last percent.

    Args:
        mean, known: (height, width); what is not known gets the colour of nodata.
    """
    import numpy as np

    low, high = np.percentile(mean[known], (1, 99)) if known.any() else (0.0, 1.0)
    shares = np.clip((mean - low) / max(float(high - low), 1e-6), 0, 1)
    picture = np.full((*mean.shape, 3), NODATA, np.uint8)
    picture[known] = np.rint(230 * shares[known]).astype(np.uint8)[:, None]
    return picture


def page(
    title: str, radar: NDArray[np.uint8], true: Sequence[Slick], found: Sequence[Slick] | None
) -> Image.Image:
    """The scene with its annotated slicks and, beside it, with those found.

    In the second panel the annotated ones are dashed. Below stands how many there are of each class.

    Args:
        radar: (height, width, 3), the pixels of a panel.
        found: None leaves the second panel out.
    """
    from PIL import Image, ImageDraw

    height, width = radar.shape[:2]
    panels: list[tuple[str, Sequence[Slick], Sequence[Slick]]] = [("annotated", true, ())]
    if found is not None:
        panels.append(("found; annotated ones dashed", found, true))
    total = GAP + len(panels) * (width + GAP)
    entries = _entries(true, found)
    rows = _legend_rows(entries, total - 2 * GAP)
    top = GAP + 2 * LINE
    picture = Image.new("RGB", (total, top + height + GAP + LINE * len(rows) + GAP // 2), PAGE)
    draw = ImageDraw.Draw(picture)
    draw.text((GAP, GAP // 2), *_fitted(title, total - 2 * GAP))
    for number, (name, lines, dashes) in enumerate(panels):
        left = GAP + number * (width + GAP)
        draw.text((left, GAP // 2 + LINE + 2), *_fitted(name, width, 12))
        picture.paste(_panel(radar, lines, dashes), (left, top))
    for number, row in enumerate(rows):
        _legend(draw, row, top + height + GAP + LINE * number)
    return picture


def _panel(radar: NDArray[np.uint8], lines: Sequence[Slick], dashes: Sequence[Slick]) -> Image.Image:
    from PIL import Image, ImageDraw

    panel = Image.fromarray(radar)
    draw = ImageDraw.Draw(panel)
    for slick in lines:
        for ring in _rings(slick.shape.buffer(_BESIDE)):
            draw.line(list(ring.coords), fill=SHADOW, width=4, joint="curve")
            draw.line(list(ring.coords), fill=colour(slick.name), width=2, joint="curve")
    for slick in dashes:
        for ring in _rings(slick.shape):
            for piece in _pieces(ring):
                draw.line(list(piece.coords), fill=SHADOW, width=3)
                draw.line(list(piece.coords), fill=DASHED, width=1)
    _label(draw, lines, panel.size)
    return panel


def _rings(shape: BaseGeometry) -> list[LineString]:
    parts: Sequence[Polygon] = getattr(shape.simplify(_FINE), "geoms", [shape.simplify(_FINE)])
    return [
        ring
        for part in parts
        if part.geom_type == "Polygon" and not part.is_empty
        for ring in (part.exterior, *part.interiors)
    ]


def _pieces(line: LineString) -> list[LineString]:
    from shapely.ops import substring

    starts = range(0, math.ceil(line.length), _DASH + _SPACE)
    pieces = [substring(line, start, start + _DASH) for start in starts]
    return [piece for piece in pieces if piece.geom_type == "LineString"]


def _label(draw: ImageDraw.ImageDraw, slicks: Sequence[Slick], size: tuple[int, int]) -> None:
    """Write the texts that have room: one over another would tell nothing."""
    from shapely.geometry import box

    taken: list[Any] = []
    for slick in slicks:
        if not slick.label or slick.shape.is_empty:
            continue
        wide = _font(12).getlength(slick.label) + 4
        left, above, _, below = slick.shape.bounds
        left = max(min(left, size[0] - wide - 1), 1)
        top = above - 16 if above > 16 else min(below + 2, size[1] - 15)
        place = box(left, top, left + wide, top + 15)
        if not any(place.intersects(other) for other in taken):
            taken.append(place)
            draw.rectangle(place.bounds, fill=PAGE)
            draw.text((left + 2, top - 1), slick.label, colour(slick.name), _font(12))


def _entries(true: Sequence[Slick], found: Sequence[Slick] | None) -> list[tuple[str, Colour]]:
    """Texts of the legend with the colours of their squares, in order of the table of classes."""
    counts = [Counter(one.name for one in slicks) for slicks in (true, found or ())]
    shown = sorted(set().union(*counts), key=lambda name: (name not in NAMES, NAMES.index(name)
                   if name in NAMES else 0, name))  # fmt: skip
    entries = [
        (f"{name}: {counts[0][name]} annotated" + (f", {counts[1][name]} found" if found is not None else ""),
         colour(name))
        for name in shown
    ]  # fmt: skip
    return [*(entries or [("no slicks", PAGE)]), ("no data", NODATA)]


def _legend_rows(entries: Sequence[tuple[str, Colour]], width: int) -> list[list[tuple[str, Colour, int]]]:
    """The entries, each with its left edge, in as many rows as they need."""
    rows: list[list[tuple[str, Colour, int]]] = [[]]
    left = GAP
    for text, square in entries:
        wide = 18 + math.ceil(_font(12).getlength(text)) + 16
        if rows[-1] and left + wide > width + GAP:
            rows.append([])
            left = GAP
        rows[-1].append((text, square, left))
        left += wide
    return rows


def _legend(draw: ImageDraw.ImageDraw, row: Sequence[tuple[str, Colour, int]], top: int) -> None:
    for text, square, left in row:
        draw.rectangle((left, top + 2, left + 12, top + 14), fill=square, outline=(120, 120, 120))
        draw.text((left + 18, top), text, TEXT, _font(12))


def _fitted(text: str, width: int, size: int = 14) -> tuple[str, Colour, Any]:
    """The text in a size that fits a width in pixels, cut with dots where none does; its colour, its font."""
    while size > 9 and _font(size).getlength(text) > width:
        size -= 1
    while len(text) > 1 and _font(size).getlength(text) > width:
        text = text.removesuffix("…")[:-1] + "…"
    return text, TEXT, _font(size)


@cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
