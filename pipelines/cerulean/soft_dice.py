"""Soft Dice: how far two masks of confidences are the same.

What is done with masks that are nearly the same does not belong here: see suppression.py.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Box = NDArray[np.int64]
Mask = NDArray[np.float64]


def soft_dice(u: Mask, v: Mask) -> float:
    """`2 sum(sqrt(u v)) / sum(u + v)` of two masks of one shape, as SkyTruth's cerulean-ml has it.

    Unlike there, it is 0 for two empty masks, which would otherwise be no number.

    >>> soft_dice(np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    0.6666666666666666
    >>> soft_dice(np.zeros(3), np.zeros(3))
    0.0
    """
    return _ratio(float(np.sqrt(u * v).sum()), float(u.sum() + v.sum()))


def soft_dice_in_boxes(u: Mask, box_u: Box, v: Mask, box_v: Box) -> float:
    """The same of two masks that are 0 outside their boxes and are given within these only.

    Args:
        u, v: (bottom - top, right - left) of their boxes.
        box_u, box_v: (4,) left, top, right, bottom edges in pixels of one grid.
    """
    left, top = np.maximum(box_u[:2], box_v[:2])
    right, bottom = np.minimum(box_u[2:], box_v[2:])
    if left >= right or top >= bottom:
        return 0.0
    common_u, common_v = (
        mask[top - box[1] : bottom - box[1], left - box[0] : right - box[0]]
        for mask, box in ((u, box_u), (v, box_v))
    )
    return _ratio(float(np.sqrt(common_u * common_v).sum()), float(u.sum() + v.sum()))


def _ratio(common: float, total: float) -> float:
    return 2 * common / total if total else 0.0
