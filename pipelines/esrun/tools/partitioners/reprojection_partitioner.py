"""A window round each feature as it is.

Cutting features does not belong here.
"""

from __future__ import annotations

from pipelines.esrun.features import Feature, FeatureCollection
from pipelines.esrun.projection import Placed
from pipelines.esrun.tools.partitioners.partition_interface import PartitionInterface


class ReprojectionPartitioner(PartitionInterface):
    """One window for each feature: the pixels that it touches in the output projection."""

    def prepare_window_geometries(self, request: FeatureCollection) -> list[tuple[Feature, Placed]]:
        return [(feature, self.placed(feature.geometry)) for feature in request]
