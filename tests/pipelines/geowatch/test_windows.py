"""Windows cover every pixel and every frame, and blending them changes nothing that agrees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import BadInput
from pipelines.geowatch import grids
from pipelines.geowatch.stitching import STEP, Mosaic, combine
from pipelines.geowatch.windows import SAMPLINGS, ramp, samples, starts


@given(st.integers(1, 60), st.integers(1, 12), st.sampled_from(sorted(SAMPLINGS)), st.integers(0, 15))
def test_every_frame_is_kept_once(count: int, steps: int, sampling: str, shift: int) -> None:
    found = samples(count, steps, sampling, shift)
    assert sorted(frame for sample in found for frame in sample.keep) == list(range(count))
    for sample in found:
        assert set(sample.keep) <= set(sample.frames)
        assert len(sample.frames) <= steps
        assert list(sample.frames) == sorted(set(sample.frames))


@given(st.integers(1, 500), st.integers(1, 100), st.floats(0, 0.9))
def test_windows_cover_all_pixels_and_stay_inside(size: int, window: int, overlap: float) -> None:
    found = starts(size, window, overlap)
    covered = np.zeros(size, bool)
    for start in found:
        covered[start : start + window] = True
    assert covered.all()
    assert found == sorted(set(found))
    assert size <= window or found[-1] + window == size


@given(st.integers(1, 100), st.floats(0, 0.9))
def test_weights_are_positive_and_even(window: int, overlap: float) -> None:
    weights = ramp(window, overlap)
    assert (weights > 0).all()
    assert np.array_equal(weights, weights[::-1])


def test_an_unknown_sampling_is_named() -> None:
    with pytest.raises(BadInput, match="uniformly.*did you mean 'uniform'"):
        samples(3, 2, "uniformly")


@given(
    st.integers(1, 700), st.integers(1, 90), st.sampled_from([8, 64, 300]), st.sampled_from([0.0, 0.3, 0.8])
)
def test_windows_cut_from_a_map_blend_into_that_map(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, window: int, overlap: float
) -> None:
    path = tmp_path_factory.getbasetemp() / "blend.tif"
    grid = grids.Grid("EPSG:32719", (10.0, 0.0, 500000.0, 0.0, -10.0, 7000000.0), width, height)
    truth = np.random.default_rng(height).random((1, 2, height, width)).astype(np.float32)
    truth[..., : height // 3, : width // 2] = np.nan
    padded = np.pad(truth, ((0, 0), (0, 0), (0, window), (0, window)), constant_values=np.nan)
    with Mosaic([path], grid, ["a", "b"], (window, window), overlap) as mosaic:
        for row in starts(height, window, overlap):
            for col in starts(width, window, overlap):
                mosaic.add(row, col, padded[..., row : row + window, col : col + window])
        mosaic.finish()
    found = grids.read(path, grid)
    assert np.array_equal(np.isnan(found), np.isnan(truth[0]))
    assert np.nanmax(np.abs(found - truth[0]), initial=0) <= STEP
    assert mosaic.valid == [np.isfinite(truth[0, 0]).sum()]


def test_parts_are_averaged_on_a_coarser_grid(tmp_path: pytest.TempPathFactory) -> None:
    grid = grids.Grid("EPSG:32652", (5.0, 0.0, 300000.0, 0.0, -5.0, 4000000.0), 40, 40)
    for name, value in (("one.tif", 0.25), ("two.tif", 0.75)):
        with Mosaic([tmp_path / name], grid, ["a"], (40, 40), 0.0) as mosaic:
            mosaic.add(0, 0, np.full((1, 1, 40, 40), value, np.float32))
            mosaic.finish()
    combine([tmp_path / "one.tif", tmp_path / "two.tif"], tmp_path / "mean.tif", grid.at_gsd(10), ["a"])
    assert grids.Grid.of_file(tmp_path / "mean.tif") == grid.at_gsd(10)
    assert np.array_equal(grids.read(tmp_path / "mean.tif", grid.at_gsd(10)), np.full((1, 20, 20), 0.5))
