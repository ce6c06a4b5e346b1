"""Aggregation, outlines and hysteresis against independent computations."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pipelines.errors import BadInput
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.tracking import (
    Aggregation,
    aggregate,
    days,
    hard_mask,
    on_frames,
    outlines,
    power_mean,
    spans,
    stretches,
)

GRID = Grid("EPSG:32652", (10.0, 0.0, 300000.0, 0.0, -10.0, 4100000.0), 9, 7)
DAY = 86400.0
scores = st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), min_size=1, max_size=9).map(np.array)


def stacks(seed: int, frames: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    stack = rng.random((frames, 5, 6)).astype(np.float32)
    return np.where(rng.random(stack.shape) < 0.3, np.float32(np.nan), stack)


def nan_quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(*args, **kwargs)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), frames=st.integers(1, 6))
def test_power_means_agree_with_numpy(seed, frames):
    stack = stacks(seed, frames)
    wide = stack.astype(np.float64)
    expected = {
        1.0: nan_quietly(np.nanmean, wide, axis=0),
        2.0: np.sqrt(nan_quietly(np.nanmean, wide**2, axis=0)),
        math.inf: nan_quietly(np.nanmax, wide, axis=0),
    }
    for order, mean in expected.items():
        np.testing.assert_allclose(power_mean(stack, order), mean, rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), frames=st.integers(1, 6), size=st.integers(1, 8))
def test_a_moving_window_takes_the_highest_of_its_means(seed, frames, size):
    stack, width = stacks(seed, frames), min(size, frames)
    means = [
        nan_quietly(np.nanmean, stack[i : i + width].astype(np.float64), axis=0)
        for i in range(frames - width + 1)
    ]
    found = aggregate(stack, np.arange(frames) * DAY, Aggregation(moving_window_size=size))
    np.testing.assert_allclose(found, nan_quietly(np.nanmax, means, axis=0), rtol=1e-5)


def test_stretches_of_time_count_from_the_first_frame():
    at = [10 * DAY, 11 * DAY, 40 * DAY, 99 * DAY, 100 * DAY]
    assert stretches(at, 30) == [slice(0, 2), slice(2, 3), slice(3, 4), slice(4, 5)]
    assert stretches(at, 45) == [slice(0, 3), slice(3, 4), slice(4, 5)]


def test_inner_windows_weigh_a_year_with_many_frames_like_one_with_few():
    stack = np.array([1.0, 1.0, 1.0, 0.0], np.float32)[:, None, None]
    at = np.array([0, 10, 20, 400]) * DAY
    found = [
        float(aggregate(stack, at, how)[0, 0])
        for how in (Aggregation(), Aggregation(inner_window_days=365.0), Aggregation(math.inf))
    ]
    assert found == [0.75, 0.5, 1.0]


@pytest.mark.parametrize("text", ["", "x", "1q", "-3d", "d"])
def test_lengths_of_time_that_are_none(text):
    with pytest.raises(BadInput):
        days(text)


def test_closing_fills_gaps_and_moves_no_edge():
    heat = np.zeros((7, 9), np.float32)
    heat[0:4, 2:6] = 0.5  # touches the frame
    heat[2, 3] = 0.1
    assert np.array_equal(hard_mask(heat, 0.5, 1), heat >= 0.5)
    filled = heat.copy()
    filled[2, 3] = 0.5
    assert np.array_equal(hard_mask(heat, 0.5, 3), filled >= 0.5)


def test_nodata_is_never_a_site():
    heat = np.full((7, 9), 0.9, np.float32)
    heat[3, 3] = np.nan
    assert hard_mask(heat, 0.5, 3).sum() == 62


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 9999), merge=st.sampled_from(["v1", "v2"]))
def test_outlines_are_the_connected_pieces_of_a_mask(seed, merge):
    mask = np.random.default_rng(seed).random((7, 9)) < 0.45
    pieces = outlines(mask, GRID, merge=merge)
    structure = np.ones((3, 3)) if merge == "v2" else None
    assert len(pieces) == ndimage.label(mask, structure)[1]
    assert all(piece.is_valid and piece.geom_type == "Polygon" for piece in pieces)
    assert sum(piece.area for piece in pieces) == pytest.approx(100 * mask.sum(), abs=1)
    rows, cols = np.nonzero(mask)
    centres = shapely.points(300000 + 10 * (cols + 0.5), 4100000 - 10 * (rows + 0.5))
    assert shapely.union_all(pieces).covers(shapely.multipoints(centres)) or not mask.any()


def test_simplification_drops_vertices_within_its_tolerance():
    mask = np.triu(np.ones((7, 9), bool))
    (steps,), (plain,) = outlines(mask, GRID), outlines(mask, GRID, tolerance=10.0)
    assert len(plain.exterior.coords) < len(steps.exterior.coords)
    assert plain.hausdorff_distance(steps) <= 10.0


def by_definition(values, thresh, time_thresh):
    """A frame is on if it has data and some frame before or at it starts, and none since then stops."""
    on = []
    for t, value in enumerate(values):
        started = any(
            values[s] >= thresh
            and all(math.isnan(v) or v >= thresh or v >= time_thresh * thresh for v in values[s : t + 1])
            for s in range(t + 1)
        )
        on.append(started and not math.isnan(value))
    return on


@settings(max_examples=200, deadline=None)
@given(values=scores, thresh=st.floats(0.05, 0.9), time_thresh=st.floats(0, 1.5))
def test_hysteresis_agrees_with_its_definition(values, thresh, time_thresh):
    assert on_frames(values, thresh, time_thresh).tolist() == by_definition(
        values.tolist(), thresh, time_thresh
    )


@settings(max_examples=200, deadline=None)
@given(values=scores, split=st.one_of(st.none(), st.floats(0, 0.5)))
def test_spans_cover_what_is_on_in_order_and_do_not_overlap(values, split):
    on = on_frames(values, 0.5, 0.6)
    found = spans(values, on, split)
    covered = [t for first, last in found for t in range(first, last + 1)]
    assert covered == sorted(set(covered))
    assert set(np.flatnonzero(on)) <= set(covered)
    assert all(on[first] and on[last] for first, last in found)
    assert len(found) == min(1, on.sum()) or split is not None
    assert split is None or not any(values[t] < split for t in covered if not on[t])
