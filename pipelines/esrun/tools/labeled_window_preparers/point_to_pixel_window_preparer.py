"""Points as windows of one pixel.

Windows round a point stand in point_to_raster_window_preparer.py.
"""

from __future__ import annotations

from pipelines.esrun.annotations import AnnotationTask
from pipelines.esrun.labelled_windows import LabeledWindow
from pipelines.esrun.pixels_of_points import windows_round
from pipelines.esrun.rasterizing import resolution
from pipelines.esrun.tools.labeled_window_preparers.labeled_window_preparer import VectorLabelsWindowPreparer


class PointToPixelWindowPreparer(VectorLabelsWindowPreparer):
    """Each point becomes the pixel that holds it, in its own UTM zone, with the point as its label.

    Args:
        window_resolution: width of a pixel in metres.
    """

    def __init__(self, window_resolution: float = 10.0):
        self.window_resolution = resolution(window_resolution)

    def check(self, annotation_task: AnnotationTask) -> None:
        for annotation in annotation_task.annotations:
            annotation.need("Point")

    def prepare_labeled_windows(self, annotation_task: AnnotationTask) -> list[LabeledWindow]:
        self.check(annotation_task)
        task = annotation_task
        return [
            LabeledWindow(name, projection, bounds, task.time_range, (annotation,), task.task_id)
            for annotation, name, projection, bounds in windows_round(task, self.window_resolution)
        ]
