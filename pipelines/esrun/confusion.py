"""A confusion matrix and what follows from it.

What is counted, and where, does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Matrix = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Confusion:
    """Labelled pixels (or features), counted.

    Attributes:
        counts: (classes + 1, classes): ``counts[i][j]`` are predicted as class i and are of class j; the last
            row are those without a prediction. They are missed: recall, accuracy and IoU fall with them.
    """

    names: Sequence[str]
    counts: Matrix

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @property
    def missed(self) -> Matrix:
        """How many of each class have no prediction."""
        return self.counts[-1]

    def accuracy(self) -> float:
        """Share of the right ones; needs ``total`` above 0."""
        return float(self._right().sum() / self.total)

    def per_class(self) -> list[dict[str, Any]]:
        """Precision, recall and F1 of each class; 0 where there is nothing to divide by."""
        right, predicted, actual = self._right(), self._predicted(), self._actual()
        return [
            {
                "class_name": name,
                "precision": _ratio(right[i], predicted[i]),
                "recall": _ratio(right[i], actual[i]),
                "f1_score": _ratio(2 * right[i], predicted[i] + actual[i]),
                "ground_truth_pixel_count": int(actual[i]),
            }
            for i, name in enumerate(self.names)
        ]

    def macro_f1(self) -> float:
        """Mean F1 of the classes that are predicted or true anywhere, as scikit-learn has it."""
        return self._mean([one["f1_score"] for one in self.per_class()])

    def mean_iou(self) -> float:
        """Mean over the same classes of intersection over union."""
        either = self._predicted() + self._actual() - self._right()
        return self._mean([_ratio(*pair) for pair in zip(self._right(), either, strict=True)])

    def to_json(self) -> dict[str, Any]:
        """The document `confusion_matrix.json`; ``total_pixels`` are all, those without prediction, too."""
        return {
            "class_names": list(self.names),
            "matrix": self.counts[:-1].tolist(),
            "pixels_without_prediction": self.missed.tolist(),
            "total_pixels": self.total,
            "overall_accuracy": self.accuracy(),
            "mean_f1_score": self.macro_f1(),
            "per_class_metrics": self.per_class(),
        }

    def _right(self) -> Matrix:
        return self.counts.diagonal()

    def _predicted(self) -> Matrix:
        found: Matrix = self.counts[:-1].sum(axis=1)
        return found

    def _actual(self) -> Matrix:
        found: Matrix = self.counts.sum(axis=0)
        return found

    def _mean(self, values: Sequence[float]) -> float:
        either = self._predicted() + self._actual()
        there = [value for value, count in zip(values, either, strict=True) if count]
        return sum(there) / len(there)


def count(predicted: np.ndarray[Any, Any], actual: np.ndarray[Any, Any], classes: int) -> Matrix:
    """The counts of two arrays of class numbers.

    What is predicted outside of [0, classes) is no prediction; what is labelled outside of it does not count.
    """
    import numpy as np

    labelled = (actual >= 0) & (actual < classes)
    said = predicted[labelled].astype(np.int64)
    said[(said < 0) | (said >= classes)] = classes
    pairs = said * classes + actual[labelled]
    return np.bincount(pairs, minlength=(classes + 1) * classes).reshape(classes + 1, classes)


def _ratio(part: Any, whole: Any) -> float:
    return float(part / whole) if whole else 0.0
