"""From a stack of heatmaps to outlines, and from a site's scores over time to the frames it is on.

Arrays and geometry only: kwcoco, files and IARPA models do not belong here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    from shapely.geometry import Polygon
    from shapely.geometry.base import BaseGeometry

    from pipelines.geowatch.grids import Grid

_DAYS = {"d": 1.0, "w": 7.0, "m": 365.2425 / 12, "y": 365.2425}
_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?)\s*([dwmy])\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Aggregation:
    """How the frames of a pixel become one value.

    Attributes:
        norm_ord: order of the power mean over frames; 1 is the mean, infinity the maximum.
        moving_window_size: frames of a window that slides over time; the highest window counts. None: all.
        inner_window_days: frames of such a stretch of time become one frame first. None: none do.
        inner_agg_fn: `mean` or `max`, how they do.
    """

    norm_ord: float = 1.0
    moving_window_size: int | None = None
    inner_window_days: float | None = None
    inner_agg_fn: str = "mean"


def days(text: str | float | None) -> float | None:
    """A length of time in days.

    >>> days("90d"), days("2w"), days(30), round(days("1y"), 2)
    (90.0, 14.0, 30.0, 365.24)
    """
    if text is None:
        return None
    found = _DURATION.fullmatch(str(text)) or _DURATION.fullmatch(f"{text}d")
    if found is None:
        raise BadInput(f"{text!r} is not a length of time", hint="write it as 90d, 2w, 6m or 1y")
    return float(found[1]) * _DAYS[found[2].lower()]


def aggregate(stack: np.ndarray, timestamps: Sequence[float], how: Aggregation) -> np.ndarray:
    """One heatmap (height, width) from a stack (time, height, width); NaN is nodata and counts nowhere.

    Args:
        timestamps: of the frames, in seconds, ascending.
    """
    import numpy as np

    if how.inner_window_days is not None:
        inner_ord = math.inf if how.inner_agg_fn == "max" else 1.0
        groups = stretches(timestamps, how.inner_window_days)
        stack = np.stack([power_mean(stack[group], inner_ord) for group in groups])
    size = min(how.moving_window_size or len(stack), len(stack))
    highest = power_mean(stack[:size], how.norm_ord)
    for start in range(1, len(stack) - size + 1):
        np.fmax(highest, power_mean(stack[start : start + size], how.norm_ord), out=highest)
    return highest


def stretches(timestamps: Sequence[float], length: float) -> list[slice]:
    """The frames of each stretch of ``length`` days since the first frame, without the empty ones."""
    import numpy as np

    number = ((np.asarray(timestamps, float) - timestamps[0]) // (length * 86400)).astype(int)
    starts = np.flatnonzero(np.diff(number, prepend=-1)).tolist()
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(number)], strict=True)]


def power_mean(stack: np.ndarray, order: float) -> np.ndarray:
    """(mean of x^order)^(1/order) over the first axis, of what is not NaN; NaN where nothing is."""
    import numpy as np

    if math.isinf(order):
        return np.fmax.reduce(stack, axis=0)
    known = ~np.isnan(stack)
    powers = np.where(known, stack, 0) if order == 1 else np.where(known, stack, 0) ** order
    with np.errstate(invalid="ignore"):
        mean = powers.sum(axis=0, dtype=np.float64) / known.sum(axis=0)
    return (mean if order == 1 else mean ** (1 / order)).astype(np.float32)


def hard_mask(heat: np.ndarray, thresh: float, morph_kernel: int = 3) -> np.ndarray:
    """Pixels of at least ``thresh``, gaps narrower than ``morph_kernel`` pixels closed.

    A closing, where the original dilates: it fills without moving an outline outwards.
    """
    import numpy as np
    from scipy import ndimage

    mask = heat >= thresh  # NaN is not
    if morph_kernel <= 1 or not mask.any():
        return mask
    # Beyond the frame nothing is known: without a margin the erosion would eat the sites that touch it.
    margin = np.pad(mask, morph_kernel, mode="edge")
    closed = ndimage.binary_closing(margin, np.ones((morph_kernel, morph_kernel), bool))
    inside = slice(morph_kernel, -morph_kernel)
    return closed[inside, inside] & ~np.isnan(heat)


def outlines(
    mask: np.ndarray, grid: Grid, tolerance: float | None = None, merge: str = "v2"
) -> list[Polygon]:
    """The pieces of a mask as polygons with holes, in the CRS of ``grid``, from north-west to south-east.

    Args:
        tolerance: of the simplification (Douglas-Peucker, topology kept), in metres.
        merge: `v2`: pieces that touch, be it in a corner, are one site; `v1`: only along an edge.
    """
    import numpy as np
    import shapely
    from rasterio import features

    pieces = [
        shapely.geometry.shape(shape)
        for shape, _ in features.shapes(
            mask.astype(np.uint8), mask=mask, connectivity=4, transform=grid.affine
        )
    ]
    if merge == "v2":
        pieces = _united(pieces, grid)
    if tolerance:
        pieces = [shapely.simplify(piece, tolerance / metres_per_unit(grid)) for piece in pieces]
    return sorted(pieces, key=_reading_order)


def metres_per_unit(grid: Grid) -> float:
    """Of the CRS: 1 in UTM; for degrees the mean of both directions at the centre of the grid."""
    a, b, _, d, e, _ = grid.transform
    return grid.gsd / math.sqrt(abs(a * e - b * d))


def _united(pieces: list[Polygon], grid: Grid) -> list[Polygon]:
    """Pieces that touch in a corner joined by a neck of a hundredth of a pixel."""
    import shapely

    if not pieces:
        return []
    pixel = abs(grid.transform[0])
    tree = shapely.STRtree(pieces)
    left, right = tree.query(pieces, predicate="touches")
    joints = shapely.intersection([pieces[i] for i in left], [pieces[i] for i in right])
    necks = list(shapely.buffer(joints, pixel / 100, quad_segs=1))
    union = shapely.union_all([*pieces, *necks])
    return list(shapely.get_parts(union))


def _reading_order(piece: BaseGeometry) -> tuple[float, float, str]:
    west, _, _, north = piece.bounds
    return -north, west, piece.wkt


def on_frames(scores: np.ndarray, thresh: float, time_thresh: float = 1.0) -> np.ndarray:
    """Hysteresis: on from a frame of at least ``thresh`` until one below ``time_thresh * thresh``.

    Args:
        scores: of one site, (time,); a NaN (no data) changes nothing and is itself not on.

    >>> import numpy as np
    >>> on_frames(np.array([0.1, 0.5, 0.3, 0.1, 0.3]), thresh=0.4, time_thresh=0.5).tolist()
    [False, True, True, False, False]
    """
    import numpy as np

    state, states = False, []
    for score in scores.tolist():
        if not math.isnan(score):
            state = score >= thresh or (state and score >= time_thresh * thresh)
        states.append(state and not math.isnan(score))
    return np.array(states, bool)


def spans(scores: np.ndarray, on: np.ndarray, split: float | None = None) -> list[tuple[int, int]]:
    """First and last frame of each site that one footprint holds.

    One span from the first to the last frame that is on, so that a cloud does not end a site; with
    ``split`` it is cut wherever the score falls below that.
    """
    import numpy as np

    frames = np.flatnonzero(on).tolist()
    if not frames:
        return []
    found = [[frames[0], frames[0]]]
    for frame in frames[1:]:
        between = scores[found[-1][1] + 1 : frame]
        if split is not None and (between < split).any():  # NaN is not below
            found.append([frame, frame])
        found[-1][1] = frame
    return [(first, last) for first, last in found]
