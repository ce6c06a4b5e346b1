"""Splits by chance, window by window.

Splits by neighbourhood stand in spatial_data_splitter.py.
"""

from __future__ import annotations

from pipelines.esrun.labelled_windows import LabeledWindow
from pipelines.esrun.proportions import Proportions
from pipelines.esrun.tools.data_splitters.data_splitter_interface import DataSplitterInterface


class RandomDataSplitter(DataSplitterInterface):
    """Weighted choice by a hash of the window's place and the seed.

    It is the same for any number of workers and any order of windows; windows on the very same pixels, at
    whatever time, share their split. None as seed is 0.

    Raises:
        ValueError: proportions that do not sum to 1 within 1e-6.
    """

    def __init__(self, train_prop: float, val_prop: float, test_prop: float, seed: int | None = None):
        self.proportions = Proportions(train_prop, val_prop, test_prop)
        self.seed = seed or 0

    def choose_split_for_window(self, labeled_window: LabeledWindow) -> str:
        place = labeled_window.projection
        words = (
            self.seed,
            place.crs,
            float(place.x_resolution),
            float(place.y_resolution),
            *labeled_window.bounds,
        )
        return self.proportions.split(" ".join(map(str, words)))
