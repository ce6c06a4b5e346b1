"""Hysteresis against a flood fill, pixel by pixel."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipelines.cerulean.hysteresis import hysteresis

LEVELS = st.sampled_from([0.0, 0.2, 0.3, 0.5, 0.5, 0.7, 1.0])


def flooded(chances: np.ndarray, group: float) -> list[set[tuple[int, int]]]:
    """Regions of pixels that touch, also at corners, by their first pixels."""
    left = {(int(r), int(c)) for r, c in np.argwhere(chances >= group)}
    found = []
    for first in sorted(left):
        if first not in left:
            continue
        region, edge = set(), {first}
        while edge:
            left -= edge
            region |= edge
            edge = {(r + dr, c + dc) for r, c in edge for dr in (-1, 0, 1) for dc in (-1, 0, 1)} & left
        found.append(region)
    return found


@settings(max_examples=150, deadline=None)
@given(
    arrays(float, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=LEVELS),
    st.sampled_from([0.2, 0.3]), st.sampled_from([None, 0.5, 0.7]), st.sampled_from([None, 0.3, 0.5]),
)  # fmt: skip
def test_regions_are_those_of_a_flood_fill(
    chances: np.ndarray, group: float, strong: float | None, trim: float | None
) -> None:
    expected = np.zeros(chances.shape, int)
    number = 0
    for region in flooded(chances, group):
        if strong is not None and max(chances[one] for one in region) < strong:
            continue
        stays = [one for one in region if trim is None or chances[one] >= trim]
        number += bool(stays)
        for one in stays:
            expected[one] = number
    assert np.array_equal(hysteresis(chances, group, strong, trim), expected)


def test_thresholds_are_reached_at_their_own_value() -> None:
    chances = np.array([[0.2, 0.6, 0.0, 0.59999]])
    assert hysteresis(chances, 0.2, 0.6, 0.2).tolist() == [[1, 1, 0, 0]]
