"""The pixels of scenes, counted by true and by found class.

What follows from the counts stands in confusions.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.cerulean.instance_metrics import Case
from pipelines.cerulean.matching import IGNORED, painted

if TYPE_CHECKING:
    import numpy as np

STRIP = 2**22  # pixels at a time: the pairs take 8 bytes a pixel


def count_case(case: Case, classes: int) -> np.ndarray:
    """The counts (see `count`) of a scene: its upper layers cover lower ones, surer polygons less sure ones.

    Of equally sure polygons the one that comes first in its file lies above. Memory is that of a strip.
    """
    import numpy as np

    height, width = case.shape
    surest_last = sorted(reversed(case.found), key=lambda one: one.score)
    counts = np.zeros((classes, classes), np.int64)
    rows = max(1, STRIP // max(1, width))
    for top in range(0, height, rows):
        box = top, 0, min(top + rows, height), width
        counts += count(painted(case.layers, box), painted(surest_last, box), classes)
    return counts


def count(truth: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """int64 (classes, classes): how many pixels are of class i and found to be of class j.

    Args:
        truth, found: uint8 (height, width), numbers of classes; pixels that are truly `IGNORED` don't count.
    """
    import numpy as np

    known = truth != IGNORED
    pairs = truth[known].astype(np.int64) * classes + found[known]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
