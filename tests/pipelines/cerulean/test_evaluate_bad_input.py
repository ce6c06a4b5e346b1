"""What `evaluate` says to input that it cannot work with."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.pipelines.cerulean import merged_slicks, scene_folders
from tests.pipelines.cerulean.merged_slicks import NAMES
from tests.pipelines.programs import caller

pytest.importorskip("pycocotools")

call = caller("pipelines.cerulean")
SCENE = f"scenes/{scene_folders.ID}"
POLYGONS = f"merged/{scene_folders.ID}.geojson"
OTHER = scene_folders.ID.replace("S1A", "S1B")


def record(**changes):
    """What changes merge.json; None takes a key away."""

    def change(folder):
        path = folder / "merged/merge.json"
        document = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({key: value for key, value in document.items() if value is not None}))

    return change


def feature(**changes):
    """What changes the second feature of a scene's polygons."""

    def change(folder):
        path = folder / POLYGONS
        document = json.loads(path.read_text())
        document["features"][1].update(changes)
        path.write_text(json.dumps(document))

    return change


def of(name, score):
    return feature(properties={"class": name, "score": score})


def gone(name):
    return lambda folder: (folder / name).unlink()


def text(name, content):
    return lambda folder: (folder / name).write_text(content)


def smaller(folder):
    scene_folders.write_background(folder / SCENE, np.ones((40, 50), np.uint8))


def colour(folder):
    scene_folders.write_layer(folder / SCENE / "x.png", merged_slicks.box((0, 9), (0, 9)), (1, 2, 3))


def other_scene(folder):
    merged_slicks.write_scene(folder, [], OTHER)
    (folder / "test.txt").write_text(f"{OTHER}\n")


def nothing(folder):
    """The options are what is wrong."""


WRONG = {
    "no record": (gone("merged/merge.json"), "merge.json"),
    "no JSON": (text("merged/merge.json", "{"), "merge.json"),
    "a record of something else": (text("merged/merge.json", "[]"), "merge.json"),
    "no classes": (record(classes=None), "'classes'"),
    "background is not first": (record(classes=NAMES[::-1]), "background"),
    "an unknown class": (record(classes=["background", "oil"]), "oil"),
    "a number of no class": (record(numbers=[0, 1, 2, 3, 3, 4, 0]), "number"),
    "too few numbers": (record(numbers=[0, 1]), "number"),
    "an unknown class left out": (record(dropped=["oil"]), "oil"),
    "no scenes": (record(scenes=[]), "no scene"),
    "a scene without folder": (record(scenes=[{"id": "x"}]), "'folder'"),
    "an unknown georeference": (record(georeference="spline"), "spline"),
    "no polygons": (gone(POLYGONS), scene_folders.ID),
    "no feature collection": (text(POLYGONS, "[]"), scene_folders.ID),
    "no pixels": (feature(pixels=None), "feature 2"),
    "no polygon": (feature(geometry={"type": "Ring"}), "feature 2"),
    "a line": (feature(pixels={"type": "LineString", "coordinates": [[0, 0], [9, 9]]}), "feature 2"),
    "no properties": (feature(properties=None), "feature 2"),
    "no number": (of(NAMES[1], "sure"), "feature 2"),
    "a score of NaN": (of(NAMES[1], float("nan")), "nan"),
    "a class that the model lacks": (of("old_vessel", 1), "old_vessel"),
    "background found": (of("background", 1), "background"),
    "no Background.png": (gone(f"{SCENE}/Background.png"), "Background.png"),
    "another size": (smaller, "40 x 50"),
    "an unknown colour": (colour, "x.png"),
    "a list of other scenes": (other_scene, "test.txt", "--list=test.txt"),
    "no such list": (nothing, "no.txt", "--list=no.txt"),
    "no such auxiliary folder": (nothing, "no_aux", "--aux=no_aux"),
    "a margin that is no number": (nothing, "land_margin", "--land_margin=nan"),
    "a threshold above 1": (nothing, "iou_thresh", "--iou_thresh=1.5"),
    "a file in the way": (text("out", ""), "out"),
}


@pytest.mark.parametrize("what", WRONG)
def test_bad_input_is_one_line_and_leaves_nothing(what, tmp_path, monkeypatch):
    merged_slicks.two_scenes(tmp_path)
    monkeypatch.chdir(tmp_path)
    harm, says, *options = WRONG[what]
    harm(tmp_path)
    before = sorted(tmp_path.iterdir())
    ended = call("evaluate", "--polygons=merged", "--dst=out", *options)
    lines = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert ended.code == 2
    assert len(lines) == 1
    assert says in lines[0]
    assert "Traceback" not in ended.err
    assert sorted(tmp_path.iterdir()) == before
