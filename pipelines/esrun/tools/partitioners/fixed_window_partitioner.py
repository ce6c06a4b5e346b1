"""A window of one size round the centre of each feature.

Partitions, and windows that cover a feature, do not belong here.
"""

from __future__ import annotations

import math

from pipelines.esrun.features import Feature, FeatureCollection
from pipelines.esrun.projection import Placed, Projection
from pipelines.esrun.tools.partitioners.partition_interface import PartitionInterface

SLACK = 1e-6  # of a pixel: rounding of the projection, as in projection.pixel_bounds


class FixedWindowPartitioner(PartitionInterface):
    """One square window for each feature, centred on its centroid in pixels (to the pixel above and left).

    Args:
        window_size: its side, a whole number of pixels.
        limit: windows of a partition at most, those of its first features; None means all.
    """

    def __init__(
        self,
        window_size: float,
        output_projection: Projection | None = None,
        use_utm: bool = False,
        limit: int | None = None,
    ):
        super().__init__(output_projection, use_utm)
        if not (math.isfinite(window_size) and window_size == int(window_size) > 0):
            raise ValueError(f"window_size must be a whole number of pixels above 0, not {window_size}")
        if limit is not None and limit < 1:
            raise ValueError(f"limit must be above 0, not {limit}")
        self.window_size, self.limit = int(window_size), limit

    def prepare_window_geometries(self, request: FeatureCollection) -> list[tuple[Feature, Placed]]:
        return [(feature, self._window(feature)) for feature in request.features[: self.limit]]

    def _window(self, feature: Feature) -> Placed:
        from shapely.geometry import box

        shape = self.placed(feature.geometry)
        centre, size = shape.shape.centroid, self.window_size
        left, top = (math.floor(at - size / 2 + SLACK) for at in (centre.x, centre.y))
        return Placed(shape.projection, box(left, top, left + size, top + size))
