"""The base class of partitioners: how a request becomes partitions, and a partition's features windows.

Leaving out what misses the request, and names and files of windows, do not belong here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from pipelines.errors import BadInput
from pipelines.esrun.features import Feature, FeatureCollection
from pipelines.esrun.projection import Placed, Projection, to_pixels, utm_projection

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

PARTITIONS = "NoopPartitioner, GridPartitioner and ChunkPartitioner"
WINDOWS = "GridPartitioner, FixedWindowPartitioner, ReprojectionPartitioner and ChunkPartitioner"


class PartitionInterface:
    """Subclass it, write one or both methods, and name your class by its class_path in esrun.yaml.

    The class is looked for on PYTHONPATH, then in the project directory. Parameters of `__init__` are the
    keys of init_args; a parameter of type Projection is read from crs, x_resolution and y_resolution. Raise
    ValueError or BadInput in `__init__` for values that cannot be. The same request must always give the
    same list in the same order: partitions are named by their place in it.

    Args:
        output_projection: of the windows; None means the UTM zone of each feature at 10 m a pixel.
        use_utm: take the UTM zone of each feature, and of ``output_projection`` the resolution only.

    Attributes:
        covers: whether windows lie side by side over a feature, so that those that miss it can go; otherwise
            each window is kept.
    """

    covers = False

    def __init__(self, output_projection: Projection | None = None, use_utm: bool = False):
        if isinstance(output_projection, Mapping):  # handed on as `**kwargs` by a class that does not name it
            output_projection = Projection.from_json(output_projection)
        if not isinstance(output_projection, Projection | None):
            raise ValueError(
                f"output_projection: {output_projection!r} is no projection (crs, x_resolution, y_resolution)"
            )
        self.output_projection = output_projection
        self.use_utm = use_utm

    def partition_request_geometry(self, request: FeatureCollection) -> list[FeatureCollection]:
        """Split a request, in lon/lat degrees; each collection becomes a partition and its jobs.

        Properties, the times among them, must be handed on. Raises BadInput: this class does windows only.
        """
        self._cannot("split a request into partitions", PARTITIONS)

    def prepare_window_geometries(self, request: FeatureCollection) -> list[tuple[Feature, Placed]]:
        """The windows of a partition: for each the feature that asks for it, and its shape in pixels.

        A window becomes the whole pixels round its shape. Raises BadInput: this class does partitions only.
        """
        self._cannot("prepare windows", WINDOWS)

    def projection_of(self, shape: BaseGeometry) -> Projection:
        """The projection of the windows of a ``shape`` in lon/lat."""
        chosen = self.output_projection
        if chosen is None:
            return utm_projection(shape)
        if self.use_utm:
            return utm_projection(shape, chosen.x_resolution, chosen.y_resolution)
        return chosen

    def placed(self, shape: BaseGeometry) -> Placed:
        """A ``shape`` in lon/lat in the pixels of its windows. Raises BadInput: it lies outside the CRS."""
        projection = self.projection_of(shape)
        found = to_pixels(shape, projection)
        if not all(map(math.isfinite, found.bounds)):
            raise BadInput(f"a feature at {shape.bounds} lies outside of {projection.crs}")
        return Placed(projection, found)

    def _cannot(self, task: str, able: str) -> NoReturn:
        raise BadInput(f"{type(self).__name__} cannot {task}", hint=f"{able} can")
