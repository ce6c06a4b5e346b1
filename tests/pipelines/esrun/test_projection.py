"""Projections: pixels, zones and the way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Point, box

from pipelines.errors import BadInput
from pipelines.esrun.projection import Placed, Projection, pixel_bounds, to_lonlat, to_pixels, utm_projection


@pytest.mark.parametrize(
    ("lon", "lat", "crs"),
    [
        (-105.5, 40.3, "EPSG:32613"),
        (-180, 1, "EPSG:32601"),
        (180, 1, "EPSG:32660"),
        (6, 0, "EPSG:32632"),
        (5.999, -0.1, "EPSG:32731"),
    ],
)
def test_the_zone_of_a_place(lon, lat, crs):
    assert utm_projection(Point(lon, lat)).crs == crs


@given(st.floats(-179, 179), st.floats(-79, 79), st.sampled_from([3, 10, 30.5]))
def test_a_shape_comes_back(lon, lat, size):
    shape = box(lon, lat, lon + 0.01, lat + 0.01)
    projection = utm_projection(shape, size, -size)
    back = to_lonlat(to_pixels(shape, projection), projection)
    assert all(abs(a - b) < 1e-7 for a, b in zip(shape.bounds, back.bounds, strict=True))


def test_pixels_are_units_over_the_resolution():
    projection = Projection("EPSG:32613", 10, -10)
    shape = to_lonlat(box(50000, -440000, 50010, -439990), projection)
    assert Placed(projection, to_pixels(shape, projection)).bounds() == (50000, -440000, 50010, -439990)
    assert projection.transform((50000, -440000, 50010, -439990))[:6] == (10, 0, 500000, 0, -10, 4400000)


@given(st.tuples(*[st.floats(-1e6, 1e6)] * 4))
def test_bounds_hold_what_they_bound(bounds):
    left, top, right, bottom = pixel_bounds(bounds)
    assert left <= bounds[0] + 1e-6 and top <= bounds[1] + 1e-6
    assert right >= bounds[2] - 1e-6 and bottom >= bounds[3] - 1e-6
    assert abs(left - bounds[0]) < 1.001 and abs(bottom - bounds[3]) < 1.001


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("EPSG:0", 1, 1), "crs: 'EPSG:0'"),
        (("EPSG:32613", 0, 1), "x_resolution: must not be 0"),
        (("EPSG:32613", 1, "1"), "y_resolution: '1' is no number"),
    ],
)
def test_what_is_no_projection(args, said):
    with pytest.raises(BadInput, match=said):
        Projection(*args)


def test_a_projection_is_read_as_rslearn_writes_it():
    projection = Projection("EPSG:32613", 10, -10)
    assert Projection.from_json(projection.to_json()) == projection
    with pytest.raises(BadInput, match="has crs, x_resolution and y_resolution"):
        Projection.from_json({"crs": "EPSG:32613"})
