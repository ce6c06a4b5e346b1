"""Where windows overlap: on which share of the pixels do two of them say different things.

Which of them wins in the combined result is the post-processor's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.esrun.class_maps import opened

if TYPE_CHECKING:
    from rasterio.coords import BoundingBox

#: Edges of windows on one grid differ by no more than rounding, in pixels.
SLACK = 1e-3


@dataclass(frozen=True)
class Overlap:
    """Pixels on which two windows both say something, and those of them on which they differ."""

    pixels: int = 0
    different: int = 0

    @property
    def share(self) -> float | None:
        """None where no two windows overlap."""
        return self.different / self.pixels if self.pixels else None


def overlap(rasters: Iterable[Path]) -> Overlap:
    """All pairs of rasters of one CRS and pixel size that overlap, band 1.

    Memory holds two windows at a time.
    """
    import shapely

    pixels = different = 0
    for alike in _by_grid(rasters).values():
        boxes = [shapely.box(*bounds) for _, bounds in alike]
        tree = shapely.STRtree(boxes)
        for first, second in tree.query(boxes, predicate="intersects").T:
            if first < second:
                both, differ = _pair(alike[first], alike[second])
                pixels, different = pixels + both, different + differ
    return Overlap(pixels, different)


def _by_grid(rasters: Iterable[Path]) -> dict[Any, list[tuple[Path, BoundingBox]]]:
    found: dict[Any, list[tuple[Path, BoundingBox]]] = {}
    for path in rasters:
        with opened(path) as image:
            x, y = image.res
            key = (image.crs.to_string(), round(x, 9), round(y, 9))
            found.setdefault(key, []).append((path, image.bounds))
    return found


def _pair(one: tuple[Path, BoundingBox], other: tuple[Path, BoundingBox]) -> tuple[int, int]:
    """Pixels that both have, and those on which they differ."""
    left, bottom = max(one[1].left, other[1].left), max(one[1].bottom, other[1].bottom)
    right, top = min(one[1].right, other[1].right), min(one[1].top, other[1].top)
    a, b = (_read(path, left, top, right, bottom) for path, _ in (one, other))
    if a is None or b is None or a.shape != b.shape:
        return 0, 0
    both = ~a.mask & ~b.mask
    return int(both.sum()), int((a.data != b.data)[both].sum())


def _read(path: Path, left: float, top: float, right: float, bottom: float) -> Any:
    """The pixels of a raster in a box, masked; None where there are none or the box is between pixels."""
    import numpy as np
    from rasterio.windows import Window

    with opened(path) as image:
        column, row = ~image.transform @ (left, top)
        width, height = (right - left) / image.res[0], (top - bottom) / image.res[1]
        whole = np.round((column, row, width, height))
        if np.abs(whole - (column, row, width, height)).max() > SLACK or whole[2:].min() < 1:
            return None
        found = image.read(1, window=Window(*map(int, whole)), masked=True)
        return np.ma.array(found.data, mask=np.ma.getmaskarray(found))
