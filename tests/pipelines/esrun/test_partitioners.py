"""The built-in partitioners, against cells counted by hand and what olmoearth-runner 0.1.14 makes of them."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from shapely.geometry import GeometryCollection, LineString, MultiPolygon, Point, Polygon, box

from pipelines.errors import BadInput
from pipelines.esrun.class_path import build
from pipelines.esrun.features import Feature, collection
from pipelines.esrun.projection import Projection
from pipelines.esrun.tools.partitioners.chunk_partitioner import ChunkPartitioner
from pipelines.esrun.tools.partitioners.fixed_window_partitioner import FixedWindowPartitioner
from pipelines.esrun.tools.partitioners.grid_partitioner import GridPartitioner
from pipelines.esrun.tools.partitioners.noop_partitioner import NoopPartitioner
from pipelines.esrun.tools.partitioners.partition_interface import PartitionInterface
from pipelines.esrun.tools.partitioners.reprojection_partitioner import ReprojectionPartitioner

UTM = Projection("EPSG:32613", 10, -10)
TRIANGLE = Polygon([(-105.7, 40.1), (-105.4, 40.1), (-105.4, 40.5)])
PARK = box(-105.701, 40.1, -105.69, 40.11)
POINT = Point(-105.7, 40.1)
NORTH, SOUTH = "EPSG:32613", "EPSG:32731"


def ask(*shapes):
    return collection(Feature(shape, {"n": number}) for number, shape in enumerate(shapes))


def cells(tool, *shapes):
    found = tool.partition_request_geometry(ask(*shapes))
    assert all(len(part) == 1 for part in found)
    return [part.features[0].geometry for part in found]


def windows(tool, *shapes):
    made = tool.prepare_window_geometries(ask(*shapes))
    return [(placed.projection.crs, placed.bounds()) for _, placed in made]


# --- cells in degrees


@pytest.mark.parametrize(
    ("size", "shape", "wanted"),
    [
        (0.1, box(0.1, 0.1, 0.3, 0.2), [(0.1, 0.1, 0.2, 0.2), (0.2, 0.1, 0.3, 0.2)]),
        (0.1, box(-0.3, 0.1, -0.1, 0.2), [(-0.3, 0.1, -0.2, 0.2), (-0.2, 0.1, -0.1, 0.2)]),
        (0.5, box(0.1, -0.1, 0.2, 0.6), [(0, -0.5, 0.5, 0), (0, 0, 0.5, 0.5), (0, 0.5, 0.5, 1)]),
        (0.2, Point(-105.7, 40.1), [(-105.8, 40.0, -105.6, 40.2)]),
        (0.1, Point(0.3, 0.7), [(0.3, 0.7, 0.4, 0.8)]),  # on a corner: the original makes none
        (0.1, LineString([(0.3, 0.7), (0.5, 0.7)]), [(0.3, 0.7, 0.4, 0.8), (0.4, 0.7, 0.5, 0.8)]),
        (7, Point(180, 90), [(175, 84, 180, 90)]),  # not beyond the world
        (1000, Point(-105, 40), [(-180, 0, 0, 90)]),
    ],
)  # fmt: skip
def test_cells_of_the_grid(size, shape, wanted):
    assert [cell.bounds for cell in cells(GridPartitioner(size), shape)] == wanted


@given(
    st.integers(-1700, 1700), st.integers(-800, 800), st.integers(1, 12), st.integers(1, 12),
    st.sampled_from(["0.1", "0.2", "0.05", "0.3", "0.7", "1", "0.25"]),
)  # fmt: skip
def test_a_float_step_makes_no_cell_too_many(left, bottom, width, height, step):
    tenth, exact = Fraction(1, 10), Fraction(step)
    columns = ceil((left + width) * tenth / exact) - floor(left * tenth / exact)
    rows = ceil((bottom + height) * tenth / exact) - floor(bottom * tenth / exact)
    shape = box(left / 10, bottom / 10, (left + width) / 10, (bottom + height) / 10)
    assert len(cells(GridPartitioner(float(step)), shape)) == columns * rows


def test_each_feature_has_cells_and_properties_of_its_own():
    request = ask(box(0.1, 0.1, 0.2, 0.2), box(0.3, 0.1, 0.4, 0.2))
    found = GridPartitioner(0.5).partition_request_geometry(request)
    assert [part.features[0].geometry.bounds for part in found] == [(0, 0, 0.5, 0.5)] * 2
    assert [part.features[0].properties["n"] for part in found] == [0, 1]


def test_a_multipolygon_has_the_cells_of_its_bounds():
    both = MultiPolygon([box(0.1, 0.1, 0.2, 0.2), box(1.6, 0.1, 1.7, 0.2)])
    assert [cell.bounds[0] for cell in cells(GridPartitioner(0.5), both)] == [0, 0.5, 1, 1.5]


def test_overlap_reaches_beyond_every_side():
    (cell,) = cells(GridPartitioner(0.5, overlap_size=0.125), Point(0.2, 0.2))
    assert cell.equals(box(-0.125, -0.125, 0.625, 0.625))


def test_clip_cuts_cells_with_their_feature():
    found = cells(GridPartitioner(0.2, clip=True), TRIANGLE)
    assert len(found) == 6 and sum(cell.area for cell in found) == pytest.approx(TRIANGLE.area)
    assert all(cell.difference(TRIANGLE).area < 1e-12 for cell in found)
    assert found[2].is_empty  # it keeps its number


def test_a_projection_does_not_move_partitions():
    assert cells(GridPartitioner(0.2, output_projection=UTM), POINT) == cells(GridPartitioner(0.2), POINT)


def test_a_grid_far_too_fine_is_refused():
    with pytest.raises(BadInput, match="has 100000000 cells of 0.0001.*choose a larger grid_size"):
        cells(GridPartitioner(0.0001), box(0, 0, 1, 1))


# --- windows in pixels: expected values are those of olmoearth-runner, bounds by floor and ceiling


@pytest.mark.parametrize(
    ("args", "shape", "wanted"),
    [
        ({"output_projection": UTM}, PARK,
         [(NORTH, (43904, -444032, 44032, -443904)), (NORTH, (44032, -444032, 44160, -443904))]),
        ({"output_projection": UTM, "use_utm": True}, box(5.701, -40.1, 5.71, -40.09),
         [(SOUTH, (72960, -555904, 73088, -555776)), (SOUTH, (72960, -555776, 73088, -555648)),
          (SOUTH, (73088, -555904, 73216, -555776)), (SOUTH, (73088, -555776, 73216, -555648))]),
        ({"output_projection": UTM, "overlap_size": 16}, PARK,
         [(NORTH, (43888, -444048, 44048, -443888)), (NORTH, (44016, -444048, 44176, -443888))]),
        ({"output_projection": UTM, "overlap_size": 16, "clip": True}, PARK,
         [(NORTH, (44024, -444021, 44048, -443908)), (NORTH, (44024, -444021, 44120, -443908))]),
        ({"output_projection": UTM}, POINT, [(NORTH, (44032, -444032, 44160, -443904))]),
    ],
)  # fmt: skip
def test_grid_windows(args, shape, wanted):
    assert windows(GridPartitioner(128, **args), shape) == wanted


@pytest.mark.parametrize(
    ("size", "shape", "wanted"),
    [
        (128, POINT, (43969, -443974, 44097, -443846)),  # the original: -443973, cut toward zero
        (5, POINT, (44031, -443912, 44036, -443907)),
        (128, TRIANGLE, (45680, -445443, 45808, -445315)),
        (128, Point(5, -3), (72165, -966885, 72293, -966757)),
    ],
)
def test_fixed_windows(size, shape, wanted):
    ((crs, bounds),) = windows(FixedWindowPartitioner(size, UTM, use_utm=True), shape)
    assert bounds == wanted and crs == ("EPSG:32731" if shape.bounds[0] > 0 else "EPSG:32613")


@given(st.floats(-108, -102), st.floats(-80, 80), st.integers(1, 300))
def test_a_fixed_window_is_centred_to_a_pixel(lon, lat, size):
    ((_, (left, top, right, bottom)),) = windows(FixedWindowPartitioner(size, UTM), Point(lon, lat))
    x, y = Transformer.from_crs(4326, 32613, always_xy=True).transform(lon, lat)
    assert right - left == bottom - top == size
    assert -0.001 <= x / 10 - (left + right) / 2 < 1.001 and -0.001 <= y / -10 - (top + bottom) / 2 < 1.001


def test_limit_is_of_each_partition():
    tool = FixedWindowPartitioner(128, UTM, limit=2)
    assert len(windows(tool, POINT, TRIANGLE, PARK)) == 2 and len(windows(tool, POINT)) == 1


@pytest.mark.parametrize("tool", [GridPartitioner(128), FixedWindowPartitioner(8), ReprojectionPartitioner()])
def test_without_a_projection_windows_are_utm_at_ten_metres(tool):
    for _, placed in tool.prepare_window_geometries(ask(POINT, Point(5, -3))):
        assert (placed.projection.x_resolution, placed.projection.y_resolution) == (10, -10)
    assert [crs for crs, _ in windows(tool, POINT, Point(5, -3))] == ["EPSG:32613", "EPSG:32731"]


def test_use_utm_takes_the_resolution_of_the_projection():
    tool = FixedWindowPartitioner(8, Projection("EPSG:3857", 30, -20), use_utm=True)
    ((_, placed),) = tool.prepare_window_geometries(ask(Point(5, -3)))
    assert placed.projection == Projection("EPSG:32731", 30, -20)


def test_a_feature_outside_of_the_projection():
    with pytest.raises(BadInput, match="lies outside of EPSG:32613"):
        windows(FixedWindowPartitioner(8, UTM), Point(165, 0))


def test_reprojection_takes_features_as_they_are():
    found = windows(ReprojectionPartitioner(UTM), POINT, TRIANGLE)
    assert [bounds for _, bounds in found] == [
        (44033, -443910, 44034, -443909), (44033, -448334, 46611, -443893)
    ]  # fmt: skip


# --- the others


@pytest.mark.parametrize(("size", "wanted"), [(1, [1, 1, 1]), (2, [2, 1]), (3, [3]), (9, [3])])
def test_chunks(size, wanted):
    request = ask(POINT, TRIANGLE, PARK)
    found = ChunkPartitioner(size).partition_request_geometry(request)
    assert [len(part) for part in found] == wanted
    assert [feature for part in found for feature in part] == list(request)


def test_noop_is_one_partition_or_none():
    request = ask(POINT, TRIANGLE)
    assert NoopPartitioner().partition_request_geometry(request) == [request]
    assert NoopPartitioner().partition_request_geometry(ask()) == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (NoopPartitioner().prepare_window_geometries, "NoopPartitioner cannot prepare windows; .*Fixed"),
        (FixedWindowPartitioner(8).partition_request_geometry, "Fixed.* cannot split a request .*; .*Chunk"),
        (ReprojectionPartitioner().partition_request_geometry, "Reprojection.* cannot split a request"),
        (PartitionInterface().prepare_window_geometries, "PartitionInterface cannot prepare windows"),
    ],
)
def test_who_cannot_says_who_can(call, said):
    with pytest.raises(BadInput, match=said):
        call(ask(POINT))


@pytest.mark.parametrize(
    ("name", "args", "said"),
    [
        (
            "fixed_window_partitioner.FixedWindowPartitioner",
            {"window_size": 0},
            "window_size must be a",
        ),
        ("fixed_window_partitioner.FixedWindowPartitioner", {"window_size": 12.5}, "not 12.5"),
        (
            "fixed_window_partitioner.FixedWindowPartitioner",
            {"window_size": "8"},
            "window_size: '8' is no",
        ),
        (
            "fixed_window_partitioner.FixedWindowPartitioner",
            {"window_size": 8, "limit": 0},
            "limit must",
        ),
        ("fixed_window_partitioner.FixedWindowPartitioner", {}, "window_size"),
        ("fixed_window_partitioner.FixedWindowPartitioner", {"windowsize": 1}, "did you mean 'window_size'"),
        ("grid_partitioner.GridPartitioner", {"grid_size": -1}, "grid_size must be above 0, not -1"),
        ("grid_partitioner.GridPartitioner", {"grid_size": float("nan")}, "grid_size must be above 0"),
        (
            "grid_partitioner.GridPartitioner",
            {"grid_size": 1, "overlap_size": -1},
            "overlap_size",
        ),
        ("chunk_partitioner.ChunkPartitioner", {"num_geometries_per_partition": 0}, "must be above 0, not 0"),
        ("noop_partitioner.NoopPartitioner", {"output_projection": {"crs": "EPSG:1"}}, "output_projection"),
    ],
)
def test_arguments_that_cannot_be(name, args, said):
    spec = {"class_path": f"esrun.runner.tools.partitioners.{name}", "init_args": args}
    with pytest.raises(BadInput, match=said) as caught:
        build(spec, PartitionInterface, "prepare_window_geometries", "esrun.yaml")
    assert "esrun.yaml" in str(caught.value)


def test_a_collection_of_shapes_is_one_feature():
    mixed = GeometryCollection([Point(0.1, 0.1), box(0.6, 0.1, 0.7, 0.2)])
    assert len(cells(GridPartitioner(0.5), mixed)) == 2
