"""The confusion matrix against a count by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.esrun.confusion import Confusion, count

sklearn_metrics = pytest.importorskip("sklearn.metrics")


def test_by_hand():
    predicted = np.array([[0, 0, 1], [1, -1, 1]])
    actual = np.array([[0, 1, 1], [0, 0, -1]])
    counts = count(predicted, actual, 2)
    assert counts.tolist() == [[1, 1], [1, 1], [1, 0]]  # predicted; actual from left to right; then missed
    found = Confusion(("a", "b"), np.array([[3, 1], [0, 4], [1, 3]]))
    assert found.to_json() == {
        "class_names": ["a", "b"],
        "matrix": [[3, 1], [0, 4]],
        "pixels_without_prediction": [1, 3],
        "total_pixels": 12,
        "overall_accuracy": 7 / 12,
        "mean_f1_score": pytest.approx((6 / 8 + 8 / 12) / 2),
        "per_class_metrics": [
            {"class_name": "a", "precision": 0.75, "recall": 0.75, "f1_score": pytest.approx(6 / 8),
             "ground_truth_pixel_count": 4},
            {"class_name": "b", "precision": 1.0, "recall": 0.5, "f1_score": pytest.approx(8 / 12),
             "ground_truth_pixel_count": 8},
        ],
    }  # fmt: skip
    assert found.mean_iou() == pytest.approx((3 / 5 + 4 / 8) / 2)


def test_a_class_that_is_nowhere_does_not_count():
    counts = np.array([[5, 0, 0], [0, 5, 0], [0, 0, 0], [0, 0, 0]])
    assert Confusion("abc", counts).macro_f1() == Confusion("abc", counts).mean_iou() == 1.0


def test_nothing_predicted_is_nothing_right():
    found = Confusion("ab", count(np.array([-1, -1]), np.array([0, 1]), 2))
    assert found.macro_f1() == found.mean_iou() == found.accuracy() == 0.0


NONE = -1  # scikit-learn gets it as one more class, which is never true and has no part in means


@given(st.lists(st.tuples(st.integers(NONE, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_as_scikit_learn_has_it(pairs):
    predicted, actual = np.array(pairs).T
    found = Confusion("abcd", count(predicted, actual, 4))
    whole = sklearn_metrics.confusion_matrix(actual, predicted, labels=[0, 1, 2, 3, NONE])
    assert (found.counts == whole[:4].T).all()
    assert found.accuracy() == pytest.approx(sklearn_metrics.accuracy_score(actual, predicted))
    there = sorted({*predicted.tolist(), *actual.tolist()} - {NONE})
    options = {"labels": there, "average": "macro", "zero_division": 0}
    assert found.macro_f1() == pytest.approx(sklearn_metrics.f1_score(actual, predicted, **options))
    assert found.mean_iou() == pytest.approx(sklearn_metrics.jaccard_score(actual, predicted, **options))
    each = sklearn_metrics.precision_recall_fscore_support(
        actual, predicted, labels=range(4), zero_division=0
    )
    mine = [[one[key] for one in found.per_class()]
            for key in ("precision", "recall", "f1_score", "ground_truth_pixel_count")]  # fmt: skip
    np.testing.assert_allclose(mine, each)
