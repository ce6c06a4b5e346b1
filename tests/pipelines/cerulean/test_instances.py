"""Instances of slicks in a tile, against a flood fill pixel by pixel."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipelines.cerulean.instances import FULL, Instances, candidates, label_map

AT = 13107  # 0.2 of FULL, exactly
LEVELS = (0, 1, AT - 1, AT, AT + 1, 30000, 30001, FULL)
TILES = st.tuples(st.integers(2, 4), st.integers(1, 7), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.uint16, shape, elements=st.sampled_from(LEVELS))
)
THRESHOLDS = st.sampled_from([None, 0.0, 0.2, 30001 / FULL, 1.0])

Found = set[tuple[int, frozenset[tuple[int, int]], float]]


def chosen(tile: np.ndarray, number: int, row: int, col: int, threshold: float | None) -> bool:
    own = int(tile[number, row, col])
    if threshold is not None:
        return own > 0 and own / FULL >= threshold
    others = [int(tile[other, row, col]) for other in range(len(tile))]
    return own > 0 and own == max(others) and others.index(own) == number


def filled(pixels: set[tuple[int, int]]) -> list[frozenset[tuple[int, int]]]:
    """Connected over edges and corners."""
    left, groups = set(pixels), []
    while left:
        group, front = set(), [left.pop()]
        while front:
            row, col = front.pop()
            group.add((row, col))
            near = {(row + down, col + right) for down, right in itertools.product((-1, 0, 1), repeat=2)}
            front += near & left
            left -= near
        groups.append(frozenset(group))
    return groups


def by_hand(tile: np.ndarray, threshold: float | None) -> Found:
    classes, height, width = tile.shape
    found: Found = set()
    for number in range(1, classes):
        places = itertools.product(range(height), range(width))
        for group in filled({at for at in places if chosen(tile, number, *at, threshold)}):
            found.add((number, group, sum(int(tile[number, *at]) for at in group) / (len(group) * FULL)))
    return found


@given(TILES, THRESHOLDS)
def test_they_are_those_of_a_flood_fill(tile: np.ndarray, threshold: float | None) -> None:
    found = candidates(tile, threshold)

    full = [found.full(place) for place in range(len(found))]
    assert {
        (int(label), frozenset(map(tuple, np.argwhere(mask).tolist())), float(score))
        for label, mask, score in zip(found.labels, full, found.scores, strict=True)
    } == by_hand(tile, threshold)
    for label, mask in zip(found.labels, full, strict=True):
        assert (mask[mask > 0] == (tile[label] / FULL)[mask > 0]).all()


@given(TILES, THRESHOLDS)
def test_boxes_are_tight_and_the_surest_comes_first(tile: np.ndarray, threshold: float | None) -> None:
    found = candidates(tile, threshold)

    assert found.boxes.shape == (len(found), 4)
    assert sorted(found.scores, reverse=True) == found.scores.tolist()
    for place, (left, top, right, bottom) in enumerate(found.boxes.tolist()):
        rows, cols = np.nonzero(found.full(place))
        assert (left, top, right, bottom) == (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1)
        assert found.peaks[place] == found.full(place).max()


def test_without_instances_boxes_have_four_columns() -> None:
    for found in (candidates(np.zeros((4, 32, 48), np.uint16), 0.2), Instances.none((32, 48))):
        assert found.boxes.shape == (0, 4)
        assert found.shape == (32, 48)
        assert len(found.labels) == len(found.scores) == len(found.masks) == len(found.peaks) == 0
        assert found.take(np.zeros(0, np.intp)).boxes.shape == (0, 4)


def test_a_pixel_on_the_threshold_belongs_to_an_instance_and_one_below_does_not() -> None:
    tile = np.zeros((2, 1, 5), np.uint16)
    tile[1, 0] = AT - 1, AT, 0, AT, AT - 1

    assert candidates(tile, 0.2).boxes.tolist() == [[1, 0, 2, 1], [3, 0, 4, 1]]
    assert candidates(tile, 0.2).scores.tolist() == [0.2, 0.2]


def test_an_instance_that_fills_its_tile_is_found() -> None:
    tile = np.full((2, 32, 48), FULL, np.uint16)

    found = candidates(tile, 0.2)

    assert found.boxes.tolist() == [[0, 0, 48, 32]]
    assert found.full(0).min() == 1


@pytest.mark.parametrize("threshold", [None, 0.0])
def test_nodata_holds_none_whatever_the_threshold(threshold: float | None) -> None:
    tile = np.zeros((3, 4, 4), np.uint16)
    tile[:, 0, 0] = (10, 20, 30)

    found = candidates(tile, threshold)

    assert set(map(tuple, found.boxes.tolist())) == {(0, 0, 1, 1)}
    assert label_map(tile, threshold).tolist() == [[2, 0, 0, 0], *[[0] * 4] * 3]


@given(TILES, THRESHOLDS)
def test_the_label_map_is_the_likeliest_class_or_background(
    tile: np.ndarray, threshold: float | None
) -> None:
    labels = label_map(tile, threshold)

    assert labels.dtype == np.uint8
    for row, col in itertools.product(*map(range, labels.shape)):
        values = tile[:, row, col].tolist()
        best = values.index(max(values))
        assert labels[row, col] == (best if max(values) / FULL >= (threshold or 0) else 0)
