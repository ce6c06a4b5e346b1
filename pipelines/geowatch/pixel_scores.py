"""Ranking metrics of pixels from histograms of scores: average precision and area under the ROC curve.

Counts of two classes per bin are all that is kept, so a dataset of any size is scored in constant memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

BINS = 1024


@dataclass(frozen=True, eq=False)
class Histogram:
    """Pixels by score, int64 (BINS,) each; bin i holds scores from i / BINS, and the last one 1.0 too."""

    positive: np.ndarray
    negative: np.ndarray

    def __add__(self, other: Histogram) -> Histogram:
        return Histogram(self.positive + other.positive, self.negative + other.negative)

    @property
    def n_positive(self) -> int:
        """True pixels."""
        return int(self.positive.sum())

    @property
    def n_negative(self) -> int:
        """The other scored pixels."""
        return int(self.negative.sum())


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision, recall and false positive rate at falling thresholds, (BINS,) each; NaN is 0 / 0."""

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    fpr: np.ndarray


def empty() -> Histogram:
    """No pixels."""
    import numpy as np

    return Histogram(np.zeros(BINS, dtype=np.int64), np.zeros(BINS, dtype=np.int64))


def histogram(scores: np.ndarray, truth: np.ndarray) -> Histogram:
    """Count scores in 0..1 against boolean ``truth`` of the same shape, but for NaN scores."""
    import numpy as np

    known = ~np.isnan(scores)
    bins = np.minimum((scores[known] * BINS).astype(np.int64), BINS - 1)
    true = truth[known]
    return Histogram(np.bincount(bins[true], minlength=BINS), np.bincount(bins[~true], minlength=BINS))


def curve(counts: Histogram) -> Curve:
    """Every operating point, from the strictest threshold to 0."""
    import numpy as np

    tp, fp = np.cumsum(counts.positive[::-1]), np.cumsum(counts.negative[::-1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return Curve(
            thresholds=np.arange(BINS - 1, -1, -1) / BINS,
            precision=tp / (tp + fp),
            recall=tp / counts.n_positive,
            fpr=fp / counts.n_negative,
        )


def average_precision(counts: Histogram) -> float | None:
    """Sum of precision times gain in recall, as scikit-learn's; None without a true pixel."""
    import numpy as np

    if counts.n_positive == 0:
        return None
    points = curve(counts)
    gains = np.diff(points.recall, prepend=0.0)
    return float(np.sum(np.where(gains > 0, points.precision, 0.0) * gains))


def area_under_roc(counts: Histogram) -> float | None:
    """The chance that a true pixel outscores another, ties counted half; None where a class is absent."""
    import numpy as np

    if counts.n_positive == 0 or counts.n_negative == 0:
        return None
    points = curve(counts)
    return float(np.trapezoid(np.append(0.0, points.recall), np.append(0.0, points.fpr)))
