"""Partitions of so many features each.

Cutting features does not belong here.
"""

from __future__ import annotations

from pipelines.esrun.features import FeatureCollection
from pipelines.esrun.projection import Projection
from pipelines.esrun.tools.partitioners.reprojection_partitioner import ReprojectionPartitioner


class ChunkPartitioner(ReprojectionPartitioner):
    """The features in their order, ``num_geometries_per_partition`` to a partition; the last has the rest.

    As windows, each feature is its own, as with ReprojectionPartitioner.
    """

    def __init__(
        self,
        num_geometries_per_partition: int,
        output_projection: Projection | None = None,
        use_utm: bool = False,
    ):
        super().__init__(output_projection, use_utm)
        if num_geometries_per_partition < 1:
            raise ValueError(
                f"num_geometries_per_partition must be above 0, not {num_geometries_per_partition}"
            )
        self.size = num_geometries_per_partition

    def partition_request_geometry(self, request: FeatureCollection) -> list[FeatureCollection]:
        starts = range(0, len(request), self.size)
        return [FeatureCollection(request.features[start : start + self.size]) for start in starts]
