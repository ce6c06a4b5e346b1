"""Points as the middle of square windows.

Windows of one pixel stand in point_to_pixel_window_preparer.py.
"""

from __future__ import annotations

from pipelines.esrun.annotations import AnnotationTask
from pipelines.esrun.labelled_windows import LabeledWindow, RasterLabel
from pipelines.esrun.pixels_of_points import windows_round
from pipelines.esrun.rasterizing import check_label, check_nodata, check_size, resolution
from pipelines.esrun.tools.labeled_window_preparers.labeled_window_preparer import RasterLabelsWindowPreparer


class PointToRasterWindowPreparer(RasterLabelsWindowPreparer):
    """Each point becomes a window of 2 * buffer + 1 pixels a side, in its own UTM zone.

    The pixel in the middle, which holds the point, has its label; all others are nodata.

    Args:
        window_buffer: pixels on each side of the one in the middle.
        window_resolution: width of a pixel in metres.
        dtype: type of the labels, such as uint8, or float32 for measured numbers.
    """

    def __init__(self, window_buffer: int, window_resolution: float, dtype: str, nodata_value: float):
        if window_buffer < 0:
            raise ValueError(f"window_buffer: {window_buffer} is below 0")
        check_size(2 * window_buffer + 1, "window_buffer")
        check_nodata(nodata_value, dtype)
        self.window_buffer, self.nodata_value, self.label_dtype = window_buffer, nodata_value, dtype
        self.window_resolution = resolution(window_resolution)

    def check(self, annotation_task: AnnotationTask) -> None:
        for annotation in annotation_task.annotations:
            annotation.need("Point")
            check_label(annotation, self.label_dtype, self.nodata_value)

    def prepare_labeled_windows(self, annotation_task: AnnotationTask) -> list[LabeledWindow]:
        import numpy as np

        self.check(annotation_task)
        found, task, buffer = [], annotation_task, self.window_buffer
        for annotation, name, projection, bounds in windows_round(task, self.window_resolution, buffer):
            values = np.full((2 * buffer + 1,) * 2, self.nodata_value, self.label_dtype)
            values[buffer, buffer] = annotation.label
            label = RasterLabel(values, self.nodata_value)
            found.append(LabeledWindow(name, projection, bounds, task.time_range, label, task.task_id))
        return found
