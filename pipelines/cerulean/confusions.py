"""A confusion matrix with background as its first class, and the scores that follow from it.

What is counted (pixels in pixel_metrics.py, slicks in instance_metrics.py) does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

Scores = dict[str, float | None]
MEASURES = ("precision", "recall", "f1", "iou")


@dataclass(frozen=True, eq=False)
class Confusion:
    """Things counted by what they are and what they were found to be.

    Scores that would divide by zero are None: a class that is neither true nor found has none at all.

    Attributes:
        names: of the classes, background first.
        counts: int64 (classes, classes): ``counts[i][j]`` are of class i and found to be of class j.
    """

    names: Sequence[str]
    counts: np.ndarray

    def per_class(self) -> dict[str, Scores]:
        """Precision, recall, F1 and IoU of each class, background, too, and how many are true and found."""
        right = self.counts.diagonal()
        true, found = self.counts.sum(axis=1), self.counts.sum(axis=0)
        return {
            name: {**scores(right[i], true[i], found[i]), "true": int(true[i]), "found": int(found[i])}
            for i, name in enumerate(self.names)
        }

    def slick(self) -> Scores:
        """The same scores of slick against background, whatever the class of the slick."""
        slicks = self.counts[1:, 1:].sum()
        return scores(slicks, self.counts[1:].sum(), self.counts[:, 1:].sum())

    def macro(self) -> Scores:
        """The mean of each score over the classes but background that have it."""
        rows = list(self.per_class().values())[1:]
        return {measure: mean(row[measure] for row in rows) for measure in MEASURES}

    def normalised(self, by: Literal["truth", "prediction"]) -> np.ndarray:
        """float64 (classes, classes): shares of what is true, or of what was found; NaN of nothing."""
        import numpy as np

        whole = self.counts.sum(axis=1 if by == "truth" else 0, keepdims=True)
        return self.counts / np.where(whole > 0, whole, np.nan)


def scores(right: Any, true: Any, found: Any) -> Scores:
    """Scores of ``right`` among ``true`` and ``found``; F1 is 2 right / (true + found), as Dice is.

    >>> scores(1, 2, 1)["f1"], scores(0, 0, 0)["f1"], scores(0, 3, 0)["precision"]
    (0.6666666666666666, None, None)
    """
    return {
        "precision": ratio(right, found),
        "recall": ratio(right, true),
        "f1": ratio(2 * right, true + found),
        "iou": ratio(right, true + found - right),
    }


def ratio(part: Any, whole: Any) -> float | None:
    """None where there is nothing to divide by."""
    return float(part / whole) if whole else None


def mean(values: Any) -> float | None:
    """Of those that are not None; None of none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
