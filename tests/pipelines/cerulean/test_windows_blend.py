"""Windows over a scene: they cover it, and blending them gives the mean that it should, block by block."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cerulean.windows import BLOCK, Blend, corners
from pipelines.geowatch.windows import ramp

SIZES = st.tuples(st.integers(1, 400), st.integers(1, 90))


def blended(maps: dict[tuple[int, int], np.ndarray], size: tuple[int, int], window: int, overlap: float):
    blend = Blend(2, *size, window, overlap)
    pieces = []
    for row in corners(*size, window, overlap):
        pieces += blend.finished(row[0][0])
        for place in row:
            blend.add(*place, maps[place])
    pieces += blend.finished(size[0])
    tops = [top for top, _ in pieces]
    assert tops == list(range(0, size[0], BLOCK))
    return np.concatenate([found for _, found in pieces], axis=1)


@settings(max_examples=20, deadline=None)
@given(SIZES, st.sampled_from([8, 33, 130]), st.sampled_from([0.0, 0.25, 0.7]), st.integers(0, 99))
def test_a_pixel_is_the_weighted_mean_of_all_windows_over_it(
    size: tuple[int, int], window: int, overlap: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    places = [place for row in corners(*size, window, overlap) for place in row]
    maps = {place: random.random((2, window, window), np.float32) for place in places}
    # Brute force: one plane with room for what reaches beyond the scene.
    sums = np.zeros((2, size[0] + window, size[1] + window))
    weights = np.zeros(sums.shape[1:])
    weight = np.multiply.outer(ramp(window, overlap), ramp(window, overlap)).astype(float)
    for (row, col), found in maps.items():
        part = (slice(row, row + window), slice(col, col + window))
        sums[(slice(None), *part)] += found * weight
        weights[part] += weight
    expected = sums[:, : size[0], : size[1]] / weights[: size[0], : size[1]]
    np.testing.assert_allclose(blended(maps, size, window, overlap), expected, rtol=1e-5)


def test_windows_on_the_same_map_give_that_map() -> None:
    size = (300, 70)
    whole = np.random.default_rng(1).random((2, 340, 110), np.float32)
    places = [place for row in corners(*size, 40, 0.3) for place in row]
    maps = {(r, c): whole[:, r : r + 40, c : c + 40] for r, c in places}
    np.testing.assert_allclose(blended(maps, size, 40, 0.3), whole[:, :300, :70], rtol=1e-6)


def test_rows_out_of_turn_are_refused() -> None:
    window = np.ones((1, 128, 128), np.float32)
    blend = Blend(1, 1000, 128, 128, 0.0)
    with pytest.raises(ValueError, match="rows 400 to 528"):
        blend.add(400, 0, window)
    blend.add(0, 0, window)
    assert [top for top, _ in blend.finished(130)] == [0]
    with pytest.raises(ValueError, match="rows 0 to 128"):
        blend.add(0, 0, window)
