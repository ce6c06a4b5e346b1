"""The pixel that holds a point, and square windows round it.

Their labels do not belong here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.esrun.annotations import Annotation, AnnotationTask
from pipelines.esrun.labelled_windows import window_name
from pipelines.esrun.projection import Bounds, Projection, to_pixels, utm_projection

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


def pixel_of(point: BaseGeometry, resolution: float) -> tuple[Projection, int, int]:
    """Projection of the UTM zone of a point in lon/lat, and column and row of the pixel that holds it.

    Args:
        resolution: width of a pixel in metres; rows count southward.
    """
    projection = utm_projection(point, resolution, -resolution)
    (place,) = to_pixels(point, projection).coords
    return projection, math.floor(place[0]), math.floor(place[1])


def windows_round(
    task: AnnotationTask, resolution: float, buffer: int = 0
) -> Iterator[tuple[Annotation, str, Projection, Bounds]]:
    """Name, projection and bounds of a square window round each point of a task.

    Args:
        buffer: pixels on each side of the one that holds the point.
    """
    seen = Counter[str]()
    for annotation in task.annotations:
        projection, column, row = pixel_of(annotation.geometry, resolution)
        bounds = (column - buffer, row - buffer, column + buffer + 1, row + buffer + 1)
        first = window_name(task, projection, bounds)
        yield annotation, window_name(task, projection, bounds, seen[first]), projection, bounds
        seen[first] += 1
