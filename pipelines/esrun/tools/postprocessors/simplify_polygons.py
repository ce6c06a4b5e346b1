"""The vector post-processor that takes vertices out of polygons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.esrun.features import Feature, FeatureCollection, collection
from pipelines.esrun.tools.postprocessors.postprocess_interface import PostprocessInterfaceVector, joined

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


class SimplifyPolygons(PostprocessInterfaceVector):
    """Polygons with fewer vertices (Douglas & Peucker 1973), valid ones; other geometries stay as they are.

    What nothing is left of is dropped.

    Args:
        tolerance: how far a boundary may move, in degrees.
        preserve_topology: keep every ring, if only as a triangle; without it, polygons smaller than the
            tolerance go.
    """

    def __init__(self, tolerance: float = 0.01, preserve_topology: bool = True):
        if not tolerance >= 0:
            raise ValueError(f"tolerance: {tolerance!r} is below 0")
        self.tolerance = tolerance
        self.preserve_topology = preserve_topology

    def process_window(self, window_request: Feature, window_result: FeatureCollection) -> FeatureCollection:
        return self._simplified(window_result)

    def process_partition(self, partition_window_results: Sequence[FeatureCollection]) -> FeatureCollection:
        return self._simplified(joined(partition_window_results))

    def process_dataset(self, all_partitions_results: Sequence[FeatureCollection]) -> FeatureCollection:
        return self._simplified(joined(all_partitions_results))

    def _simplified(self, features: FeatureCollection) -> FeatureCollection:
        found = ((feature, self._shape(feature.geometry)) for feature in features)
        return collection(
            Feature(shape, feature.properties, feature.id) for feature, shape in found if not shape.is_empty
        )

    def _shape(self, shape: BaseGeometry) -> BaseGeometry:
        if shape.geom_type not in ("Polygon", "MultiPolygon"):
            return shape
        return _valid(_valid(shape).simplify(self.tolerance, preserve_topology=self.preserve_topology))


def _valid(shape: BaseGeometry) -> BaseGeometry:
    """The areas of a shape, each point of them covered once; lines that a bow tie leaves behind go."""
    import shapely

    if shape.is_valid:
        return shape
    made = shapely.make_valid(shape)
    areas = [part for part in shapely.get_parts(made) if part.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.union_all(areas)
