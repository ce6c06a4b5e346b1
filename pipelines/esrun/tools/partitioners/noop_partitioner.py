"""A request as it is: one partition.

Windows do not belong here.
"""

from __future__ import annotations

from pipelines.esrun.features import FeatureCollection
from pipelines.esrun.tools.partitioners.partition_interface import PartitionInterface


class NoopPartitioner(PartitionInterface):
    """The whole request as one partition, or none if it has no features."""

    def partition_request_geometry(self, request: FeatureCollection) -> list[FeatureCollection]:
        return [request] if len(request) else []
