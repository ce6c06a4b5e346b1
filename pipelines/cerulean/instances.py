"""Instances of slicks in a tile: the connected pixels of a class that a model holds for likely.

Which of them stay is decided in suppression.py; their outlines are drawn in polygons.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: The number that predictions are stored with in place of the probability 1.
FULL = 65535


@dataclass(frozen=True, eq=False)
class Instances:
    """What a model found in a tile: n instances, the order being theirs who made them.

    Attributes:
        shape: height and width of the tile in pixels.
        boxes: (n, 4) int64, left, top, right, bottom edges in pixels of the tile; right and bottom lie beyond
            the last pixel.
        labels: (n,) int64, the model's numbers of their classes; never 0, which is background.
        scores: (n,) float64 in [0, 1].
        masks: confidence of every pixel of a box, float64 (bottom - top, right - left); 0 where the box holds
            what is not the instance's.
    """

    shape: tuple[int, int]
    boxes: NDArray[np.int64]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    masks: tuple[NDArray[np.float64], ...]

    @staticmethod
    def none(shape: tuple[int, int]) -> Instances:
        """No instances; their boxes are of shape (0, 4) all the same.

        >>> Instances.none((512, 512)).boxes.shape
        (0, 4)
        """
        empty = np.zeros(0, np.int64)
        return Instances(shape, np.zeros((0, 4), np.int64), empty, np.zeros(0), ())

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def peaks(self) -> NDArray[np.float64]:
        """(n,) highest confidence of a pixel of each."""
        return np.array([mask.max(initial=0.0) for mask in self.masks], np.float64)

    def take(self, places: NDArray[np.intp]) -> Instances:
        """Those at these places, in this order."""
        masks = tuple(self.masks[place] for place in places)
        return Instances(self.shape, self.boxes[places], self.labels[places], self.scores[places], masks)

    def full(self, place: int) -> NDArray[np.float64]:
        """The mask of one of them over the whole tile, (height, width)."""
        left, top, right, bottom = self.boxes[place]
        tile = np.zeros(self.shape)
        tile[top:bottom, left:right] = self.masks[place]
        return tile


def candidates(probabilities: NDArray[np.uint16], conf_threshold: float | None) -> Instances:
    """The 8-connected components of every class but background, surest first.

    The score of one is the mean probability of its class over its pixels. Components of two classes may hold
    the same pixels. Pixels of probability 0, such as those of nodata, belong to none.

    Args:
        probabilities: (classes, height, width), `FULL` standing for 1; background first.
        conf_threshold: a class's pixels are those where it is as likely as this or likelier; None: where no
            other class is likelier (of two that are as likely, the one of the lower number has the pixel).
    """
    shape = probabilities.shape[1:]
    best = np.argmax(probabilities, axis=0) if conf_threshold is None else None
    found = []
    for number in range(1, len(probabilities)):
        levels = probabilities[number]
        chosen = levels >= _level(conf_threshold) if best is None else best == number
        found += [(number, *one) for one in _components(levels, chosen)]
    if not found:
        return Instances.none(shape)
    # Of two scores that are the same, a fixed one must come first: suppression goes by the order.
    found.sort(key=lambda one: (-one[2], one[0], one[1][1], one[1][0]))
    numbers, boxes, scores, masks = zip(*found, strict=True)
    return Instances(
        shape, np.array(boxes, np.int64), np.array(numbers, np.int64), np.array(scores, np.float64), masks
    )


def label_map(probabilities: NDArray[np.uint16], conf_threshold: float | None) -> NDArray[np.uint8]:
    """The likeliest class of every pixel, (height, width); background (0) where that is below the threshold.

    Of two classes that are as likely, the one of the lower number has the pixel; so nodata is background.

    Args:
        probabilities: see `candidates`.
        conf_threshold: None sets no bound.

    >>> label_map(np.array([[[30000]], [[35535]]], np.uint16), 0.6)
    array([[0]], dtype=uint8)
    """
    best = np.argmax(probabilities, axis=0).astype(np.uint8)
    best[probabilities.max(axis=0) < _level(conf_threshold)] = 0
    return best


def _level(threshold: float | None) -> int:
    """The lowest stored number, never 0, whose probability is as high as the threshold or higher."""
    if threshold is None:
        return 1
    return max(int(np.searchsorted(np.arange(FULL + 1) / FULL, threshold)), 1)


def _components(
    levels: NDArray[np.uint16], chosen: NDArray[np.bool_]
) -> Iterator[tuple[tuple[int, int, int, int], float, NDArray[np.float64]]]:
    """Box, score and mask of each."""
    from scipy import ndimage

    if not chosen.any():
        return
    numbered, _ = ndimage.label(chosen, structure=np.ones((3, 3), bool))
    for number, (rows, cols) in enumerate(ndimage.find_objects(numbered), start=1):
        own = numbered[rows, cols] == number
        kept = np.where(own, levels[rows, cols], 0)
        # A sum of whole numbers is exact, so that a score on the threshold is on it.
        score = int(kept.sum(dtype=np.int64)) / (int(own.sum()) * FULL)
        yield (cols.start, rows.start, cols.stop, rows.stop), score, kept / FULL
