"""The programs evaluate and visualize on rasters and features made by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from shapely.geometry import Point, box

from pipelines.esrun import coverage, seams
from pipelines.esrun.features import Feature, collection, write_features
from pipelines.esrun.projection import Projection, to_lonlat
from pipelines.esrun.tiles import classes_on, read_tiles
from tests.pipelines.esrun.inference_cases import make_case
from tests.pipelines.esrun.runner_projects import request
from tests.pipelines.esrun.sample_runs import call
from tests.pipelines.esrun.source_images import LEFT, TOP, UTM, write_image

LOW, MID, HIGH = 1, 2, 7


@pytest.fixture
def here(tmp_path):
    """A project whose request is the 4 x 4 pixels in the corner, and a folder for results."""
    make_case(tmp_path)
    (tmp_path / "results/results_raster").mkdir(parents=True)
    request(tmp_path / "prediction_request_geometry.geojson", [(0, 0, 4, 4)])
    return tmp_path


def raster(path, values, at=(0, 0), **more):
    return write_image(path, np.array(values, np.uint8)[None], at, nodata=0, **more)


def result(here, values, name="result_epsg32613_0.tif", at=(0, 0)):
    return raster(here / "results/results_raster" / name, values, at)


def square(*bounds, **properties):
    left, top, right, bottom = bounds
    return Feature(to_lonlat(box(LEFT + left, TOP + top, LEFT + right, TOP + bottom), UTM), properties)


def point(x, y, **properties):
    return Feature(to_lonlat(Point(LEFT + x, TOP + y), UTM), properties)


def evaluate(here, labels, *more):
    options = f"--project_path={here}", f"--results={here / 'results'}", f"--labels_fpath={labels}"
    outputs = f"--eval_fpath={here / 'eval.json'}", f"--confusion_fpath={here / 'confusion.json'}"
    return call("evaluate", *options, *outputs, *more)


def metrics(here):
    return json.loads((here / "eval.json").read_text())["result"]["metrics"]


def matrix(here):
    return confusion(here)["matrix"]


def missed(here):
    return confusion(here)["pixels_without_prediction"]


def confusion(here):
    return json.loads((here / "confusion.json").read_text())


def test_raster_against_raster(here):
    result(here, [[LOW, LOW, MID, 0], [MID, MID, MID, 0], [HIGH, HIGH, 3, 0], [LOW, LOW, LOW, LOW]])
    labels = raster(here / "truth.tif", [[LOW, MID, MID, MID], [MID, MID, 0, MID], [HIGH, LOW, LOW, LOW]])
    assert evaluate(here, labels) == (0, "")
    assert matrix(here) == [[1, 1, 0], [0, 3, 0], [1, 0, 1]] and missed(here) == [2, 2, 0]
    found = metrics(here)
    assert found["overall_accuracy"] == 5 / 11
    assert found["coverage"] == pytest.approx(13 / 16, rel=1e-3)  # 3 is no class, but it is an answer
    assert "seam_disagreement" not in found and "window_success_rate" not in found


def test_two_tiles_and_labels_on_another_grid(here):
    result(here, [[LOW, LOW], [LOW, LOW]])
    result(here, [[HIGH, HIGH], [HIGH, HIGH]], "result_epsg32613_1.tif", (20, 0))
    labels = raster(here / "truth.tif", [[LOW, HIGH]] * 3, size=20)  # each of four, the last two outside
    assert evaluate(here, labels) == (0, "")
    assert matrix(here) == [[1, 0, 0], [0, 0, 0], [0, 0, 1]] and missed(here) == [1, 0, 1]
    assert metrics(here)["coverage"] == pytest.approx(0.5)


def test_labels_count_in_the_request_alone_and_all_of_them(here):
    """Against scikit-learn, where no prediction is one more class; at random, from every side."""
    from sklearn.metrics import accuracy_score, f1_score, jaccard_score

    request(here / "prediction_request_geometry.geojson", [(3, 2, 25, 20), (30, 25, 38, 38)])
    rng = np.random.default_rng(1)
    truth, said = (rng.choice([0, LOW, MID, HIGH], (40, 40)).astype(np.uint8) for _ in range(2))
    for number, top in enumerate((5, 20)):  # rows before the first and columns after 33 have no tile at all
        result(here, said[top : top + 15, :33], f"result_{number}.tif", (0, top * 10))
    assert evaluate(here, raster(here / "truth.tif", truth)) == (0, "")
    inside = np.zeros((40, 40), bool)
    inside[2:20, 3:25] = inside[25:38, 30:38] = True
    said[:5], said[35:], said[:, 33:] = 0, 0, 0
    right, found = truth[inside & (truth > 0)], said[inside & (truth > 0)]
    options = {"labels": [LOW, MID, HIGH], "average": "macro"}
    assert metrics(here)["macro_f1"] == pytest.approx(f1_score(right, found, **options))
    assert metrics(here)["miou"] == pytest.approx(jaccard_score(right, found, **options))
    assert metrics(here)["overall_accuracy"] == pytest.approx(accuracy_score(right, found))
    assert missed(here) == [int(((right == one) & (found == 0)).sum()) for one in (LOW, MID, HIGH)]
    assert confusion(here)["total_pixels"] == len(right)


def test_to_abstain_does_not_pay(here):
    """A threshold that leaves out right answers, half of them or all, ranks lower."""
    labels = raster(here / "truth.tif", [[LOW, LOW, MID, MID]] * 4)
    ranked = []
    for said in ([LOW, LOW, MID, MID], [LOW, 0, MID, 0], [0] * 4):
        result(here, [said] * 4)
        assert evaluate(here, labels) == (0, "")
        ranked.append(metrics(here)["macro_f1"])
    assert ranked == [1.0, pytest.approx(2 / 3), 0.0]


def test_a_label_counts_once_where_two_reference_systems_overlap(here):
    """Degrees have all of the labels, UTM the northern half, where it comes first."""
    from pipelines.esrun.class_maps import Block as Grid
    from pipelines.esrun.class_maps import footprint, opened

    request(here / "prediction_request_geometry.geojson", [(0, 0, 40, 40)])
    one = result(here, np.full((20, 40), LOW))
    with opened(one) as image:
        west, south, east, north = footprint(Grid.of(image)).bounds
    other = here / "results/results_raster/result_epsg4326_0.tif"
    half = np.full((50, 50), HIGH), (0, 0), (east - west) / 50
    raster(other, half[0], half[1], size=half[2], crs="EPSG:4326", corner=(west, north))
    labels = [point(x + 0.5, y + 0.5, oe_label="low") for x in range(0, 40, 4) for y in range(0, 40, 4)]
    write_features(here / "labels.geojson", collection(labels))
    assert evaluate(here, here / "labels.geojson") == (0, "")
    assert confusion(here)["total_pixels"] == 100 and matrix(here)[0][0] == 50
    assert evaluate(here, raster(here / "truth.tif", np.full((40, 40), LOW))) == (0, "")
    assert confusion(here)["total_pixels"] == 1600 and matrix(here)[0][0] == 800


def test_features_that_no_tile_holds_are_missed(here):
    result(here, [[LOW, LOW]] * 2)
    labels = [
        square(1, 1, 4, 4, oe_label="low"),  # one of its nine pixels has a result
        square(4, 0, 6, 4, oe_label="mid"),  # touches the request
        point(0.5, 3.5, oe_label="high"),
        point(8, 8, oe_label="high"),  # outside
    ]
    write_features(here / "labels.geojson", collection(labels))
    assert evaluate(here, here / "labels.geojson") == (0, "")
    assert (matrix(here), missed(here)) == ([[1, 0, 0], [0, 0, 0], [0, 0, 0]], [8, 0, 1])


def test_a_request_of_points_has_the_pixels_that_they_lie_in(here):
    spots = collection([point(0.5, 0.5), point(2.5, 1.5), point(30.5, 30.5)])
    write_features(here / "prediction_request_geometry.geojson", spots)
    result(here, [[LOW, LOW, LOW, LOW]] * 3)
    assert evaluate(here, raster(here / "truth.tif", np.full((40, 40), LOW))) == (0, "")
    assert (matrix(here)[0], missed(here)) == ([2, 0, 0], [1, 0, 0])
    write_features(here / "labels.geojson", collection(
        [point(0.5 + 1e-5, 0.5, oe_label="low"), square(2, 1, 9, 9, oe_label="mid")]))  # fmt: skip
    assert evaluate(here, here / "labels.geojson") == (0, "")
    assert (matrix(here)[0], missed(here)) == ([1, 1, 0], [0, 0, 0])


def test_a_tile_without_nodata_ends_at_its_edges(tmp_path):
    """GDAL makes up zeros beyond, and 0 may be a class."""
    from pipelines.esrun.class_maps import Block, opened
    from pipelines.esrun.colours import plain

    path = write_image(tmp_path / "a.tif", np.array([[[0, 1], [1, 0]]], np.uint8))
    with opened(path) as image:
        larger = Block(image.crs, image.transform, (3, 4))
    assert classes_on(read_tiles([path]), larger, plain("ab")).tolist() == [
        [0, 1, -1, -1],
        [1, 0, -1, -1],
        [-1] * 4,
    ]


def test_raster_against_polygons_and_points(here):
    result(here, [[LOW, LOW, MID, MID]] * 4)
    labels = here / "labels.geojson"
    found = [
        square(0, 0, 2, 2, oe_label="low"),
        square(1, 0, 2, 1, oe_label="mid"),
        point(3.5, 3.5, oe_label="mid"),
    ]
    write_features(labels, collection([*found, square(2, 2, 3, 3, other="mid")]))
    assert evaluate(here, labels) == (0, "")
    assert matrix(here) == [[3, 1, 0], [0, 1, 0], [0, 0, 0]]  # the later polygon counts


def test_features_against_features(here):
    (here / "results/results_raster").rmdir()
    answers = [
        point(0.5, 0.5, elevation=LOW),
        point(1.5, 0.5, elevation=MID),
        point(2.5, 0.5, elevation="high"),
    ]
    write_features(here / "results/result.geojson", collection(answers))
    write_features(here / "prediction_request_geometry.geojson", collection([*answers, point(3, 3)]))
    truth = [
        point(0.5, 0.5, kind="low"),
        point(1.5, 0.5, kind="high"),
        point(2.5, 0.5, kind=7),
        point(9, 9, kind="low"),
        point(3, 3, kind="mid"),
    ]
    write_features(here / "truth.geojson", collection(truth))
    assert evaluate(here, here / "truth.geojson", "--label_property=kind") == (0, "")
    assert matrix(here) == [[1, 0, 0], [0, 0, 1], [0, 0, 1]] and metrics(here)["coverage"] == 0.75
    assert missed(here) == [0, 1, 0]  # the one that was asked for


def test_features_against_a_raster(here):
    write_features(here / "results/result.geojson", collection([square(0, 0, 2, 4, elevation="low")]))
    labels = raster(here / "truth.tif", [[LOW, MID, MID, HIGH, HIGH]] * 5)
    assert evaluate(here, labels) == (0, "")
    assert (matrix(here), missed(here)) == ([[4, 4, 0], [0, 0, 0], [0, 0, 0]], [0, 4, 4])
    assert metrics(here)["coverage"] == pytest.approx(0.5, abs=1e-4)


def window(here, name, values, at, group="group_partition_0", done=True):
    layer = here / "outputs/windows" / group / name / "layers/output"
    raster(layer / "output/geotiff.tif", values, at)
    if done:
        (layer / "completed").touch()


def test_seams_and_windows(here):
    result(here, [[LOW] * 4] * 4)
    window(here, "a", [[LOW, LOW, LOW], [LOW, MID, 0]], (0, 0))
    window(
        here, "b", [[LOW, LOW, LOW], [HIGH, MID, MID]], (10, 0)
    )  # two columns of a: one of four differs, one has no data
    window(here, "b", [[HIGH] * 3] * 2, (10, 0), group="group_partition_1")  # the same window counts once
    window(here, "c", [[LOW]], (35, 35), done=False)  # between the pixels of the others
    write_features(here / "partitions/partition_0/windows.geojson", collection(
        Feature(point(1, 1).geometry, {"oe_window_name": name}) for name in "abcd"))  # fmt: skip
    listed = here / "outputs.txt"
    listed.write_text(f"{here / 'outputs'}\n")
    labels = raster(here / "truth.tif", [[LOW] * 4] * 4)
    assert evaluate(here, labels, f"--outputs={listed}", f"--partitions_dpath={here / 'partitions'}") == (
        0,
        "",
    )
    found = json.loads((here / "eval.json").read_text())["result"]
    assert (found["overlapping_pixels"], found["differing_pixels"]) == (3, 1)
    assert found["metrics"]["seam_disagreement"] == pytest.approx(1 / 3)
    assert found["metrics"]["window_success_rate"] == 0.5


def test_overlaps_are_those_of_all_pairs(tmp_path):
    """Against a stack of all windows in one array."""
    rng, size, places = np.random.default_rng(0), 5, [(x, y) for x in (0, 3, 6) for y in (0, 4)]
    stack = np.zeros((len(places), 20, 20), np.uint8)
    for number, (x, y) in enumerate(places):
        stack[number, y : y + size, x : x + size] = rng.integers(0, 3, (size, size))
        raster(tmp_path / f"{number}.tif", stack[number, y : y + size, x : x + size], (x * 10, y * 10))
    found = seams.overlap(sorted(tmp_path.glob("*.tif")))
    pairs = [(a, b) for a in range(6) for b in range(a)]
    both = sum(int(((stack[a] > 0) & (stack[b] > 0)).sum()) for a, b in pairs)
    differ = sum(int(((stack[a] > 0) & (stack[b] > 0) & (stack[a] != stack[b])).sum()) for a, b in pairs)
    assert (found.pixels, found.different) == (both, differ) and both > 20


def test_coverage_of_points_and_of_two_reference_systems(tmp_path):
    east = raster(tmp_path / "a.tif", [[LOW, 0], [LOW, LOW]])
    points = collection([point(0.5, 0.5), point(1.5, 0.5), point(0.5, 1.5), point(30, 0.5)])
    assert coverage.of_rasters(read_tiles([east]), points) == 0.5
    everywhere = collection([point(0.5, 0.5), *(Feature(Point(x, 1)) for x in (-15, 75, 165))])
    assert coverage.of_rasters(read_tiles([east]), everywhere) == 0.25
    whole = collection([square(0, 0, 2, 2)])
    assert coverage.of_rasters(read_tiles([east]), whole) == pytest.approx(0.75, rel=1e-3)
    assert coverage.of_rasters(read_tiles([east, east, east]), whole) == pytest.approx(0.75, rel=1e-3)
    assert coverage.of_rasters(read_tiles([]), whole) == 0.0


def test_coverage_of_two_zones_and_of_degrees(tmp_path):
    """Zones 13 and 31 are 108 degrees apart; half of the request is covered in each, in one by degrees."""
    here = square(0, 0, 100, 100)
    there = Feature(to_lonlat(box(50000, -520000, 50100, -519900), Projection("EPSG:32631", 10, -10)))
    both = collection([here, there])
    half = np.full((100, 50), LOW)
    one = raster(tmp_path / "13.tif", half)
    other = raster(tmp_path / "31.tif", half, crs="EPSG:32631", corner=(500000.0, 5200000.0))
    assert coverage.of_rasters(read_tiles([one, other]), both) == pytest.approx(0.5, rel=1e-3)
    assert coverage.of_rasters(read_tiles([one]), both) == pytest.approx(0.25, rel=2e-3)
    tall = collection([Feature(box(0, 0, 10, 60))])
    south = raster(
        tmp_path / "south.tif", np.full((300, 100), LOW), crs="EPSG:4326", size=0.1, corner=(0.0, 30.0)
    )
    assert coverage.of_rasters(read_tiles([south]), tall) == pytest.approx(
        np.sin(np.pi / 6) / np.sin(np.pi / 3), rel=5e-3
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda here: (here / "truth.tif").unlink(), ["truth.tif", "cannot be read as a raster"]),
        (lambda here: raster(here / "truth.tif", [[9]]), ["truth.tif", "no label of a known class"]),
        (lambda here: raster(here / "truth.tif", [[LOW]], (90, 0)), ["truth.tif", "in the request"]),
        (lambda here: (here / "results/results_raster/result_epsg32613_0.tif").unlink(), ["holds neither"]),
        (lambda here: (here / "esrun.yaml").write_text("{}"), ["class"]),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(here, change, words):
    result(here, [[LOW]])
    labels = raster(here / "truth.tif", [[LOW]])
    change(here)
    ended = evaluate(here, labels)
    assert ended.code == 2 and ended.err.startswith("error: ") and ended.err.count("\n") == 1
    assert all(word in ended.err for word in words), ended.err
    assert not (here / "eval.json").exists() and not (here / "confusion.json").exists()


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (lambda here: None, ["outputs=truth.tif"], ["truth.tif", "neither a folder nor a text file"]),
        (lambda here: window(here, "a", [[LOW]], (0, 0)), ["outputs=outputs", "partitions_dpath=nowhere"],
         ["nowhere: holds no windows"]),
        (lambda here: write_features(here / "p/partition_0/windows.geojson", collection([point(0, 0)])),
         ["outputs=results", "partitions_dpath=p"], ["windows.geojson", "oe_window_name"]),
        (lambda here: None, ["eval_fpath=truth.tif/eval.json"], ["truth.tif", "cannot be written"]),
        (lambda here: raster(here / "truth.tif", [[LOW]], crs='LOCAL_CS["x",UNIT["metre",1]]'), [],
         ["truth.tif", "coordinate reference system"]),
    ],
)  # fmt: skip
def test_options_that_cannot_be(here, change, options, words):
    result(here, [[LOW]])
    labels = raster(here / "truth.tif", [[LOW]])
    change(here)
    ended = evaluate(here, labels, *(f"--{name}={here / value}" for name, value in
                                     (one.split("=") for one in options)))  # fmt: skip
    assert ended.code == 2 and ended.err.startswith("error: ") and ended.err.count("\n") == 1
    assert all(word in ended.err for word in words), ended.err
    assert not (here / "eval.json").exists() and not (here / "confusion.json").exists()


def visualize(here, *more):
    options = f"--project_path={here}", f"--results={here / 'results'}", f"--picture_fpath={here / 'map.png'}"
    return call("visualize", *options, *more)


def test_a_picture_shows_the_classes_where_they_are(here):
    from matplotlib.image import imread

    result(here, [[LOW, LOW, HIGH, HIGH]] * 4)
    assert visualize(here) == (0, "")
    first = (here / "map.png").read_bytes()
    pixels = (imread(here / "map.png")[:, :, :3] * 255).round().astype(int)
    low, high = ((pixels == colour).all(axis=2) for colour in ((46, 107, 142), (253, 231, 37)))
    assert low.sum() == pytest.approx(high.sum(), rel=0.05) and low.sum() > 50_000
    assert np.nonzero(low)[1].mean() < np.nonzero(high)[1].mean()
    assert visualize(here) == (0, "") and (here / "map.png").read_bytes() == first


def test_a_picture_of_points_with_labels_beside(here):
    from matplotlib.image import imread

    (here / "results/results_raster").rmdir()
    answers = collection([point(1, 1, elevation="low"), point(3, 3, elevation="high")])
    write_features(here / "results/result.geojson", answers)
    result(here, [[LOW]])
    alone = visualize(here)
    width = imread(here / "map.png").shape[1]
    assert alone == (0, "") and visualize(here, f"--labels_fpath={here / 'results/result.geojson'}") == (
        0,
        "",
    )
    assert imread(here / "map.png").shape[1] > 1.7 * width
