"""What the pictures of a region show: pixels of its frames as panels, its sites as outlines.

How they are drawn is in drawing.py.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipelines.geowatch import drawing
from pipelines.geowatch.coco_files import asset_path, assets, channels, frames
from pipelines.geowatch.drawing import PREDICTED, TRUE, TRUE_IDLE, Outline, Panel
from pipelines.geowatch.grids import Grid, read
from pipelines.geowatch.iarpa_models import PHASES
from pipelines.geowatch.site_areas import footprint, image_grid, track_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 420  # pixels of the longer side of a panel
IDLE = (PHASES[0], PHASES[3])  # the phases in which nothing is built
_COARSE = 96  # pixels a side are enough to see how bright a region is

Stretch = dict[str, list[tuple[float, float]]]  # by sensor, low and high of each band


@dataclass(frozen=True)
class View:
    """A region as it is drawn.

    Attributes:
        grid: the panel's pixels.
        groups: channels of each panel: three for colours, one for a heatmap, several classes.
        stretch: of each group of one or three; the same for all frames, so that nothing flickers.
    """

    dataset: Any
    video: dict[str, Any]
    grid: Grid
    groups: tuple[tuple[str, ...], ...]
    stretch: dict[tuple[str, ...], Stretch]


def view(dataset: Any, video: dict[str, Any], groups: Sequence[Sequence[str]], side: int = SIDE) -> View:
    """How to draw a region: its grid of at most ``side`` pixels, and its stretch of colours."""
    whole = Grid.of_video(video)
    grid = _fit(whole, side)
    known = tuple(tuple(group) for group in groups)
    coarse = _fit(whole, _COARSE)
    stretch = {group: _stretch(dataset, video, coarse, group) for group in known if len(group) in (1, 3)}
    return View(dataset, video, grid, known, stretch)


def panels(shown: View, image: dict[str, Any]) -> list[Panel]:
    """A panel for each group of channels; where the image has not all of a group, it is all nodata."""
    return [_panel(shown, image, group) for group in shown.groups]


def outlines(shown: View, image: dict[str, Any]) -> list[Outline]:
    """The sites annotated on an image: predicted ones (`role: pred`) with their number, then true ones.

    A true site is drawn pale while it is not under construction.
    """
    numbers = sorted(shown.dataset.index.gid_to_aids[image["id"]])
    if not numbers:
        return []
    source = image_grid(shown.dataset, image)
    found = []
    for annotation in (shown.dataset.anns[number] for number in numbers):
        shape = footprint(annotation)
        if shape is None:
            continue
        phase = shown.dataset.cats.get(annotation.get("category_id"), {}).get("name", "")
        placed = shown.grid.to_pixels(source.to_lonlat(shape))
        if annotation.get("role") != "pred":
            found.append(Outline(placed, TRUE_IDLE if phase in IDLE else TRUE))
            continue
        number = (track_name(shown.dataset, annotation) or "").rpartition("_")[2]
        found.append(Outline(placed, PREDICTED, ": ".join(filter(None, (number, _short(phase))))))
    return sorted(found, key=lambda outline: outline.colour != PREDICTED)


def header(shown: View, image: dict[str, Any], extra: str = "") -> str:
    """Region, day, sensor and number of the frame, then the extra lines."""
    count = len(shown.dataset.index.vidid_to_gids[shown.video["id"]])
    parts = (
        str(shown.video["name"]),
        str(image.get("date_captured") or "")[:10],
        str(image.get("sensor_coarse") or ""),
        f"frame {image.get('frame_index', 0) + 1} of {count}",
    )
    return "  ".join(filter(None, parts)) + "\n" + extra


def _panel(shown: View, image: dict[str, Any], group: tuple[str, ...]) -> Panel:
    pixels = bands(shown.dataset, image, shown.grid, group)
    title = "|".join(group)
    stretch = shown.stretch.get(group, {})
    limits = stretch.get(str(image.get("sensor_coarse")), [(0.0, 1.0)] * len(group))
    if len(group) == 1 and all(side[0][1] <= 1 for side in stretch.values()):
        return Panel(drawing.heat(pixels[0]), title, drawing.HEAT_LEGEND)
    if len(group) == 1:
        return Panel(drawing.rgb(pixels.repeat(3, axis=0), limits * 3), title)
    if len(group) == 3 and not set(group) & set(PHASES):
        return Panel(drawing.rgb(pixels, limits), title)
    return Panel(drawing.classes(pixels, group), "phases", drawing.class_legend(group))


def bands(dataset: Any, image: dict[str, Any], grid: Grid, names: Sequence[str]) -> NDArray[np.float32]:
    """Channels of an image on a grid: (len(names), height, width), NaN for what it does not have."""
    import numpy as np

    pixels = np.full((len(names), grid.height, grid.width), np.nan, dtype=np.float32)
    for asset in assets(image):
        there = channels(asset)
        rows = [row for row, name in enumerate(names) if name in there]
        if rows:
            wanted = [there.index(names[row]) + 1 for row in rows]
            # A heatmap's pixels are shown as they are; where the panel is coarser, their mean.
            coarser = grid.gsd > Grid.of_file(asset_path(dataset, asset)).gsd
            resampling = "average" if coarser else "nearest"
            pixels[rows] = read(asset_path(dataset, asset), grid, bands=wanted, resampling=resampling)
    return pixels


def _stretch(dataset: Any, video: dict[str, Any], grid: Grid, names: Sequence[str]) -> Stretch:
    """By sensor, low and high of each band: percentiles of the median over frames, which has few clouds."""
    import numpy as np

    seen: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    for image in frames(dataset, video["id"]):
        pixels = bands(dataset, image, grid, names)
        if np.isfinite(pixels).any(axis=(1, 2)).all():
            seen[str(image.get("sensor_coarse"))].append(pixels)
    limits: Stretch = {}
    for sensor, stack in sorted(seen.items()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a pixel that no frame shows stays NaN
            middle = np.nanmedian(np.stack(stack), axis=0)
        low, high = np.nanpercentile(middle, (1, 99), axis=(1, 2))
        limits[sensor] = [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
    return limits


def _fit(grid: Grid, side: int) -> Grid:
    """The ground of a grid in pixels such that the longer side has ``side`` of them."""
    scale = max(grid.width, grid.height) / side
    a, b, c, d, e, f = grid.transform
    return replace(
        grid,
        transform=(a * scale, b * scale, c, d * scale, e * scale, f),
        width=max(1, round(grid.width / scale)),
        height=max(1, round(grid.height / scale)),
    )


def _short(phase: str) -> str:
    """`active` of `Active Construction`; nothing of a category that is no phase."""
    return dict(zip(PHASES, ("no activity", "prep.", "active", "post"), strict=True)).get(phase, "")
