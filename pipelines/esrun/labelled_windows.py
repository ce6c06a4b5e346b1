"""A window with labels, as preparers make them and splitters see them.

How it is made, split and written does not belong here.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.esrun.annotations import Annotation, AnnotationTask
from pipelines.esrun.features import TimeRange
from pipelines.esrun.projection import Bounds, Projection

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class RasterLabel:
    """Classes, or measured numbers, of the pixels of a window.

    Attributes:
        values: height x width.
        nodata_value: of pixels that nobody labelled.
    """

    values: np.ndarray
    nodata_value: float = 255


@dataclass(frozen=True, eq=False)
class LabeledWindow:
    """A window and its labels.

    Attributes:
        name: no other window of the project may have it.
        bounds: left, top, right, bottom in pixels of the projection; right and bottom are outside.
        labels: labelled shapes, or a raster of the window's size.
        task_id: of the task that it stems from.
    """

    name: str
    projection: Projection
    bounds: Bounds
    time_range: TimeRange | None
    labels: tuple[Annotation, ...] | RasterLabel
    task_id: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        left, top, right, bottom = self.bounds
        return bottom - top, right - left


def window_name(task: AnnotationTask, projection: Projection, bounds: Bounds, number: int = 0) -> str:
    """A name that stays the same whatever the order of annotations, fit for a folder's name.

    Where the task's id is not, 8 letters of its hash tell it from another that looks alike then.

    Args:
        number: counts the task's windows on the very same pixels.
    """
    words = ["task", task.task_id, projection.crs.rpartition(":")[2], *map(str, bounds[:2])]
    text = "_".join(words + ([str(number)] if number else []))
    fit = re.sub(r"[^\w.-]", "-", text)
    return fit if fit == text else f"{fit}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
