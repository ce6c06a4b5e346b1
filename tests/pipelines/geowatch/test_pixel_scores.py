"""AP and AUC from histograms, against scikit-learn on the same scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from pipelines.geowatch import pixel_scores
from pipelines.geowatch.pixel_scores import BINS, area_under_roc, average_precision, histogram


@given(
    scores=st.lists(st.integers(0, BINS - 1), min_size=2, max_size=200),
    seed=st.integers(0, 1000),
)
def test_metrics_of_scores_on_bins_are_those_of_scikit_learn(scores, seed):
    values = np.array(scores) / BINS
    truth = np.random.default_rng(seed).random(len(values)) < 0.5
    truth[:2] = True, False  # both classes
    counts = histogram(values, truth)
    assert average_precision(counts) == pytest.approx(average_precision_score(truth, values), abs=1e-12)
    assert area_under_roc(counts) == pytest.approx(roc_auc_score(truth, values), abs=1e-12)


def test_continuous_scores_differ_from_scikit_learn_by_less_than_a_bin():
    random = np.random.default_rng(7)
    truth = random.random(100_000) < 0.1
    scores = np.clip(0.3 * truth + 0.2 * random.standard_normal(truth.size) + 0.4, 0, 1).astype(np.float32)
    counts = histogram(scores, truth)
    assert average_precision(counts) == pytest.approx(average_precision_score(truth, scores), abs=1e-3)
    assert area_under_roc(counts) == pytest.approx(roc_auc_score(truth, scores), abs=1e-4)


def test_parts_add_up_to_the_whole():
    random = np.random.default_rng(1)
    scores, truth = random.random((20, 30)), random.random((20, 30)) < 0.3
    parts = histogram(scores[:7], truth[:7]) + histogram(scores[7:], truth[7:])
    whole = histogram(scores, truth)
    assert (parts.positive == whole.positive).all()
    assert (parts.negative == whole.negative).all()


def test_nodata_is_not_counted():
    counts = histogram(np.array([0.1, np.nan, 1.0, np.nan]), np.array([False, True, True, False]))
    assert (counts.n_positive, counts.n_negative) == (1, 1)
    assert average_precision(counts) == area_under_roc(counts) == 1.0


@pytest.mark.parametrize(
    ("truth", "ap", "auc"),
    [
        ([False, False], None, None),  # nothing to find
        ([True, True], 1.0, None),  # nothing else
    ],
)
def test_an_absent_class(truth, ap, auc):
    counts = histogram(np.array([0.2, 0.8]), np.array(truth))
    assert (average_precision(counts), area_under_roc(counts)) == (ap, auc)


def test_no_pixels():
    assert average_precision(pixel_scores.empty()) is None
    assert area_under_roc(pixel_scores.empty()) is None


def test_a_constant_score_is_chance():
    counts = histogram(np.full(10, 0.5), np.arange(10) < 3)
    assert average_precision(counts) == pytest.approx(0.3)
    assert area_under_roc(counts) == pytest.approx(0.5)
