"""Outlines of masks: valid, pixel by pixel where the masks lie, also on a bent earth."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.features import rasterize

from pipelines.cerulean.polygons import on_earth, outline

MASKS = st.tuples(st.integers(1, 9), st.integers(1, 12)).flatmap(lambda shape: arrays(np.bool_, shape))
WIDTH = 4000


class Bent:
    """A rotated grid of some 40 m a pixel whose lines are parabolas, north down where ``flip`` is -1."""

    def __init__(self, flip: int = 1) -> None:
        self.flip = flip

    def to_lonlat(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lon = 5 + 4e-4 * cols + 1e-4 * rows + 3e-9 * rows * cols
        return lon, 40 - self.flip * 4e-4 * rows + 1e-4 * cols + 8e-8 * cols**2


def contains(geometry: shapely.Geometry, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return shapely.contains_xy(geometry, x.ravel(), y.ravel()).reshape(x.shape)


@given(MASKS, st.integers(-5, 500), st.integers(-5, 500))
def test_an_outline_is_valid_and_holds_the_pixels_and_no_others(mask: np.ndarray, row: int, col: int) -> None:
    found = outline(mask, row, col)

    assert found.is_valid
    assert found.geom_type == "Polygon" or len(found.geoms) > 1
    assert found.area == mask.sum()
    rows, cols = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
    assert (contains(found, cols + col, rows + row) == mask).all()
    assert (shapely.get_coordinates(found) % 1 == 0).all()


@given(MASKS, st.integers(0, WIDTH), st.integers(0, WIDTH), st.sampled_from([1, -1]))
def test_on_earth_it_is_valid_and_holds_the_same_pixels(
    mask: np.ndarray, row: int, col: int, flip: int
) -> None:
    found = on_earth(outline(mask, row, col), Bent(flip))

    assert found.is_valid
    rows, cols = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
    assert (contains(found, *Bent(flip).to_lonlat(rows + row, cols + col)) == mask).all()
    for polygon in shapely.get_parts(found) if mask.any() else ():
        assert polygon.exterior.is_ccw
        assert not any(ring.is_ccw for ring in polygon.interiors)


def test_a_mask_with_a_hole_at_its_corner_is_drawn_as_gdal_burns_it() -> None:
    mask = np.ones((6, 8), bool)
    mask[1:3, 1:4] = mask[3, 4] = mask[0, 0] = False

    found = outline(mask)

    assert (rasterize([found], mask.shape).astype(bool) == mask).all()
    assert found.is_valid


def test_pixels_that_touch_at_a_corner_are_parts_of_one() -> None:
    found = outline(np.eye(3, dtype=bool))

    assert found.geom_type == "MultiPolygon"
    assert [part.bounds for part in found.geoms] == [(0, 0, 1, 1), (1, 1, 2, 2), (2, 2, 3, 3)]


def test_a_long_edge_follows_the_bend_of_the_earth() -> None:
    mask = np.ones((3, WIDTH), bool)

    found = on_earth(outline(mask), Bent())

    lon, lat = Bent().to_lonlat(np.full(WIDTH, 1.5), np.arange(WIDTH) + 0.5)
    assert contains(found, lon, lat).all()
    ends = on_earth(shapely.box(0, 0, 1, 3), Bent()).union(
        on_earth(shapely.box(WIDTH - 1, 0, WIDTH, 3), Bent())
    )
    straight = contains(ends.convex_hull, lon, lat)
    assert not straight[WIDTH // 2]  # or this test would say nothing


@pytest.mark.parametrize("west", [179.9, -180.1, 359.9, 0.0])
def test_what_crosses_the_antimeridian_is_parted_there(west: float) -> None:
    class Crossing:
        def to_lonlat(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return west + cols / 100, 10 - rows / 100 - cols / 1000

    mask = np.ones((8, 30), bool)
    mask[2:5, 8:12] = False  # a hole that crosses it, too
    rows, cols = np.mgrid[:8, :30] + 0.5
    lon, lat = Crossing().to_lonlat(rows, cols)
    for part in (mask, mask & (cols < 9), mask & (cols > 11)):
        found = on_earth(outline(part), Crossing())
        assert found.is_valid
        assert found.bounds[0] >= -180 and found.bounds[2] <= 180
        assert (contains(found, (lon + 180) % 360 - 180, lat) == part).all()
        assert found.area == pytest.approx(part.sum() / 1e4, rel=1e-4)
        assert all(one.exterior.is_ccw for one in shapely.get_parts(found))


def test_an_empty_mask_has_an_empty_outline() -> None:
    assert outline(np.zeros((3, 4), bool)).is_empty
    assert on_earth(outline(np.zeros((3, 4), bool)), Bent()).is_empty


@pytest.mark.parametrize("shape", [(32, 32), (20, 50)])
def test_a_mask_that_fills_its_tile_is_its_frame(shape: tuple[int, int]) -> None:
    assert outline(np.ones(shape, bool), row=10, col=20).equals(
        shapely.box(20, 10, 20 + shape[1], 10 + shape[0])
    )
