"""Tables and plots of datasets, against counts made by hand."""

import hashlib
import json

import pandas as pd
import pytest
from PIL import Image

from pipelines.cerulean import coco_tables
from pipelines.cerulean.classes import IDS, NAMES
from tests.pipelines.programs import caller

program = caller("pipelines.cerulean")
CATEGORIES = [{"id": IDS[name], "name": name, "supercategory": "slick"} for name in NAMES[1:]]


def document(tiles, areas):
    """``tiles`` are (scene, tile index); ``areas`` (place of the tile, class, area)."""
    images = [
        {"id": number, "file_name": f"tiled_images/{scene}_{index}.tif", "width": 64, "height": 64,
         "extra": {"big_image_id": scene}}
        for number, (scene, index) in enumerate(tiles, 1)
    ]  # fmt: skip
    annotations = [
        {"id": number, "image_id": place + 1, "category_id": IDS[name], "area": area, "bbox": [0, 0, 5, 7],
         "iscrowd": 0}
        for number, (place, name, area) in enumerate(areas, 1)
    ]  # fmt: skip
    return {"images": images, "annotations": annotations, "categories": CATEGORIES}


TRAIN = document(
    [("A", 0), ("A", 1), ("A", 2), ("B", 0)],
    [(0, "infra_slick", 10), (0, "infra_slick", 30), (1, "infra_slick", 20), (3, "old_vessel", 40)],
)
TEST = document([("B", 3), ("C", 0)], [(1, "natural_seep", 9)])


@pytest.fixture
def files(tmp_path):
    for name, made in (("train", TRAIN), ("test", TEST)):
        (tmp_path / f"instances_{name}.json").write_text(json.dumps(made))
    return tmp_path / "instances_train.json", tmp_path / "instances_test.json"


def test_the_tables_agree_with_the_datasets(files, tmp_path):
    ended = program("coco_stats", "--coco", *files, "--dst", tmp_path / "s")
    assert ended.code == 0, ended.err
    classes = pd.read_csv(tmp_path / "s/classes.csv").set_index(["dataset", "class"])
    infra = classes.loc[("train", "infra_slick")]
    assert infra[["scenes", "tiles", "instances", "pixels"]].tolist() == [1, 2, 3, 60]
    assert infra[["area_min", "area_median", "area_mean", "area_max"]].tolist() == [10, 20, 20, 30]
    assert infra["share"] == pytest.approx(0.6)
    absent = classes.loc[("train", "ambiguous")]
    assert absent["instances"] == 0
    assert absent[["area_min", "area_median", "area_mean", "area_max"]].isna().all()
    assert [name for dataset, name in classes.index if dataset == "train"] == list(NAMES[1:])

    scenes = pd.read_csv(tmp_path / "s/scenes.csv").set_index(["dataset", "scene"])
    columns = ["tiles", "tiles_without_slick", "instances", "pixels", "infra_slick", "natural_seep"]
    assert scenes.loc[("train", "A"), columns].tolist() == [3, 1, 3, 60, 3, 0]
    assert scenes.loc[("test", "B"), columns].tolist() == [1, 1, 0, 0, 0, 0]

    rows = pd.read_csv(tmp_path / "s/instances.csv")
    assert rows["area"].tolist() == [10, 30, 20, 40, 9]
    assert rows.loc[0, ["width", "height"]].tolist() == [5, 7]


def test_scenes_in_several_datasets_are_told(files, tmp_path):
    ended = program("coco_stats", "--coco", *files, "--dst", tmp_path / "s")
    stats = json.loads((tmp_path / "s/stats.json").read_text())
    assert stats["shared_scenes"] == {"B": ["train", "test"]}
    assert "1 scenes stand in more than one dataset, as B" in ended.err
    train = stats["datasets"]["train"]
    assert train["classes"]["infra_slick"] == {"instances": 3, "pixels": 60}
    assert {key: train[key] for key in train if key != "classes"} == {
        "scenes": 2, "tiles": 4, "tiles_without_slick": 1, "instances": 4, "pixels": 100,
    }  # fmt: skip


def test_the_same_plots_from_run_to_run(files, tmp_path):
    for name in ("a", "b"):
        assert program("coco_stats", "--coco", *files, "--dst", tmp_path / name).code == 0
    digests = [
        {path.name: hashlib.sha256(path.read_bytes()).digest() for path in (tmp_path / name).iterdir()}
        for name in ("a", "b")
    ]
    assert digests[0] == digests[1]
    assert len(digests[0]) == 7
    for name in ("instances", "areas", "scenes"):
        colours = Image.open(tmp_path / f"a/{name}.png").convert("RGB").getcolors(2**20)
        assert len(colours) > 10  # something is drawn


def test_a_dataset_without_annotations_or_images(tmp_path):
    for name, made in (("none", document([("A", 0)], [])), ("empty", document([], []))):
        path = tmp_path / f"instances_{name}.json"
        path.write_text(json.dumps(made))
        ended = program("coco_stats", "--coco", path, "--dst", tmp_path / name)
        assert ended.code == 0, ended.err
        assert (pd.read_csv(tmp_path / name / "classes.csv")["instances"] == 0).all()


def test_tables_do_not_mix_datasets_with_the_same_ids():
    found = coco_tables.instances({"a": TRAIN, "b": TRAIN})
    counts = coco_tables.by_class({"a": TRAIN, "b": TRAIN}, found).set_index(["dataset", "class"])
    assert counts.loc[("a", "infra_slick"), "instances"] == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.pop("annotations"), "no list 'annotations'"),
        (lambda d: d["annotations"][0].pop("area"), "entry 0 of 'annotations' has no 'area'"),
        (lambda d: d["annotations"][0].update(area="large"), "area"),
        (lambda d: d["annotations"][0].update(image_id=99), "image 99"),
        (lambda d: d["annotations"][0].update(category_id=99), "category 99"),
        (lambda d: d["images"][1].update(id=1), "an id of 'images' twice"),
        (lambda d: d["images"].__setitem__(0, 3), "entry 0 of 'images'"),
    ],
)
def test_no_coco_document(change, words, tmp_path):
    made = json.loads(json.dumps(TRAIN))
    change(made)
    path = tmp_path / "instances_x.json"
    path.write_text(json.dumps(made))
    ended = program("coco_stats", "--coco", path, "--dst", tmp_path / "s")
    assert ended.code == 2
    assert ended.err.startswith("error: ")
    assert str(path) in ended.err
    assert words in ended.err
    assert not (tmp_path / "s").exists()


def test_the_same_file_twice(files, tmp_path):
    ended = program("coco_stats", "--coco", files[0], files[0], "--dst", tmp_path / "s")
    assert ended.code == 2
    assert "named twice" in ended.err
