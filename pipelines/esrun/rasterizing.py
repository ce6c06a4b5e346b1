"""Labelled shapes burnt into the pixels of a window.

Which window, and where the array is written, does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.errors import BadInput
from pipelines.esrun.annotations import Annotation
from pipelines.esrun.projection import Bounds, Projection, to_pixels

if TYPE_CHECKING:
    import numpy as np
    from shapely import STRtree


MOST = 2**28  # pixels of one window


class Shapes:
    """The annotations of one task in the pixels of its projection, found by place."""

    def __init__(self, annotations: Sequence[Annotation], projection: Projection):
        import shapely

        self.labels = [one.label for one in annotations]
        self.shapes = [to_pixels(one.geometry, projection) for one in annotations]
        self.tree: STRtree = shapely.STRtree(self.shapes)

    def burn(
        self, bounds: Bounds, within: Bounds, nodata_value: float, dtype: str = "uint8"
    ) -> np.ndarray | None:
        """Labels of the pixels whose centre lies in a shape, later shapes over earlier ones.

        Args:
            within: pixels outside of these bounds stay nodata.

        Returns:
            height x width of ``dtype``; None where no pixel has a label.
        """
        import numpy as np
        import shapely
        from affine import Affine
        from rasterio.features import rasterize

        left, top = max(bounds[0], within[0]), max(bounds[1], within[1])
        right, bottom = min(bounds[2], within[2]), min(bounds[3], within[3])
        near = sorted(int(i) for i in self.tree.query(shapely.box(left, top, right, bottom)))
        if not near:
            return None
        inner = rasterize(
            [(self.shapes[i], self.labels[i]) for i in near], (bottom - top, right - left),
            fill=nodata_value, transform=Affine(1, 0, left, 0, 1, top), dtype=dtype,
        )  # fmt: skip
        if not np.any(inner != np.array(nodata_value, dtype)):
            return None
        found = np.full((bounds[3] - bounds[1], bounds[2] - bounds[0]), nodata_value, dtype)
        found[top - bounds[1] : bottom - bounds[1], left - bounds[0] : right - bounds[0]] = inner
        return found


def check_label(annotation: Annotation, dtype: str, nodata_value: float) -> None:
    """Raise BadInput for a label that cannot be told from nodata, or that ``dtype`` cannot hold."""
    import numpy as np

    label = annotation.label
    if label == nodata_value:
        raise BadInput(
            f"{annotation.place}: label {label} is the nodata_value", hint="choose another nodata_value"
        )
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        if label != int(label) or not limits.min <= label <= limits.max:
            raise BadInput(f"{annotation.place}: label {label} is no {dtype} ({limits.min} to {limits.max})")


def check_nodata(nodata_value: float, dtype: str) -> None:
    """Raises ValueError: no such type of pixels in a GeoTIFF, or it cannot hold the value."""
    import numpy as np
    from rasterio.dtypes import check_dtype

    if not check_dtype(dtype):
        raise ValueError(f"dtype: {dtype!r} is no type of pixels, such as uint8 or float32")
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        if not limits.min <= nodata_value <= limits.max or nodata_value != int(nodata_value):
            raise ValueError(f"nodata_value: {nodata_value} is no {dtype}")


def check_size(side: int, name: str) -> None:
    """Raises ValueError: a window of so many pixels a side does not fit the memory."""
    if side * side > MOST:
        raise ValueError(f"{name}: {side} pixels a side are too many for one window")


def resolution(value: float) -> float:
    """A pixel size in metres. Raises ValueError: not above 0."""
    if not value > 0:
        raise ValueError(f"window_resolution: {value!r} is not above 0")
    return float(value)
