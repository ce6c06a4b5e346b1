"""Slicks compared one by one, against brute force over whole masks."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.cerulean import instance_metrics, matching
from pipelines.cerulean.instance_metrics import THRESHOLDS, Case
from pipelines.cerulean.matching import IGNORED, Instance, cropped

SHAPE = (6, 7)
NAMES = ("background", "infra_slick", "natural_seep")
masks = arrays.arrays(bool, SHAPE)
several = st.lists(masks, max_size=4)
drawn = st.lists(st.tuples(st.integers(1, 2), masks), max_size=4)


def whole(one: Instance) -> np.ndarray:
    return matching.painted([Instance(1, 1.0, one.row, one.col, one.mask)], (0, 0, *SHAPE)) > 0


def iou(a, b):
    either = (a | b).sum()
    return (a & b).sum() / either if either else 0.0


def rectangle(number, rows, cols, score=1.0):
    mask = np.zeros((20, 30), bool)
    mask[slice(*rows), slice(*cols)] = True
    return cropped(number, score, mask)


@given(masks)
def test_a_cropped_mask_is_the_mask(mask):
    one = cropped(1, 1.0, mask)
    assert (whole(one) == mask).all()
    assert one.area == mask.sum()
    rows, cols = np.nonzero(mask)
    if len(rows):
        assert one.box == (rows.min(), cols.min(), rows.max() + 1, cols.max() + 1)


@given(several, several)
def test_ious_are_those_of_whole_masks_and_of_their_boxes(first, second):
    a, b = ([cropped(1, 1.0, mask) for mask in some] for some in (first, second))
    ours = matching.mask_ious(a, b)
    assert ours.shape == (len(a), len(b))
    assert ours.tolist() == [[iou(x, y) for y in second] for x in first]
    boxes = matching.box_ious(a, b)
    for i, j in np.ndindex(boxes.shape):
        filled = [np.zeros(SHAPE, bool) for _ in "ab"]
        for picture, one in zip(filled, (a[i], b[j]), strict=True):
            top, left, bottom, right = one.box
            picture[top:bottom, left:right] = True
        assert boxes[i, j] == iou(*filled)


@given(masks, several)
def test_the_share_within_others_is_that_of_their_union(mask, others):
    one = cropped(1, 1.0, mask)
    union = np.logical_or.reduce([np.zeros(SHAPE, bool), *others])
    expected = (mask & union).sum() / mask.sum() if mask.any() else 0.0
    assert matching.share_within(one, [cropped(2, 1.0, other) for other in others]) == expected


@given(arrays.arrays(float, st.tuples(st.integers(0, 4), st.integers(0, 4)),
                     elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.6, 1.0])),
       st.sampled_from([0.1, 0.25, 0.5]))  # fmt: skip
def test_no_matching_has_more_pairs_or_as_many_that_are_more_alike(alike, threshold):
    wide = alike if alike.shape[0] <= alike.shape[1] else alike.T
    best = (0, 0.0)
    for columns in permutations(range(wide.shape[1]), wide.shape[0]):
        values = [wide[i, j] for i, j in enumerate(columns) if wide[i, j] >= threshold]
        best = max(best, (len(values), sum(values)))
    pairs = matching.assign(alike, threshold)
    assert (len(pairs), sum(alike[pair] for pair in pairs)) == (best[0], pytest.approx(best[1]))
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)


def test_a_slick_is_found_at_an_iou_that_equals_the_threshold():
    true, found = rectangle(1, (0, 1), (0, 20)), rectangle(1, (0, 1), (17, 20))
    case = instance_metrics.compare(Case("s", (20, 30), [true], [found]))
    assert case.masks.tolist() == [[0.15]]
    right = [instance_metrics.confusion([case], NAMES, threshold).counts[1, 1] for threshold in THRESHOLDS]
    assert right[:4] == [1, 1, 1, 0]
    assert len(THRESHOLDS) == 19
    assert THRESHOLDS[-1] == 0.95


def test_confusion_of_slicks_by_hand():
    layers = [
        rectangle(1, (0, 4), (0, 4)),  # found
        rectangle(2, (0, 4), (10, 14)),  # found as class 1
        rectangle(2, (10, 14), (0, 4)),  # missed
        rectangle(IGNORED, (10, 14), (10, 14)),
        rectangle(0, (15, 20), (0, 30)),  # drawn over as sea: nothing to be found
    ]
    found = [
        rectangle(1, (0, 4), (0, 4)),
        rectangle(1, (0, 4), (10, 13)),
        rectangle(2, (0, 4), (20, 24)),  # false
        rectangle(2, (12, 16), (10, 14)),  # half of it in the ignored one: excused
        rectangle(2, (13, 17), (10, 14)),  # a quarter: false
    ]
    case = instance_metrics.compare(Case("s", (20, 30), layers, found))
    matrix = instance_metrics.confusion([case], NAMES, 0.5)
    assert matrix.counts.tolist() == [[0, 0, 2], [0, 1, 0], [1, 1, 0]]
    assert matrix.slick() == {"precision": 0.5, "recall": 2 / 3, "f1": pytest.approx(4 / 7), "iou": 0.4}
    like = instance_metrics.likeness([case])
    assert like["iou_pixels"] == pytest.approx((1 + 0.75 + 0) / 3)
    assert like["dice_pixels"] == pytest.approx((1 + 2 * 0.75 / 1.75 + 0) / 3)
    assert like["iou_boxes"] == like["iou_pixels"]


@given(drawn, drawn)
def test_every_slick_is_counted_once(true, found):
    case = Case("s", SHAPE, *([cropped(n, 1.0, mask) for n, mask in some] for some in (true, found)))
    counts = instance_metrics.confusion([instance_metrics.compare(case)], NAMES, 0.3).counts
    assert counts[1:].sum(axis=1).tolist() == [sum(n == number for n, _ in true) for number in (1, 2)]
    assert counts[:, 1:].sum(axis=0).tolist() == [sum(n == number for n, _ in found) for number in (1, 2)]
    assert counts[0, 0] == 0


def test_dice_of_pixels_is_twice_the_common_over_both():
    true, found = rectangle(1, (0, 5), (0, 9)), rectangle(1, (2, 8), (1, 9))
    case = instance_metrics.compare(Case("s", (20, 30), [true], [found]))
    expected = 2 * matching.common(true, found) / (true.area + found.area)
    assert instance_metrics.likeness([case])["dice_pixels"] == pytest.approx(expected)


def test_nothing_to_be_found_has_no_likeness_and_nothing_found_is_0():
    empty = instance_metrics.compare(Case("s", (20, 30), [], []))
    missed = instance_metrics.compare(Case("s", (20, 30), [rectangle(1, (0, 4), (0, 4))], []))
    assert set(instance_metrics.likeness([empty]).values()) == {None}
    assert set(instance_metrics.likeness([empty, missed]).values()) == {0.0}
