"""The program `evaluate` on scenes and polygons made by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from pipelines.cerulean import georeference, matching
from pipelines.cerulean.evaluation_scenes import burnt
from pipelines.cerulean.polygons import on_earth
from tests.pipelines.cerulean import merged_slicks, scene_folders
from tests.pipelines.cerulean.merged_slicks import NAMES, SHAPE, box, write_merged, write_scene
from tests.pipelines.programs import caller

pytest.importorskip("pycocotools")
sklearn_metrics = pytest.importorskip("sklearn.metrics")

call = caller("pipelines.cerulean")


@pytest.fixture
def two_scenes(tmp_path):
    return merged_slicks.two_scenes(tmp_path)


def evaluated(tmp_path, *options, draw=False):
    folders = f"--polygons={tmp_path / 'merged'}", f"--dst={tmp_path / 'out'}"
    ended = call("evaluate", *folders, f"--draw={draw}", *options)
    assert ended.code == 0, ended.err
    return json.loads((tmp_path / "out/evaluation.json").read_text())["result"]


def table(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def pictures(ignored):
    """What is true and what was found in both scenes, painted here."""
    truth, found = np.zeros((2, 2, *SHAPE), int)
    truth[0, 20:40, 20:80], truth[0, 60:70, 20:120], truth[0, 100:110, 150:170] = 1, 3, 2
    truth[1, 50:60, 50:150] = 3
    found[0, 20:38, 20:80], found[0, 60:70, 20:110], found[0, 22:40, 155:185] = 1, 1, 2
    found[1, 52:60, 60:155], found[1, 100:110, 20:40] = 3, 2
    known = np.ones(truth.shape, bool)
    known[0, 20:40, 150:190] = not ignored
    return truth[known], found[known]


@pytest.mark.parametrize(("options", "ignored"), [((), True), (("--dropped=background",), False)])
def test_pixel_metrics_are_those_of_scikit_learn(two_scenes, options, ignored):
    metrics = evaluated(two_scenes, *options)["metrics"]
    truth, found = pictures(ignored)
    slick = {"y_true": truth > 0, "y_pred": found > 0}
    assert metrics["pixel_f1_slick"] == pytest.approx(sklearn_metrics.f1_score(**slick))
    assert metrics["pixel_precision_slick"] == pytest.approx(sklearn_metrics.precision_score(**slick))
    assert metrics["pixel_recall_slick"] == pytest.approx(sklearn_metrics.recall_score(**slick))
    assert metrics["pixel_iou_slick"] == pytest.approx(sklearn_metrics.jaccard_score(**slick))
    by_class = {"y_true": truth, "y_pred": found, "labels": [1, 2, 3], "average": "macro"}
    assert metrics["pixel_f1_macro"] == pytest.approx(sklearn_metrics.f1_score(**by_class))
    assert metrics["pixel_iou_macro"] == pytest.approx(sklearn_metrics.jaccard_score(**by_class))
    counts = sklearn_metrics.confusion_matrix(truth, found, labels=range(4))
    rows = table(two_scenes / "out/confusion_pixels.csv")
    assert [row["true"] for row in rows] == NAMES
    assert [[int(row[name]) for name in NAMES] for row in rows] == counts.tolist()
    for suffix, normalise in (("truth", "true"), ("prediction", "pred")):
        rows = table(two_scenes / f"out/confusion_pixels_by_{suffix}.csv")
        shares = sklearn_metrics.confusion_matrix(truth, found, labels=range(4), normalize=normalise)
        assert np.array([[float(row[name]) for name in NAMES] for row in rows]) == pytest.approx(shares)


def test_slicks_are_counted_one_by_one(two_scenes):
    result = evaluated(two_scenes, "--iou_thresh=0.65", draw=True)
    rows = table(two_scenes / "out/confusion_instances.csv")
    assert [[int(row[name]) for name in NAMES] for row in rows] == [
        [0, 0, 1, 0],  # the one that is not there; the one in the ambiguous slick is excused
        [0, 1, 0, 0],
        [1, 0, 0, 0],  # the seep was missed
        [0, 1, 0, 1],  # the old vessel's is a recent vessel's to this model, and was taken for another
    ]
    metrics = result["metrics"]
    assert metrics["instance_recall_slick"] == 0.75
    assert metrics["instance_precision_slick"] == 0.75
    assert metrics["polygons"] == 5
    whole = 8 * 90 / (1000 + 8 * 95 - 8 * 90)
    ious = [0.9, 0.9, whole, 0]
    assert metrics["iou_pixels"] == pytest.approx(sum(ious) / 4)
    assert metrics["dice_pixels"] == pytest.approx(sum(2 * iou / (1 + iou) for iou in ious) / 4)
    seep = next(row for row in result["classes"] if row["class"] == "natural_seep")
    assert (seep["instance_recall"], seep["ap"], seep["pixel_true"]) == (0.0, 0.0, 200)
    assert [row["iou_thresh"] for row in result["thresholds"]] == [round(0.05 * k, 2) for k in range(1, 20)]
    recalls = [row["recall"] for row in result["thresholds"]]
    assert recalls == [0.75] * 13 + [0.5] * 5 + [0.0]
    for name in (
        "confusion_pixels.png",
        "confusion_instances.png",
        "thresholds.csv",
        "classes.csv",
        "scenes.csv",
    ):
        assert (two_scenes / "out" / name).stat().st_size > 0


def test_a_dropped_class_that_is_sea_makes_what_covers_it_false(two_scenes):
    evaluated(two_scenes, "--dropped=background")
    assert table(two_scenes / "out/confusion_instances.csv")[0]["natural_seep"] == "2"


def test_what_is_nowhere_is_null(tmp_path):
    folder = write_scene(tmp_path / "scenes", [("infra_slick", box((20, 40), (20, 80)))])
    write_merged(tmp_path / "merged", {folder: [("infra_slick", 0.9, (20, 20, 80, 40))]})
    result = evaluated(tmp_path, "--aux=none")
    metrics = result["metrics"]
    for name in ("pixel_f1_slick", "pixel_f1_macro", "instance_f1_macro", "dice_boxes", "iou_pixels"):
        assert metrics[name] == 1.0, name
    assert [metrics[name] for name in ("ap", "ap_50", "ap_boxes")] == pytest.approx([1, 1, 1])
    assert metrics["polygons_on_land"] is None
    seep = next(row for row in result["classes"] if row["class"] == "natural_seep")
    assert {seep[name] for name in ("pixel_f1", "instance_recall", "ap", "pixel_iou")} == {None}
    assert "NaN" not in (tmp_path / "out/evaluation.json").read_text()


def test_scenes_without_any_slick_have_no_scores(tmp_path):
    folder = write_scene(tmp_path / "scenes", [])
    write_merged(tmp_path / "merged", {folder: []})
    metrics = evaluated(tmp_path)["metrics"]
    counts = {name: value for name, value in metrics.items() if name.startswith("polygons")}
    assert counts == {"polygons": 0, "polygons_outside": 0, "polygons_in_nodata": 0,
                      "polygons_on_land": None, "polygons_duplicated": 0}  # fmt: skip
    assert {value for name, value in metrics.items() if name not in counts} == {None}


def test_slicks_that_are_all_missed_score_0(tmp_path):
    folder = write_scene(tmp_path / "scenes", [("infra_slick", box((20, 40), (20, 80)))])
    write_merged(tmp_path / "merged", {folder: []})
    metrics = evaluated(tmp_path)["metrics"]
    assert (
        metrics["pixel_f1_slick"] == metrics["ap"] == metrics["dice_pixels"] == metrics["pixel_f1_macro"] == 0
    )
    assert metrics["pixel_precision_slick"] is None


def test_later_layers_and_surer_polygons_lie_above(tmp_path):
    folder = write_scene(
        tmp_path / "scenes",
        [("infra_slick", box((20, 60), (20, 60))), ("natural_seep", box((40, 60), (40, 60)))],
    )
    write_merged(tmp_path / "merged", {folder: [
        ("natural_seep", 0.9, (40, 40, 60, 60)), ("infra_slick", 0.4, (20, 20, 60, 60)),
    ]})  # fmt: skip
    metrics = evaluated(tmp_path)["metrics"]
    assert metrics["pixel_f1_macro"] == metrics["instance_f1_macro"] == 1.0


def test_polygons_are_counted_where_none_may_lie_and_twice(tmp_path):
    vv = np.full(SHAPE, 90, np.uint8)
    vv[:, :20] = 0
    folder = write_scene(tmp_path / "scenes", [("infra_slick", box((60, 70), (60, 80)))], pixels=vv)
    place = georeference.read(folder / "Background.png")
    land = on_earth(shapely.box(150, 0, 210, 60), place)
    (tmp_path / "aux").mkdir()
    feature = {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(land)}
    collection = {"type": "FeatureCollection", "features": [feature]}
    (tmp_path / "aux/land.geojson").write_text(json.dumps(collection))
    write_merged(tmp_path / "merged", {folder: [
        ("infra_slick", 0.9, (60, 60, 80, 70)),
        ("infra_slick", 0.8, (61, 60, 80, 70)),  # twice
        ("natural_seep", 0.95, (70, 64, 74, 66)),  # inside another, but surer
        ("natural_seep", 0.7, (10, 60, 30, 70)),  # in nodata
        ("natural_seep", 0.7, (34, 100, 40, 110)),  # 560 m beside it
        ("natural_seep", 0.7, (100, 120, 120, 135)),  # reaches outside
        ("natural_seep", 0.7, (160, 20, 170, 30)),  # on land
        ("natural_seep", 0.7, (160, 75, 170, 80)),  # 600 m beside it
        ("natural_seep", 0.7, (160, 90, 170, 95)),  # 1,200 m beside it
    ]})  # fmt: skip
    wanted = {"polygons": 9, "polygons_outside": 1, "polygons_in_nodata": 1, "polygons_on_land": 2,
              "polygons_duplicated": 1}  # fmt: skip
    metrics = evaluated(tmp_path, f"--aux={tmp_path / 'aux'}")["metrics"]
    assert {name: metrics[name] for name in wanted} == wanted
    metrics = evaluated(tmp_path, f"--aux={tmp_path / 'aux'}", "--nodata_margin=600", "--land_margin=0")[
        "metrics"
    ]
    assert (metrics["polygons_in_nodata"], metrics["polygons_on_land"]) == (2, 1)


@pytest.mark.parametrize(
    ("part", "count"),
    [((2, 2, 3, 3), 1), ((8, 0, 12, 1), 0), ((7.9, 0, 11.9, 1), 1), ((8.1, 0, 12.1, 1), 0)],
)
def test_a_part_of_a_surer_one_is_more_than_half_inside(part, count):
    assert _duplicated((0.9, (0, 0, 10, 10)), (0.5, part)) == count
    assert _duplicated((0.5, (0, 0, 10, 10)), (0.9, part)) == 0  # the surer one is never the copy


def _duplicated(*boxes):
    from pipelines.cerulean.evaluation_scenes import Found
    from pipelines.cerulean.placement import duplicated

    return duplicated(
        [Found("infra_slick", score, shapely.box(*at), shapely.box(*at)) for score, at in boxes]
    )


def test_polygons_are_the_same_slick_from_an_iou_above_a_fifth():
    assert _duplicated((0.5, (0, 0, 5, 1)), (0.9, (4, 0, 5, 1))) == 0  # 1 of 5, and the surer one is inside
    assert _duplicated((0.5, (0, 0, 5, 1)), (0.9, (3.9, 0, 5, 1))) == 1
    assert _duplicated((0.5, (0, 0, 5, 1)), (0.5, (0, 0, 5, 1)), (0.5, (0, 0, 5, 1))) == 2
    assert _duplicated((0.5, (0, 0, 5, 1)), (0.9, (5, 0, 9, 1))) == _duplicated() == 0


def test_the_same_bytes_from_run_to_run(two_scenes):
    evaluated(two_scenes, draw=True)
    first = {path.name: path.read_bytes() for path in (two_scenes / "out").iterdir()}
    evaluated(two_scenes, draw=True)
    assert {path.name: path.read_bytes() for path in (two_scenes / "out").iterdir()} == first
    assert len(first) == 12


def test_a_list_says_which_scenes_and_where_they_are_now(two_scenes):
    folder = two_scenes / "scenes" / scene_folders.OTHER
    (two_scenes / "scenes").rename(two_scenes / "moved")
    assert not folder.exists()
    (two_scenes / "test.txt").write_text(f"moved/{scene_folders.OTHER}\n")
    result = evaluated(two_scenes, f"--list={two_scenes / 'test.txt'}")
    assert list(result["scenes"]) == [scene_folders.OTHER]
    assert result["metrics"]["polygons"] == 2


@pytest.mark.parametrize(
    "corners", [(-9, -4, 6, 8), (200, 120, 230, 140), (3.6, 2.4, 9.4, 7.6), (-9, 0, -2, 5)]
)
def test_a_polygon_has_the_pixels_of_the_scene_whose_centres_it_holds(corners):
    found = burnt(shapely.box(*corners), SHAPE, 1, 1.0)
    left, top, right, bottom = corners
    rows, cols = np.indices(SHAPE) + 0.5
    inside = (left < cols) & (cols < right) & (top < rows) & (rows < bottom)
    assert (matching.painted([found], (0, 0, *SHAPE)) == inside).all()
    assert found.area == inside.sum()
