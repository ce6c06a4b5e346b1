"""What a post-processor is: the base classes of the built-in ones and of the user's own.

Which stage calls which, and where files lie, does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.esrun.features import Feature, FeatureCollection, collection


class PostprocessInterface:
    """What vector and raster post-processors have in common; subclass one of the two below.

    A project names one for each of three stages: `process_window` after inference on a window,
    `process_partition` over the windows of a partition, `process_dataset` over all partitions. Only the
    method of its stage is called. Stages run in processes of their own: nothing may be handed on but by
    what a method returns.
    """


class PostprocessInterfaceVector(PostprocessInterface):
    """Results that are features in lon/lat. What a subclass leaves out keeps every feature, in order."""

    def process_window(self, window_request: Feature, window_result: FeatureCollection) -> FeatureCollection:
        """One window.

        Args:
            window_request: the feature of the request that the window was made for.
            window_result: what inference found in the window.
        """
        return window_result

    def process_partition(self, partition_window_results: Sequence[FeatureCollection]) -> FeatureCollection:
        """One partition: what `process_window` made of its windows, in the order of the request."""
        return joined(partition_window_results)

    def process_dataset(self, all_partitions_results: Sequence[FeatureCollection]) -> FeatureCollection:
        """Everything: what `process_partition` made of the partitions, in the order of their numbers."""
        return joined(all_partitions_results)


class PostprocessInterfaceRaster(PostprocessInterface):
    """Results that are GeoTIFFs. What a subclass leaves out keeps a window's file and combines none."""

    def process_window(self, window_request: Feature, window_result_path: Path) -> Path | None:
        """One window.

        Args:
            window_request: the feature of the request that the window was made for.
            window_result_path: a copy of what inference wrote, which may be changed.

        Returns:
            the file to go on with, in the same folder; None for ``window_result_path``.
        """
        return window_result_path

    def process_partition(self, partition_window_results: Sequence[Path], output_dir: Path) -> list[Path]:
        """One partition: its windows' files, in the order of the request. Returns files in ``output_dir``."""
        return []

    def process_dataset(self, all_partitions_result_paths: Sequence[Path], output_dir: Path) -> list[Path]:
        """Everything: the partitions' files, in the order of their numbers. Returns files alike."""
        return []


def joined(results: Sequence[FeatureCollection]) -> FeatureCollection:
    return collection(feature for result in results for feature in result)
