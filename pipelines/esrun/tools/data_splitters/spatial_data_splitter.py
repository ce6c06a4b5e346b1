"""Splits by neighbourhood: what lies close together is never in two of them.

Splits by chance stand in random_data_splitter.py.
"""

from __future__ import annotations

from pipelines.esrun.labelled_windows import LabeledWindow
from pipelines.esrun.proportions import Proportions
from pipelines.esrun.tools.data_splitters.data_splitter_interface import DataSplitterInterface


class SpatialDataSplitter(DataSplitterInterface):
    """All windows whose upper left corner lies in one cell of a grid share the split, a hash of that cell.

    Args:
        grid_size: width of a cell in pixels of the windows' projection.

    Raises:
        ValueError: proportions that do not sum to 1 within 1e-6, a grid_size below 1.
    """

    def __init__(self, train_prop: float, val_prop: float, test_prop: float, grid_size: int):
        if grid_size < 1:
            raise ValueError(f"grid_size: {grid_size} is not above 0")
        self.proportions = Proportions(train_prop, val_prop, test_prop)
        self.grid_size = grid_size

    def choose_split_for_window(self, labeled_window: LabeledWindow) -> str:
        left, top = labeled_window.bounds[:2]
        cell = (labeled_window.projection.crs, left // self.grid_size, top // self.grid_size)
        return self.proportions.split(" ".join(map(str, cell)))
