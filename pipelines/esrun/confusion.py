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
    """Counts of pixels (or of features): ``matrix[i][j]`` are predicted as class i and are of class j."""

    names: Sequence[str]
    matrix: Matrix

    @property
    def total(self) -> int:
        return int(self.matrix.sum())

    def accuracy(self) -> float:
        """Share of the right ones; needs ``total`` above 0."""
        return float(self.matrix.trace() / self.total)

    def per_class(self) -> list[dict[str, Any]]:
        """Precision, recall and F1 of each class; 0 where there is nothing to divide by."""
        right = self.matrix.diagonal()
        predicted, actual = self.matrix.sum(axis=1), self.matrix.sum(axis=0)
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
        right, either = self.matrix.diagonal(), self._either()
        return self._mean([_ratio(r, e - r) for r, e in zip(right, either, strict=True)])

    def to_json(self) -> dict[str, Any]:
        """The document `confusion_matrix.json`."""
        return {
            "class_names": list(self.names),
            "matrix": self.matrix.tolist(),
            "total_pixels": self.total,
            "overall_accuracy": self.accuracy(),
            "mean_f1_score": self.macro_f1(),
            "per_class_metrics": self.per_class(),
        }

    def _either(self) -> Matrix:
        found: Matrix = self.matrix.sum(axis=0) + self.matrix.sum(axis=1)
        return found

    def _mean(self, values: Sequence[float]) -> float:
        there = [value for value, count in zip(values, self._either(), strict=True) if count]
        return sum(there) / len(there)


def count(predicted: np.ndarray[Any, Any], actual: np.ndarray[Any, Any], classes: int) -> Matrix:
    """The matrix of two arrays of class numbers; where either is not in [0, classes) nothing is counted."""
    import numpy as np

    both = (predicted >= 0) & (predicted < classes) & (actual >= 0) & (actual < classes)
    pairs = predicted[both].astype(np.int64) * classes + actual[both]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def _ratio(part: Any, whole: Any) -> float:
    return float(part / whole) if whole else 0.0
