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
    matrix = count(predicted, actual, 2)
    assert matrix.tolist() == [[1, 1], [1, 1]]  # rows predicted, columns actual; two pixels do not count
    found = Confusion(("a", "b"), np.array([[3, 1], [0, 4]]))
    assert found.to_json() == {
        "class_names": ["a", "b"],
        "matrix": [[3, 1], [0, 4]],
        "total_pixels": 8,
        "overall_accuracy": 7 / 8,
        "mean_f1_score": pytest.approx((6 / 7 + 8 / 9) / 2),
        "per_class_metrics": [
            {"class_name": "a", "precision": 0.75, "recall": 1.0, "f1_score": pytest.approx(6 / 7),
             "ground_truth_pixel_count": 3},
            {"class_name": "b", "precision": 1.0, "recall": 0.8, "f1_score": pytest.approx(8 / 9),
             "ground_truth_pixel_count": 5},
        ],
    }  # fmt: skip
    assert found.mean_iou() == pytest.approx((3 / 4 + 4 / 5) / 2)


def test_a_class_that_is_nowhere_does_not_count():
    matrix = np.array([[5, 0, 0], [0, 5, 0], [0, 0, 0]])
    assert Confusion("abc", matrix).macro_f1() == Confusion("abc", matrix).mean_iou() == 1.0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_as_scikit_learn_has_it(pairs):
    predicted, actual = np.array(pairs).T
    found = Confusion("abcd", count(predicted, actual, 4))
    assert (sklearn_metrics.confusion_matrix(actual, predicted, labels=range(4)) == found.matrix.T).all()
    assert found.accuracy() == pytest.approx(sklearn_metrics.accuracy_score(actual, predicted))
    options = {"average": "macro", "zero_division": 0}
    assert found.macro_f1() == pytest.approx(sklearn_metrics.f1_score(actual, predicted, **options))
    assert found.mean_iou() == pytest.approx(sklearn_metrics.jaccard_score(actual, predicted, **options))
    each = sklearn_metrics.precision_recall_fscore_support(
        actual, predicted, labels=range(4), zero_division=0
    )
    mine = [[one[key] for one in found.per_class()]
            for key in ("precision", "recall", "f1_score", "ground_truth_pixel_count")]  # fmt: skip
    np.testing.assert_allclose(mine, each)
