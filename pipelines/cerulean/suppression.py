"""Which instances of a tile stay: by their score, by their surest pixel, and by those they repeat.

Outlines, the last step, belong to polygons.py. Every threshold may be None, which leaves its step out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.cerulean.instances import Instances
from pipelines.cerulean.soft_dice import soft_dice_in_boxes


def by_bbox_score(instances: Instances, threshold: float | None) -> Instances:
    """Those whose score is higher than the threshold."""
    if threshold is None:
        return instances
    return instances.take(np.flatnonzero(instances.scores > threshold))


def by_pixel_score(instances: Instances, threshold: float | None) -> Instances:
    """Those whose surest pixel is surer than the threshold."""
    if threshold is None:
        return instances
    return instances.take(np.flatnonzero(instances.peaks > threshold))


def not_repeated(instances: Instances, threshold: float | None) -> Instances:
    """Those whose soft Dice with none that stays before them exceeds the threshold, whatever their classes.

    Greedy non-maximum suppression on pixels: the first always stays, and one that goes takes none with it.
    """
    if threshold is None:
        return instances
    stays = np.ones(len(instances), bool)
    for place in range(len(instances)):
        if stays[place]:
            later = place + 1 + np.flatnonzero(stays[place + 1 :] & _meeting(instances.boxes, place))
            stays[[other for other in later.tolist() if _dice(instances, place, other) > threshold]] = False
    return instances.take(np.flatnonzero(stays))


def _meeting(boxes: NDArray[np.int64], place: int) -> NDArray[np.bool_]:
    """Whether each box after this one shares a pixel with it; soft Dice is 0 of those that do not."""
    box, later = boxes[place], boxes[place + 1 :]
    return ((later[:, :2] < box[2:]) & (box[:2] < later[:, 2:])).all(axis=1)


def _dice(instances: Instances, one: int, other: int) -> float:
    masks, boxes = instances.masks, instances.boxes
    return soft_dice_in_boxes(masks[one], boxes[one], masks[other], boxes[other])
