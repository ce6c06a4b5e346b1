"""Cells of a grid that all requests share: as partitions in degrees, or as windows in pixels.

Which cells miss the request is not decided here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from pipelines.errors import BadInput
from pipelines.esrun.features import Feature, FeatureCollection
from pipelines.esrun.projection import Placed, Projection
from pipelines.esrun.tools.partitioners.partition_interface import PartitionInterface

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

Box = tuple[float, float, float, float]
WORLD = (-180.0, -90.0, 180.0, 90.0)
PIXEL_SLACK = 1e-6  # rounding of the projection, as in projection.pixel_bounds
DEGREE_SLACK = 1e-11  # a micrometre: rounding of whoever computed the request
MOST_CELLS = 1_000_000


class GridPartitioner(PartitionInterface):
    """Cells with corners at multiples of ``grid_size``, over the bounds of each feature on its own.

    Cells go from west to east, in each column from the lesser y up. A feature that ends on a corner of the
    grid gets no cell beyond it; a point there gets the cell to its upper right.

    Args:
        grid_size: side of a cell: degrees of lon/lat for partitions, pixels for windows.
        overlap_size: how far each cell reaches beyond its sides, in the same unit.
        clip: cut cells with the feature.
    """

    covers = True

    def __init__(
        self,
        grid_size: float,
        overlap_size: float | None = 0,
        output_projection: Projection | None = None,
        use_utm: bool = False,
        clip: bool = False,
    ):
        super().__init__(output_projection, use_utm)
        overlap_size = overlap_size or 0
        if not (math.isfinite(grid_size) and grid_size > 0):
            raise ValueError(f"grid_size must be above 0, not {grid_size}")
        if not (math.isfinite(overlap_size) and overlap_size >= 0):
            raise ValueError(f"overlap_size must not be below 0, not {overlap_size}")
        self.grid_size, self.overlap_size, self.clip = grid_size, overlap_size, clip

    def partition_request_geometry(self, request: FeatureCollection) -> list[FeatureCollection]:
        """A partition for each cell of each feature; cells end where the world does."""
        return [
            FeatureCollection((Feature(cell, feature.properties, feature.id),))
            for feature in request
            for cell in self._cells(feature.geometry, DEGREE_SLACK, WORLD)
        ]

    def prepare_window_geometries(self, request: FeatureCollection) -> list[tuple[Feature, Placed]]:
        found = []
        for feature in request:
            whole = self.placed(feature.geometry)
            cells = self._cells(whole.shape, PIXEL_SLACK)
            found += [(feature, Placed(whole.projection, cell)) for cell in cells]
        return found

    def _cells(self, shape: BaseGeometry, slack: float, within: Box | None = None) -> Iterator[BaseGeometry]:
        from shapely import intersection, make_valid
        from shapely.geometry import box

        left, bottom, right, top = shape.bounds
        east, north = (within or (0, 0, math.inf, math.inf))[2:]
        columns = self._spans(left, right, slack, east)
        rows = self._spans(bottom, top, slack, north)
        if len(columns) * len(rows) > MOST_CELLS:
            raise BadInput(
                f"a feature at {shape.bounds} has {len(columns) * len(rows)} cells of {self.grid_size}",
                hint=f"more than {MOST_CELLS}: choose a larger grid_size",
            )
        whole = make_valid(shape) if self.clip else shape
        for column in columns:
            for row in rows:
                cell = box(*self._bounds(column, row, within))
                yield intersection(cell, whole) if self.clip else cell

    def _spans(self, low: float, high: float, slack: float, end: float) -> range:
        """Numbers of the cells between two coordinates: at least one, and none that starts at the ``end``.

        Numbers, not coordinates: adding up a step that no float holds makes a cell too many.
        """
        step = self.grid_size
        first = math.floor((low + slack) / step)
        if math.isfinite(end):
            first = min(first, math.ceil(end / step) - 1)
        return range(first, max(first + 1, math.ceil((high - slack) / step)))

    def _bounds(self, column: int, row: int, within: Box | None) -> Box:
        more = self.overlap_size
        left, right = self._line(column) - more, self._line(column + 1) + more
        bottom, top = self._line(row) - more, self._line(row + 1) + more
        if within is None:
            return left, bottom, right, top
        return max(left, within[0]), max(bottom, within[1]), min(right, within[2]), min(top, within[3])

    def _line(self, number: int) -> float:
        """A line of the grid; the same float whichever cell asks: 3 of 0.1 is 0.3."""
        return float(Decimal(repr(float(self.grid_size))) * number)
