"""Soft Dice and the thresholds, against loops over whole masks; values that lie on a threshold."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipelines.cerulean.instances import Instances
from pipelines.cerulean.soft_dice import soft_dice, soft_dice_in_boxes
from pipelines.cerulean.suppression import by_bbox_score, by_pixel_score, not_repeated

SHAPE = (4, 6)
CONFIDENCES = st.sampled_from([0.0, 0.0, 0.2, 0.25, 0.5, 1.0])
MASKS = arrays(np.float64, SHAPE, elements=CONFIDENCES)
EDGES = st.integers(0, 7).flatmap(lambda one: st.integers(one + 1, 8).map(lambda end: (one, end)))
BOXES = st.tuples(EDGES, EDGES).map(lambda edges: np.array(edges).T.ravel())  # left, top, right, bottom


def instances(masks: list[np.ndarray], scores: list[float] | None = None) -> Instances:
    """With the whole tile for a box, where a mask is not the smaller one that it could be."""
    height, width = masks[0].shape if masks else SHAPE
    return Instances(
        (height, width),
        np.tile(np.array([0, 0, width, height], np.int64), (len(masks), 1)),
        np.arange(1, len(masks) + 1),
        np.array([1.0] * len(masks) if scores is None else scores),
        tuple(masks),
    )


def cropped(whole: Instances) -> Instances:
    """The same masks within tight boxes."""
    boxes, masks = [], []
    for mask in whole.masks:
        rows, cols = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        box = (cols[0], rows[0], cols[-1] + 1, rows[-1] + 1) if rows.size else (0, 0, 1, 1)
        boxes.append(box)
        masks.append(mask[box[1] : box[3], box[0] : box[2]])
    table = np.array(boxes, np.int64).reshape(-1, 4)
    return Instances(whole.shape, table, whole.labels, whole.scores, tuple(masks))


def dice_by_hand(u: np.ndarray, v: np.ndarray) -> float:
    common = math.fsum(math.sqrt(u[at] * v[at]) for at in np.ndindex(u.shape))
    total = math.fsum(u[at] + v[at] for at in np.ndindex(u.shape))
    return 2 * common / total if total > 0 else 0.0


def kept_by_hand(masks: list[np.ndarray], threshold: float) -> list[int]:
    """The loops of cerulean-ml: the later of two goes, unless the earlier has gone."""
    gone: set[int] = set()
    for first in range(len(masks)):
        for later in range(first + 1, len(masks)):
            alike = dice_by_hand(masks[first], masks[later])
            if first not in gone and alike > threshold:
                gone.add(later)
    return [place for place in range(len(masks)) if place not in gone]


@given(MASKS, MASKS)
def test_soft_dice_is_its_formula(u: np.ndarray, v: np.ndarray) -> None:
    assert soft_dice(u, v) == pytest.approx(dice_by_hand(u, v), abs=1e-12)
    assert soft_dice(u, v) == soft_dice(v, u)
    assert soft_dice(u, u) == pytest.approx(1.0 if u.any() else 0.0)


@given(st.data(), BOXES, BOXES)
def test_soft_dice_within_boxes_is_that_of_whole_masks(
    data: st.DataObject, box_u: np.ndarray, box_v: np.ndarray
) -> None:
    parts, whole = [], []
    for left, top, right, bottom in (box_u.tolist(), box_v.tolist()):
        part = data.draw(arrays(np.float64, (bottom - top, right - left), elements=CONFIDENCES))
        tile = np.zeros((8, 8))
        tile[top:bottom, left:right] = part
        parts.append(part)
        whole.append(tile)

    found = soft_dice_in_boxes(parts[0], box_u, parts[1], box_v)

    assert found == pytest.approx(dice_by_hand(*whole), abs=1e-12)


def test_soft_dice_of_two_empty_masks_is_0_and_not_nan() -> None:
    box = np.array([0, 0, 3, 2])

    assert soft_dice(np.zeros((2, 3)), np.zeros((2, 3))) == 0.0
    assert soft_dice_in_boxes(np.zeros((2, 3)), box, np.zeros((2, 3)), box) == 0.0


@given(st.lists(MASKS, max_size=6), st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.8, 1.0]))
def test_suppression_is_that_of_loops_over_whole_masks(masks: list[np.ndarray], threshold: float) -> None:
    assume(not near(masks, threshold))
    expected = [place + 1 for place in kept_by_hand(masks, threshold)]

    assert not_repeated(instances(masks), threshold).labels.tolist() == expected
    assert not_repeated(cropped(instances(masks)), threshold).labels.tolist() == expected


def near(masks: list[np.ndarray], threshold: float) -> bool:
    """Whether two masks are as alike as the threshold but for rounding, so that either answer is right."""
    alike = [dice_by_hand(one, other) for one, other in combinations(masks, 2)]
    return any(0 < abs(value - threshold) < 1e-12 for value in alike)


def rows(*wanted: str) -> list[np.ndarray]:
    return [np.array([[float(pixel == "#") for pixel in text]]) for text in wanted]


def test_two_masks_as_alike_as_the_threshold_both_stay() -> None:
    masks = rows("##...", ".###.")  # 2 * 1 / 5

    assert not_repeated(instances(masks), 0.4).labels.tolist() == [1, 2]
    assert not_repeated(instances(masks), 0.39).labels.tolist() == [1]


def test_what_goes_takes_none_with_it() -> None:
    first, second, third = rows("####....", "..####..", "....####")

    assert not_repeated(instances([first, second, third]), 0.4).labels.tolist() == [1, 3]
    assert not_repeated(instances([second, first, third]), 0.4).labels.tolist() == [1]


def test_the_earlier_stays_though_the_later_is_larger() -> None:
    assert not_repeated(instances(rows(".##.", "####")), 0.4).labels.tolist() == [1]


def test_a_score_on_the_threshold_is_not_above_it() -> None:
    found = instances(rows("#", "#", "#"), [0.2, math.nextafter(0.2, 1), 0.1])

    assert by_bbox_score(found, 0.2).labels.tolist() == [2]
    assert by_bbox_score(found, None).labels.tolist() == [1, 2, 3]


def test_a_surest_pixel_on_the_threshold_is_not_above_it() -> None:
    masks = [np.array([[0.1, peak, 0.0]]) for peak in (0.2, math.nextafter(0.2, 1), 0.1)]

    assert by_pixel_score(instances(masks), 0.2).labels.tolist() == [2]
    assert by_pixel_score(instances(masks), None).labels.tolist() == [1, 2, 3]


def test_every_step_leaves_boxes_of_four_columns_when_none_stays() -> None:
    none = Instances.none(SHAPE)

    for step in (by_bbox_score, by_pixel_score, not_repeated):
        assert step(none, 0.2).boxes.shape == (0, 4)
    assert by_bbox_score(instances(rows("#")), 1.0).boxes.shape == (0, 4)
