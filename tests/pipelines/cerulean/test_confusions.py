"""Confusion matrices and their scores against scikit-learn and counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.cerulean import confusion_pictures, pixel_metrics
from pipelines.cerulean.confusions import Confusion
from pipelines.cerulean.instance_metrics import Case
from pipelines.cerulean.matching import IGNORED, cropped

sklearn_metrics = pytest.importorskip("sklearn.metrics")
NAMES = ("background", "infra_slick", "natural_seep", "recent_vessel")
numbers = st.sampled_from([0, 1, 2, 3])


def pictures(elements):
    return arrays.arrays(np.uint8, (7, 5), elements=elements)


@given(pictures(st.sampled_from([0, 1, 2, 3, IGNORED])), pictures(numbers))
def test_pixels_as_scikit_learn_counts_them(truth, found):
    counts = pixel_metrics.count(truth, found, 4)
    known = truth != IGNORED
    if known.any():
        theirs = sklearn_metrics.confusion_matrix(truth[known], found[known], labels=range(4))
        assert (counts == theirs).all()
    else:
        assert counts.sum() == 0


def slicks(seed, shape, scored=True):
    """Random masks that lie over one another, with their numbers and scores (some of them equal)."""
    random = np.random.default_rng(seed)
    scores = random.integers(0, 4, 6) / 4 if scored else np.ones(6)
    drawn = zip(random.integers(0, 4, 6), scores, random.random((6, *shape)) > 0.6, strict=True)
    return [(int(number), float(score), mask) for number, score, mask in drawn]


@pytest.mark.parametrize("pixels", [1, 40, 10**6])
def test_upper_layers_and_surer_polygons_count_whatever_the_strips(pixels, monkeypatch):
    shape = (37, 11)
    layers, polygons = slicks(0, shape, scored=False), slicks(1, shape)
    truth, found = np.zeros((2, *shape), int)
    for number, _, mask in layers:
        truth[mask] = number
    surest = np.full(shape, -1.0)
    for number, score, mask in polygons:
        above = mask & (score > surest)
        found[above], surest[above] = number, score
    monkeypatch.setattr(pixel_metrics, "STRIP", pixels)
    case = Case("s", shape, *([cropped(*one) for one in some] for some in (layers, polygons)))
    theirs = sklearn_metrics.confusion_matrix(truth.ravel(), found.ravel(), labels=range(4))
    assert (pixel_metrics.count_case(case, 4) == theirs).all()


@given(pictures(numbers), pictures(numbers))
def test_scores_as_scikit_learn_has_them(truth, found):
    true, said = truth.ravel(), found.ravel()
    matrix = Confusion(NAMES, pixel_metrics.count(truth, found, 4))
    rows = list(matrix.per_class().values())
    options = {"labels": range(4), "average": None, "zero_division": np.nan}
    for measure, theirs in (
        ("precision", sklearn_metrics.precision_score(true, said, **options)),
        ("recall", sklearn_metrics.recall_score(true, said, **options)),
        ("f1", sklearn_metrics.f1_score(true, said, **options)),
    ):
        ours = [np.nan if row[measure] is None else row[measure] for row in rows]
        assert ours == pytest.approx(theirs, nan_ok=True)
        known = theirs[1:][~np.isnan(theirs[1:])]
        mean = matrix.macro()[measure]
        assert mean == (pytest.approx(known.mean()) if len(known) else None)
    there = [place for place in range(4) if rows[place]["iou"] is not None]
    jaccard = sklearn_metrics.jaccard_score(true, said, labels=there, average=None)
    assert [rows[place]["iou"] for place in there] == pytest.approx(jaccard)


@given(pictures(numbers), pictures(numbers))
def test_slick_against_background_is_blind_to_the_class(truth, found):
    slick = Confusion(NAMES, pixel_metrics.count(truth, found, 4)).slick()
    true, said = truth.ravel() > 0, found.ravel() > 0
    if true.any() or said.any():
        assert slick["f1"] == pytest.approx(sklearn_metrics.f1_score(true, said, zero_division=0))
        assert slick["iou"] == pytest.approx(sklearn_metrics.jaccard_score(true, said, zero_division=0))
    else:
        assert set(slick.values()) == {None}


def test_a_class_that_is_nowhere_has_no_scores_and_no_part_in_means():
    found = Confusion(NAMES, np.diag([90, 6, 0, 4]))
    assert found.per_class()["natural_seep"] == {
        "precision": None, "recall": None, "f1": None, "iou": None, "true": 0, "found": 0,
    }  # fmt: skip
    assert set(found.macro().values()) == {1.0}


def test_a_class_that_is_missed_throughout_has_f1_0():
    counts = np.zeros((4, 4), int)
    counts[2, 0] = 5
    row = Confusion(NAMES, counts).per_class()["natural_seep"]
    assert (row["precision"], row["recall"], row["f1"], row["iou"]) == (None, 0.0, 0.0, 0.0)
    assert Confusion(NAMES, counts).slick() == {"precision": None, "recall": 0.0, "f1": 0.0, "iou": 0.0}


def test_normalised_by_truth_and_by_prediction():
    found = Confusion(NAMES[:3], np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]]))
    assert found.normalised("truth")[:2].tolist() == [[0.75, 0.25, 0.0], [0.25, 0.75, 0.0]]
    assert found.normalised("prediction")[:, :2].T.tolist() == [[6 / 7, 1 / 7, 0.0], [0.4, 0.6, 0.0]]
    assert np.isnan(found.normalised("truth")[2]).all()
    assert np.isnan(found.normalised("prediction")[:, 2]).all()


def test_a_picture_is_drawn_the_same_each_time(tmp_path):
    found = Confusion(NAMES, np.array([[9e8, 12345, 0, 7], [3, 40, 0, 0], [0, 0, 0, 0], [1, 2, 0, 5]]))
    for name in ("a.png", "b.png"):
        confusion_pictures.draw(tmp_path / name, found, "pixels")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    other = Confusion(NAMES, found.counts.T)
    confusion_pictures.draw(tmp_path / "b.png", other, "pixels")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1k"), (12345, "12.3k"), (999_499, "999k"), (999_500, "1M"),
     (400_000_000, "400M")],
)  # fmt: skip
def test_counts_in_pictures_are_short(number, text):
    assert confusion_pictures.shortened(number) == text
