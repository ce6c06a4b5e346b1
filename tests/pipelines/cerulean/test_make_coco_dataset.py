"""make_coco_dataset on scenes made by hand: tiles, masks and ids against the scenes themselves."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from pipelines.cerulean import auxiliary, scene_tiles
from pipelines.cerulean.classes import CLASSES, IDS
from pipelines.cerulean.scenes import Scene
from pipelines.cerulean.tiling import tiles
from tests.pipelines.cerulean.tiled_scenes import blob, lonlat, scene_id, sea, write_list, write_scene
from tests.pipelines.programs import caller

program = caller("pipelines.cerulean")
SHAPE = (150, 230)  # neither square nor whole tiles


def all_classes(shape):
    """A layer of every class but background; two overlap."""
    names = [one.name for one in CLASSES[1:]]
    return {
        f"{chr(ord('z') - place)}.png": (name, blob(shape, 20 + 20 * place, 30 + 30 * place, 18))
        for place, name in enumerate(names)
    }


@pytest.fixture(scope="module")
def two_scenes(tmp_path_factory):
    """A list of two scenes, the later one first, and (vv, marks) of each by id."""
    root = tmp_path_factory.mktemp("scenes")
    vv = sea(SHAPE, 1)
    vv[:, :40] = 0
    known = {
        2: (vv, all_classes(SHAPE)),
        1: (sea((70, 40), 2), {"slick.png": ("old_vessel", np.ones((70, 40), bool))}),
    }
    folders = [write_scene(root / "all", number, *of) for number, of in known.items()]
    return write_list(root / "mine.txt", folders), {scene_id(number): of for number, of in known.items()}


@pytest.fixture(scope="module")
def dataset(two_scenes, tmp_path_factory):
    """The folder of a dataset of tiles of 64 pixels."""
    folder = tmp_path_factory.mktemp("dataset") / "new"
    ended = program("make_coco_dataset", two_scenes[0], "none", folder, 64, "--workers=0")
    assert ended.code == 0, ended.err
    return folder


def document(folder: Path, name="mine"):
    return json.loads((folder / f"instances_{name}.json").read_text())


def digests(folder: Path):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def pixels(folder: Path, image):
    with rasterio.open(folder / image["file_name"]) as source:
        return source.read()


def test_the_masks_of_tiles_united_are_the_layers(dataset, two_scenes):
    loaded = COCO(str(dataset / "instances_mine.json"))
    for scene, (vv, marks) in two_scenes[1].items():
        united = {name: np.zeros(vv.shape, bool) for name in marks}
        for image in (one for one in loaded.imgs.values() if one["extra"]["big_image_id"] == scene):
            extra = image["extra"]
            there = united_part = np.s_[
                extra["row"] : extra["row"] + extra["valid_height"],
                extra["col"] : extra["col"] + extra["valid_width"],
            ]
            for one in loaded.imgToAnns[image["id"]]:
                mask = loaded.annToMask(one).astype(bool)
                assert mask.shape == (64, 64)
                assert IDS[marks[one["extra"]["layer"]][0]] == one["category_id"]
                assert not united[one["extra"]["layer"]][there].any()  # one annotation of a slick in a tile
                united[one["extra"]["layer"]][united_part] = mask[
                    : extra["valid_height"], : extra["valid_width"]
                ]
                assert mask.sum() == one["area"] == coco_mask.area(one["segmentation"])
        for name, (_, mask) in marks.items():
            assert (united[name] == mask).all(), name


def test_boxes_are_the_least_around_the_masks_and_nothing_is_a_crowd(dataset):
    loaded = COCO(str(dataset / "instances_mine.json"))
    assert loaded.anns
    for one in loaded.anns.values():
        rows, cols = np.nonzero(loaded.annToMask(one))
        left, top, width, height = one["bbox"]
        assert (left, top) == (cols.min(), rows.min())
        assert (left + width, top + height) == (cols.max() + 1, rows.max() + 1)
        assert one["iscrowd"] == 0


def test_tiles_put_together_are_the_scene_and_their_padding_is_0(dataset, two_scenes):
    for scene, (vv, _) in two_scenes[1].items():
        images = [i for i in document(dataset)["images"] if i["extra"]["big_image_id"] == scene]
        height, width = (-(-side // 64) * 64 for side in vv.shape)
        canvas = np.full((3, height, width), 7, np.uint8)
        for image in images:
            row, col = image["extra"]["row"], image["extra"]["col"]
            canvas[:, row : row + 64, col : col + 64] = pixels(dataset, image)
        assert (canvas[0, : vv.shape[0], : vv.shape[1]] == vv).all()
        assert (canvas[1, : vv.shape[0], : vv.shape[1]] == 255).all()  # far from what is not known
        assert not canvas[2].any()
        assert not canvas[:, vv.shape[0] :].any() and not canvas[:, :, vv.shape[1] :].any()
        shares = {i["extra"]["tile"]: np.mean(pixels(dataset, i)[0] > 0) for i in images}
        assert shares == pytest.approx({i["extra"]["tile"]: i["extra"]["valid_share"] for i in images})


def test_images_come_by_scene_and_tile_with_ids_from_1(dataset):
    made = document(dataset)
    images, annotations = made["images"], made["annotations"]
    assert [image["id"] for image in images] == list(range(1, len(images) + 1))
    order = [(image["extra"]["big_image_id"], image["extra"]["tile"]) for image in images]
    assert order == [(scene_id(1), i) for i in range(2)] + [(scene_id(2), i) for i in range(12)]
    for image, (scene, tile) in zip(images, order, strict=True):
        assert image["file_name"] == f"tiled_images/{scene}_vv-image_local_tile_{tile}.tif"
        assert image["date_captured"] == f"2020-08-0{int(scene[-1]) + 1}"
    keys = [(one["image_id"], one["extra"]["layer"]) for one in annotations]
    assert keys == sorted(keys)
    assert [one["id"] for one in annotations] == list(range(1, len(annotations) + 1))
    assert {one["category_id"] for one in annotations} == set(range(1, 7))


def test_a_mask_that_fills_its_tile_is_kept(dataset):
    first = document(dataset)["images"][0]  # of the scene that is one slick
    (one,) = [a for a in document(dataset)["annotations"] if a["image_id"] == first["id"]]
    assert one["bbox"] == [0, 0, 40, 64]
    full = [a for a in document(dataset)["annotations"] if a["area"] == 40 * 64]
    assert full == [one]


def test_bounds_and_points_say_where_a_tile_lies(dataset):
    for image in document(dataset)["images"]:
        extra = image["extra"]
        rows = extra["row"] + np.array([0, 0, 1, 1]) * extra["valid_height"]
        cols = extra["col"] + np.array([0, 1, 0, 1]) * extra["valid_width"]
        corners = np.array([lonlat(*one) for one in zip(rows, cols, strict=True)])
        expected = [*corners.min(0), *corners.max(0)]
        assert extra["bounds"] == pytest.approx(expected, abs=1e-5)
        with rasterio.open(dataset / image["file_name"]) as source:
            points, crs = source.gcps
            assert source.descriptions == ("vv", "distance", "density")
        assert crs.to_epsg() == 4326
        put = [lonlat(one.row + extra["row"], one.col + extra["col"]) for one in points]
        assert np.array([(one.x, one.y) for one in points]) == pytest.approx(np.array(put), abs=1e-8)


def test_whole_scenes_that_are_not_square_are_one_tile_each(two_scenes, tmp_path):
    assert program("make_coco_dataset", two_scenes[0], "none", tmp_path, 0, "--workers=0").code == 0
    loaded = COCO(str(tmp_path / "instances_mine.json"))
    assert [(i["height"], i["width"]) for i in loaded.imgs.values()] == [(70, 40), SHAPE]
    for image in loaded.imgs.values():
        vv, marks = two_scenes[1][image["extra"]["big_image_id"]]
        assert (pixels(tmp_path, image)[0] == vv).all()
        for one in loaded.imgToAnns[image["id"]]:
            assert (loaded.annToMask(one) == marks[one["extra"]["layer"]][1]).all()


def test_more_than_200_tiles_keep_their_own_ids_and_files(tmp_path):
    folders = []
    for number, shape in enumerate([(32 * 15, 32 * 14), (32, 64)]):
        mask = np.zeros(shape, bool)
        mask[16::32, 16::32] = True  # a pixel in every tile
        folders.append(write_scene(tmp_path, number, sea(shape, 5), {"a.png": ("natural_seep", mask)}))
    listed = write_list(tmp_path / "all.txt", folders)
    assert program("make_coco_dataset", listed, "none", tmp_path / "out", 32, "--workers=0").code == 0
    made = document(tmp_path / "out", "all")
    assert [image["id"] for image in made["images"]] == list(range(1, 213))
    assert len({image["file_name"] for image in made["images"]}) == 212
    assert [one["image_id"] for one in made["annotations"]] == list(range(1, 213))
    last = made["images"][209]
    assert last["extra"]["tile"] == 209
    assert (pixels(tmp_path / "out", last)[0] == sea((32 * 15, 32 * 14), 5)[-32:, -32:]).all()


def test_options_and_places_say_the_same_and_any_number_of_workers_gives_the_same_bytes(
    two_scenes, dataset, tmp_path
):
    ended = program(
        "make_coco_dataset", f"--list={two_scenes[0]}", f"--dst={tmp_path}", "--tile_length=64", "--workers=2"
    )
    assert ended.code == 0, ended.err
    assert digests(tmp_path) == digests(dataset)


def test_a_dataset_of_a_folder_has_its_whole_name_however_it_is_named(tmp_path, monkeypatch):
    write_scene(tmp_path / "scenes v1.2", 1, sea((40, 40), 1), {})
    (tmp_path / "scenes v1.2" / "notes").mkdir()
    monkeypatch.chdir(tmp_path / "scenes v1.2" / "notes")
    for number, listed in enumerate(("..", tmp_path / "scenes v1.2")):
        ended = program("make_coco_dataset", listed, "none", tmp_path / f"{number}", 32, "--workers=0")
        assert ended.code == 0, ended.err
        assert (tmp_path / f"{number}" / "instances_scenes v1.2.json").is_file()


def test_tiles_without_annotation_and_tiles_without_data_are_left_out_where_asked(
    two_scenes, dataset, tmp_path
):
    before = document(dataset)
    annotated = {one["image_id"] for one in before["annotations"]}
    arguments = ("make_coco_dataset", two_scenes[0], "none", tmp_path, 64, "--workers=0", "--name=mine")

    assert program(*arguments, "--drop_empty").code == 0
    kept = [image["file_name"] for image in document(tmp_path)["images"]]
    assert kept == [image["file_name"] for image in before["images"] if image["id"] in annotated]
    assert len(kept) < len(before["images"])

    edge = sorted(image["extra"]["valid_share"] for image in before["images"])[4]
    assert program(*arguments, f"--min_valid={edge}").code == 0
    kept = [image["file_name"] for image in document(tmp_path)["images"]]
    assert kept == [i["file_name"] for i in before["images"] if i["extra"]["valid_share"] >= edge]
    assert len(document(tmp_path)["annotations"]) < len(before["annotations"])
    # What the dataset of this name had before is gone, too.
    assert sorted(f"tiled_images/{path.name}" for path in (tmp_path / "tiled_images").iterdir()) == sorted(
        kept
    )


@example(height=1100, width=3, length=0, seed=0)  # higher than what is warped at once
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 140), st.integers(1, 140), st.sampled_from([0, 32, 50, 64]), st.integers(0, 99))
def test_tiles_of_a_scene_of_any_size_are_the_scene(tmp_path_factory, height, width, length, seed):
    vv = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    folder = write_scene(tmp_path_factory.mktemp("any"), 1, vv, {})
    again = np.zeros_like(vv)
    with scene_tiles.opened(Scene(folder), auxiliary.Auxiliary(None, None, None)) as source:
        assert source.shape == vv.shape
        for tile, pixels in source.read(tiles(height, width, length)):
            assert pixels.shape == (3, tile.height, tile.width)
            rows, cols = tile.inside(height, width)
            assert not again[rows, cols].any()
            again[rows, cols] = pixels[(0, *tile.placed(height, width))]
            padding = np.ones(pixels.shape[1:], bool)
            padding[tile.placed(height, width)] = False
            assert not pixels[:, padding].any()
    assert (again == vv).all()


def test_layers_of_one_scene_in_two_folders_are_of_one_scene(tmp_path):
    shape = (64, 64)
    marks = [
        {"1.png": ("infra_slick", blob(shape, 9, 9, 5))},
        {"1.png": ("old_vessel", blob(shape, 9, 40, 5))},
    ]
    one, two = (write_scene(tmp_path / str(i), 1, sea(shape), own) for i, own in enumerate(marks))
    listed = tmp_path / "l.txt"
    listed.write_text(f"{one}\t{two}\n")
    assert program("make_coco_dataset", listed, "none", tmp_path / "o", 64, "--workers=0").code == 0
    made = document(tmp_path / "o", "l")
    assert len(made["images"]) == 1
    assert [one["category_id"] for one in made["annotations"]] == [IDS["infra_slick"], IDS["old_vessel"]]


def test_a_layer_of_backgrounds_colour_is_no_annotation(tmp_path):
    shape = (64, 64)
    marks = {
        "a.png": ("background", blob(shape, 9, 9, 5)),
        "b.png": ("infra_slick", blob(shape, 40, 40, 5)),
    }
    listed = write_list(tmp_path / "l.txt", [write_scene(tmp_path, 1, sea(shape), marks)])
    assert program("make_coco_dataset", listed, "none", tmp_path / "o", 64, "--workers=0").code == 0
    assert [one["category_id"] for one in document(tmp_path / "o", "l")["annotations"]] == [1]


def test_the_auxiliary_channels_of_tiles_are_those_of_the_scene(tmp_path):
    shape = (100, 130)
    marks = {"a.png": ("infra_slick", blob(shape, 50, 50, 9))}
    folder = write_scene(tmp_path, 1, sea(shape), marks, month=3)
    lon, lat = lonlat(40, 60)
    aux = tmp_path / "aux"
    aux.mkdir()
    point = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [lon, lat]}}
    (aux / "infrastructure.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": [point]})
    )
    with rasterio.open(
        aux / "ship_density.tif", "w", driver="GTiff", dtype="float32", count=12, height=40, width=40,
        crs="EPSG:4326", transform=rasterio.transform.from_bounds(4, 39, 6, 41, 40, 40),
    ) as target:  # fmt: skip
        target.write(np.array([np.full((40, 40), 2 * month, np.float32) for month in range(1, 13)]))
    listed = write_list(tmp_path / "l.txt", [folder])

    assert program("make_coco_dataset", listed, aux, tmp_path / "o", 64, "--workers=0").code == 0

    canvas = np.zeros((3, 128, 192), np.uint8)
    for image in document(tmp_path / "o", "l")["images"]:
        row, col = image["extra"]["row"], image["extra"]["col"]
        canvas[:, row : row + 64, col : col + 64] = pixels(tmp_path / "o", image)
    whole = auxiliary.channels(auxiliary.load(aux), Scene(folder))
    assert (canvas[1:, :100, :130] == whole).all()
    distance, density = canvas[1, :100, :130], canvas[2, :100, :130]
    assert distance[40, 60] < 5 < distance[99, 129] < 255
    assert len(np.unique(density)) == 1 and density[0, 0] > 0
