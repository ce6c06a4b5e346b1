"""From a request to the files of its partitions and windows: pruning, names, re-runs, and the program."""

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import unary_union
from shapely.geometry import LineString, MultiPoint, Point, Polygon, box, mapping, shape

from pipelines import program
from pipelines.errors import BadInput
from pipelines.esrun.features import read_features
from pipelines.esrun.partition import command
from pipelines.esrun.partitioning import partition
from pipelines.esrun.project import load_project
from pipelines.esrun.projection import Projection, to_pixels, utm_projection

TOOLS = "esrun.runner.tools.partitioners"
NOOP = {"class_path": f"{TOOLS}.noop_partitioner.NoopPartitioner", "init_args": None}
UTM = {"crs": "EPSG:32613", "x_resolution": 10, "y_resolution": -10}
TIMES = {"oe_start_time": "2020-01-01T00:00:00+00:00", "oe_end_time": "2020-02-01T00:00:00+00:00"}
TRIANGLE = Polygon([(-105.7, 40.1), (-105.4, 40.1), (-105.4, 40.5)])


def grid(size, **args):
    args = {"grid_size": size, **args}
    return {"class_path": f"{TOOLS}.grid_partitioner.GridPartitioner", "init_args": args}


def fixed(size, **args):
    args = {"window_size": size, **args}
    return {"class_path": f"{TOOLS}.fixed_window_partitioner.FixedWindowPartitioner", "init_args": args}


@pytest.fixture
def made(tmp_path):
    """Write a project and its request: partitioner, partitioner of windows, shapes or (shape, properties)."""

    def write(splitter, windower, *shapes):
        folder = tmp_path / "project"
        folder.mkdir(exist_ok=True)
        strategies = {"partition_request_geometry": splitter, "prepare_window_geometries": windower}
        (folder / "esrun.yaml").write_text(json.dumps({"partition_strategies": strategies}))
        asked = [one if isinstance(one, tuple) else (one, TIMES) for one in shapes]
        features = [{"type": "Feature", "geometry": mapping(s), "properties": p} for s, p in asked]
        request = folder / "prediction_request_geometry.geojson"
        request.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return folder

    return write


def run(folder, out=None):
    project = load_project(folder)
    return partition(project, project.request(), out or folder.parent / "out")


def windows(folder, name):
    return list(read_features(folder.parent / "out" / name / "windows.geojson"))


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- what is written


def test_a_partition_has_its_request_and_its_windows(made, tmp_path):
    folder = made(NOOP, fixed(128, output_projection=UTM), (Point(-105.7, 40.1), {**TIMES, "site": "a"}))
    assert run(folder) == ["partition_0"]
    assert [
        one.properties["site"] for one in read_features(tmp_path / "out/partition_0/request.geojson")
    ] == ["a"]
    (window,) = windows(folder, "partition_0")
    name = window.properties["oe_window_name"]
    assert window.properties == {
        **TIMES, "site": "a", "oe_window_name": name, "oe_window_bounds": [43969, -443974, 44097, -443846],
        "oe_window_crs": "EPSG:32613", "oe_window_x_resolution": 10, "oe_window_y_resolution": -10,
    }  # fmt: skip
    back = to_pixels(window.geometry, Projection(**UTM))
    assert back.bounds == pytest.approx((43969, -443974, 44097, -443846), abs=1e-3)


def test_numbers_count_cells_that_miss_the_request(made):
    # columns from the west, cells from the south: the triangle lies below a diagonal of 3 x 2 cells
    assert run(made(grid(0.2), grid(512), TRIANGLE)) == [f"partition_{n}" for n in (0, 1, 3, 4, 5)]


def test_windows_that_miss_the_request_are_left_out(made):
    folder = made(NOOP, grid(128, output_projection=UTM), TRIANGLE)
    run(folder)
    found = windows(folder, "partition_0")
    assert all(one.geometry.intersection(TRIANGLE).area > 0 for one in found)
    assert len(found) < 0.6 * 21 * 36  # of the cells of its bounds


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (Point(0.1, 0.1), 1),  # the original prunes points to nothing
        (Point(0.5, 0.5), 1),
        (MultiPoint([(0.1, 0.1), (1.9, 0.1)]), 2),
        (LineString([(0.1, 0.5), (0.9, 0.5)]), 2),
        (box(0.5, 0, 1, 0.5), 1),
        (Polygon([(0, 0), (1, 0), (1, 0.5), (0.5, 0.5), (0.5, 1), (0, 1)]), 3),
        (Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), 4),  # crosses itself
    ],
)
def test_what_only_touches_a_polygon_misses_it(made, wanted, kept):
    assert len(run(made(grid(0.5), fixed(8), wanted))) == kept


@pytest.mark.parametrize("clip", [False, True])
def test_points_in_cells_have_windows_round_them(made, clip):
    """Not round the middle of their cell; one on the border of two cells is in one of them."""
    points = [(0.01, 0.01), (0.49, 0.3), (0.5, 0.3), (0.9, 0.3)]
    folder = made(grid(0.5, clip=clip), fixed(8), MultiPoint(points), (Point(0.02, 0.4), {"site": "b"}))
    found = [one for name in run(folder) for one in windows(folder, name)]
    assert len(found) == 5
    for point in [*points, (0.02, 0.4)]:
        (own,) = [one for one in found if one.geometry.contains(Point(point))]
        assert own.geometry.centroid.distance(Point(point)) < 2e-4  # two pixels of 10 m
        assert ("site" in own.properties) == (point == (0.02, 0.4))


def test_pieces_of_a_line_are_not_lost_to_rounding(made):
    line = LineString([(0.123456789, 0.2345678901), (3.3456789012, 1.987654321)])
    folder = made(grid(0.3), grid(64), line)
    ids = run(folder)
    shapes = [one.geometry for name in ids for one in windows(folder, name)]
    assert len(ids) >= 11 and line.difference(unary_union(shapes)).length < 1e-9


def test_a_fixed_window_stays_though_its_feature_is_elsewhere(made):
    corner = Polygon([(0, 0), (1, 0), (1, 0.01), (0.01, 0.01), (0.01, 1), (0, 1)])
    folder = made(NOOP, fixed(8), corner)
    run(folder)
    (window,) = windows(folder, "partition_0")
    assert window.geometry.disjoint(corner)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lon=st.floats(-170, 170), lat=st.floats(-60, 60), width=st.floats(0.01, 0.12),
    height=st.floats(0.01, 0.12), overlap=st.sampled_from([0, 9]),
)  # fmt: skip
def test_windows_cover_every_pixel_of_the_request(made, lon, lat, width, height, overlap):
    wanted = Polygon([(lon, lat), (lon + width, lat), (lon + width / 3, lat + height)])
    folder = made(grid(0.05), grid(200, overlap_size=overlap), wanted)
    ids = run(folder)
    projection = utm_projection(wanted)
    zones = [one.properties["oe_window_crs"] for name in ids for one in windows(folder, name)]
    if set(zones) != {projection.crs}:
        return  # partitions on both sides of a border are two mosaics
    left = to_pixels(wanted, projection)
    for name in ids:
        for one in windows(folder, name):
            left = left.difference(box(*one.properties["oe_window_bounds"]))
    assert left.area < 0.01


# --- names


def names(folder):
    return [one.properties["oe_window_name"] for one in windows(folder, "partition_0")]


def test_the_same_place_keeps_its_name(made):
    place, other = (Point(5, 3), TIMES), (Point(6, 3), TIMES)
    run(folder := made(NOOP, fixed(8), place))
    (name,) = names(folder)
    run(made(NOOP, fixed(8), other, (Point(5, 3), {**TIMES, "new": 1})))
    assert names(folder)[1] == name


@pytest.mark.parametrize(
    ("other", "count"),
    [
        (TIMES, 1),  # asked for twice in the same words
        ({**TIMES, "site": "b"}, 2),
        ({**TIMES, "oe_end_time": "2020-03-01T00:00:00+00:00"}, 2),
        ({}, 2),
        ({"es_start_time": "2020-01-01", "es_end_time": "2020-02-01"}, 2),
    ],
)
def test_two_that_ask_for_one_place_have_names_of_their_own(made, other, count):
    run(folder := made(NOOP, fixed(8), (Point(5, 3), TIMES), (Point(5, 3), other)))
    assert len(names(folder)) == len(set(names(folder))) == count


def test_other_pixel_sizes_have_other_names(made):
    every = set()
    for size in (10, 10.5, 20):
        run(folder := made(NOOP, fixed(8, output_projection={**UTM, "x_resolution": size}), Point(-105, 0)))
        every.update(names(folder))
    run(folder := made(NOOP, fixed(8, output_projection={**UTM, "crs": "EPSG:32612"}), Point(-111, 0)))
    assert len(every | set(names(folder))) == 4


# --- running again


def test_the_same_request_gives_the_same_bytes(made, tmp_path):
    folder = made(grid(0.2), grid(256), TRIANGLE)
    run(folder)
    result = tmp_path / "out/partition_3/result.geojson"
    result.touch()
    first = snapshot(tmp_path / "out")
    run(folder)
    assert snapshot(tmp_path / "out") == first
    run(folder, tmp_path / "other")
    assert {path for path in first if path.name != "result.geojson"} == set(snapshot(tmp_path / "other"))


def test_another_request_takes_old_partitions_and_their_results_away(made, tmp_path):
    run(made(grid(0.2), grid(256), box(0, 0, 0.4, 0.2), box(1, 0, 1.2, 0.2)))
    out = tmp_path / "out"
    for name in ("partition_0", "partition_1", "partition_2"):
        (out / name / "result.geojson").touch()
    (out / "notes").mkdir()
    assert run(made(grid(0.2), grid(256), box(0, 0, 0.4, 0.1))) == ["partition_0", "partition_1"]
    assert sorted(path.name for path in out.iterdir()) == [
        "notes",
        "partition_0",
        "partition_1",
        "partitions.json",
    ]
    assert not (out / "partition_0/result.geojson").exists()


def test_bad_input_leaves_what_was_there(made, tmp_path):
    run(made(grid(0.2), grid(256), TRIANGLE))
    before = snapshot(tmp_path / "out")
    with pytest.raises(BadInput):
        run(made(grid(0.2), NOOP, TRIANGLE))
    assert snapshot(tmp_path / "out") == before


# --- a partitioner of the user's own

OWN = """
from shapely.geometry import box
from pipelines.esrun.features import Feature, FeatureCollection
from pipelines.esrun.projection import Placed
from pipelines.esrun.tools.partitioners.partition_interface import PartitionInterface

class PairPartitioner(PartitionInterface):
    def __init__(self, gap: int, **rest):
        super().__init__(**rest)
        self.gap = gap

    def partition_request_geometry(self, request):
        return [FeatureCollection((one,)) for one in request]

    def prepare_window_geometries(self, request):
        found = []
        for feature in request:
            placed = self.placed(feature.geometry)
            x, y = int(placed.shape.centroid.x), int(placed.shape.centroid.y)
            for left in (x, x + self.gap):
                found.append((feature, Placed(placed.projection, box(left, y, left + 4, y + 4))))
        return found
"""


def test_a_partitioner_of_the_users_own(made, tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "pairs_of_mine.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path / "own")
    pairs = {
        "class_path": "pairs_of_mine.PairPartitioner",
        "init_args": {"gap": 100, "output_projection": UTM},
    }
    folder = made(pairs, pairs, Point(-105.1, 40), Point(-105.2, 40))
    assert run(folder) == ["partition_0", "partition_1"]
    assert len(windows(folder, "partition_1")) == 2


# --- bad input


@pytest.mark.parametrize(
    ("tools", "wanted", "said"),
    [
        ((NOOP, fixed(128)), Point(179.9999, 10), "crosses the antimeridian"),
        ((grid(1), grid(128)), box(179.5, 10, 180, 10.1), "crosses the antimeridian"),
        ((NOOP, NOOP), Point(0, 0), "NoopPartitioner cannot prepare windows"),
        ((fixed(8), fixed(8)), Point(0, 0), "FixedWindowPartitioner cannot split"),
        ((None, fixed(8)), Point(0, 0), "partition_request_geometry is missing"),
        ((NOOP, fixed(1e300)), Point(0, 0), r"a window reaches to pixel 5.0e\+299"),
        ((NOOP, fixed(8, output_projection=5)), Point(0, 0), "output_projection: 5 is no projection"),
        ((NOOP, fixed(8)), (Point(0, 0), {"n": [float("nan")]}), "JSON cannot"),
        ((NOOP, fixed(0)), Point(0, 0), "window_size must be a whole number of pixels above 0, not 0"),
        (
            (grid(0.5), grid(8)),
            Polygon([(0, 0), (1, 0), (1, 1e-12)]),
            "no partition holds any of its features",
        ),
    ],
)
def test_requests_that_cannot_be_cut(made, tmp_path, tools, wanted, said):
    with pytest.raises(BadInput, match=said):
        run(made(*tools, wanted))
    assert not (tmp_path / "out").exists()


def test_a_request_without_features(made):
    with pytest.raises(BadInput, match="has no features"):
        run(made(NOOP, fixed(8)))


# --- the program


def arguments(folder, *more):
    out = folder.parent / "out"
    return [f"--project_path={folder}", f"--partitions_dpath={out}", f"--dst={out}/partitions.json", *more]


def called(folder, *more):
    with pytest.raises(SystemExit) as ended:
        program.run(command, arguments(folder, *more))
    return ended.value.code


def test_the_program_lists_partitions_to_scatter(made, tmp_path):
    folder = made(grid(0.2), grid(256), TRIANGLE)
    line = [sys.executable, "-m", "pipelines.esrun.partition", *arguments(folder, "--grid_size=auto")]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads((tmp_path / "out/partitions.json").read_text())[1:3] == [
        {"key": "partition_1", "values": {"partition_id": "partition_1"}},
        {"key": "partition_3", "values": {"partition_id": "partition_3"}},
    ]
    first = snapshot(tmp_path / "out")
    run(folder)
    assert snapshot(tmp_path / "out") == first


def test_a_grid_of_experiments_replaces_init_args(made):
    folder = made(NOOP, grid(64), box(5, 3, 5.2, 3.2))
    assert called(folder, "--partition_grid_size=0.1") == 2
    folder = made(grid(0.2), grid(64), box(5, 3, 5.2, 3.2))
    assert called(folder, "--partition_grid_size=0.1", "--grid_size=100", "--overlap_size=10") == 0
    bounds = shape(windows(folder, "partition_3")[0].geometry).bounds
    left, top, right, bottom = windows(folder, "partition_3")[0].properties["oe_window_bounds"]
    assert (right - left, bottom - top) == (120, 120) and bounds[0] > 5.09


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("--window_size=64", "GridPartitioner takes no window_size, so --window_size cannot set it"),
        ("--grid_size=0", "grid_size must be above 0, not 0"),
        ("--grid_size=wide", "'wide' is neither a number nor auto"),
        ("--request_geometry_path=none.json", "no such request"),
    ],
)
def test_one_line_of_complaint(made, tmp_path, capsys, more, said):
    assert called(made(grid(0.2), grid(64), TRIANGLE), more) == 2
    told = capsys.readouterr().err
    assert said in told and told.startswith("error: ") and told.count("\n") == 1
    assert not (tmp_path / "out").exists()
