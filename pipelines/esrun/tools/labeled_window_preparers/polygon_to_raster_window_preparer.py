"""Areas with labelled polygons as rasters of classes.

Burning of shapes stands in pipelines/esrun/rasterizing.py, cutting into cells in gridding.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pipelines.errors import BadInput
from pipelines.esrun.annotations import AnnotationTask
from pipelines.esrun.gridding import GridConfig
from pipelines.esrun.labelled_windows import LabeledWindow, RasterLabel, window_name
from pipelines.esrun.projection import Bounds, Projection, pixel_bounds, to_pixels, utm_projection
from pipelines.esrun.rasterizing import MOST, Shapes, check_label, check_nodata, resolution
from pipelines.esrun.tools.labeled_window_preparers.labeled_window_preparer import RasterLabelsWindowPreparer

AREAS = ("Polygon", "MultiPolygon")


class PolygonToRasterWindowPreparer(RasterLabelsWindowPreparer):
    """The bounds of a task become one window, or a grid of them, with a uint8 class of every pixel.

    The window lies in the UTM zone of the task's centroid and holds every pixel that the task's bounds touch.
    A pixel has the class of the last polygon, in the order of the file, that holds its centre; pixels beyond
    those bounds, with which PAD_TO_FILL pads, have none. Windows without any class are left out.

    Args:
        window_resolution: width of a pixel in metres.
        nodata_value: of pixels in no polygon.
        grid_config: mapping of `window_size_px` and `gridding_strategy`, see `GridConfig`; None: one window.
        drop_inconsistent_utm: leave out a task with an annotation whose centroid lies in another UTM zone
            than the task's, instead of raising an error.
    """

    def __init__(
        self,
        window_resolution: float = 10.0,
        nodata_value: int = 255,
        grid_config: Mapping[str, Any] | None = None,
        drop_inconsistent_utm: bool = False,
    ):
        check_nodata(nodata_value, self.label_dtype)
        self.window_resolution, self.nodata_value = resolution(window_resolution), nodata_value
        self.grid = None if grid_config is None else GridConfig.from_json(grid_config)
        self.drop_inconsistent_utm = drop_inconsistent_utm

    def check(self, annotation_task: AnnotationTask) -> None:
        name = f"task {annotation_task.task_id}"
        if annotation_task.geometry.geom_type not in AREAS:
            raise BadInput(
                f"{name} is a {annotation_task.geometry.geom_type}; wanted is a {' or '.join(AREAS)}"
            )
        for annotation in annotation_task.annotations:
            annotation.need(*AREAS)
            check_label(annotation, self.label_dtype, self.nodata_value)
        stray = self._stray(annotation_task)
        if stray is not None and not self.drop_inconsistent_utm:
            raise BadInput(f"{name} spans UTM zones: {stray}", hint="see drop_inconsistent_utm")
        left, top, right, bottom = self._bounds(annotation_task)
        if self.grid is None and (right - left) * (bottom - top) > MOST:
            raise BadInput(f"{name} has {right - left} x {bottom - top} pixels", hint="give a grid_config")

    def prepare_labeled_windows(self, annotation_task: AnnotationTask) -> list[LabeledWindow]:
        self.check(annotation_task)
        task, stray = annotation_task, self._stray(annotation_task)
        if stray is not None:
            click.echo(f"warning: task {task.task_id} spans UTM zones ({stray}), it is left out", err=True)
            return []
        bounds, projection = self._bounds(task), self._projection(task)
        cells = [bounds] if self.grid is None else self.grid.cells(bounds)
        if not cells:
            click.echo(f"warning: task {task.task_id} is smaller than a window, it is left out", err=True)
        found, shapes = [], Shapes(task.annotations, projection)
        for cell in cells:
            values = shapes.burn(cell, bounds, self.nodata_value, self.label_dtype)
            if values is not None:
                name = window_name(task, projection, cell)
                label = RasterLabel(values, self.nodata_value)
                found.append(LabeledWindow(name, projection, cell, task.time_range, label, task.task_id))
        return found

    def _projection(self, task: AnnotationTask) -> Projection:
        return utm_projection(task.geometry, self.window_resolution, -self.window_resolution)

    def _bounds(self, task: AnnotationTask) -> Bounds:
        return pixel_bounds(to_pixels(task.geometry, self._projection(task)).bounds)

    def _stray(self, task: AnnotationTask) -> str | None:
        """What of the task lies in another zone than its centroid."""
        zone = self._projection(task).crs
        for annotation in task.annotations:
            other = utm_projection(annotation.geometry).crs
            if other != zone:
                return f"it lies in {zone}, {annotation.place} in {other}"
        return None
