"""Datasets made of datasets: tiles without a slick added, annotations left out by area or class."""

import hashlib
import json

import numpy as np
import pytest
import rasterio
from pycocotools.coco import COCO

from pipelines.cerulean import coco_filter, negatives
from pipelines.cerulean.classes import IDS
from pipelines.cerulean.scenes import from_line
from pipelines.cerulean.tiling import tiles
from tests.pipelines.cerulean.tiled_scenes import blob, scene_id, sea, write_list, write_scene
from tests.pipelines.programs import caller

program = caller("pipelines.cerulean")
SHAPE = (150, 230)  # 5 x 8 tiles of 32, neither square nor whole tiles
MARKS = {
    "a.png": ("infra_slick", blob(SHAPE, 20, 30, 18)),
    "b.png": ("old_vessel", blob(SHAPE, 70, 100, 12)),
    "c.png": ("ambiguous", blob(SHAPE, 110, 160, 10)),
    "d.png": ("background", np.ones(SHAPE, bool)),  # marks no slick
}


def nodata_left():
    """The left two columns of tiles have no data at all, the third has one pixel in ten."""
    vv = sea(SHAPE, 3)
    vv[:, :64] = 0
    vv[:, 64:96] *= np.random.default_rng(0).random((SHAPE[0], 32)) < 0.05
    return vv


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A dataset of two scenes, only tiles with annotations."""
    root = tmp_path_factory.mktemp("scenes")
    folders = [write_scene(root / "all", 1, sea(SHAPE, 1), MARKS)]
    seep = {"x.png": ("natural_seep", blob(SHAPE, 70, 180, 15))}
    folders.append(write_scene(root / "all", 2, nodata_left(), seep))
    listed = write_list(root / "mine.txt", folders)
    ended = program("make_coco_dataset", "--list", listed, "--dst", root / "set", "--tile_length=32",
                    "--drop_empty", "--workers=0")  # fmt: skip
    assert ended.code == 0, ended.err
    return root / "set" / "instances_mine.json"


def read(path):
    return json.loads(path.read_text())


def with_slick(document):
    return {one["image_id"] for one in document["annotations"]}


def picture(path, band):
    with rasterio.open(path) as source:
        return source.read(band)


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


class TestNegatives:
    def add(self, source, folder, *options):
        ended = program("add_negatives", "--coco", source, "--dst", folder, "--workers=0", *options)
        assert ended.code == 0, ended.err
        return read(folder / source.name)

    def test_they_are_the_tiles_that_no_layer_touches_with_enough_data(self, source, tmp_path):
        """Also where the dataset has left out tiles with slicks of other classes."""
        ended = program("coco_filter", "--coco", source, "--dst", tmp_path / "f", "--keep=natural_seep",
                        "--drop_empty")  # fmt: skip
        assert ended.code == 0
        before = read(tmp_path / "f" / source.name)
        after = self.add(tmp_path / "f" / source.name, tmp_path / "n", "--ratio=99", "--min_valid=0.3")
        added = {image["file_name"]: image for image in after["images"][len(before["images"]) :]}
        expected = {}
        for about in before["info"]["scenes"]:
            scene = from_line(about["folder"])
            slicks = np.any([picture(path, 4) for path in scene.layers if path.name != "d.png"], axis=0)
            for tile in tiles(*SHAPE, 32):
                here = tile.inside(*SHAPE)
                pixels = np.zeros((32, 32), np.uint8)
                pixels[tile.placed(*SHAPE)] = picture(scene.background, 1)[here]
                if not slicks[here].any() and np.count_nonzero(pixels) >= 0.3 * 32 * 32:
                    expected[f"tiled_images/{scene.id}_vv-image_local_tile_{tile.index}.tif"] = pixels
        assert list(added) == sorted(expected, key=lambda name: (name.split("_vv")[0], added[name]["id"]))
        assert 10 < len(expected) < 2 * 5 * 8 - len(with_slick(read(source)))
        for name, pixels in expected.items():
            assert (picture(tmp_path / "n" / name, 1) == pixels).all()

    def test_as_many_as_the_ratio_says(self, source, tmp_path):
        after = self.add(source, tmp_path / "n", "--ratio=0.8")
        positives = len(with_slick(after))
        assert len(after["images"]) - positives == round(0.8 * positives) > 5

    def test_what_was_there_stays_as_it_was(self, source, tmp_path):
        before, after = read(source), self.add(source, tmp_path / "n")
        assert after["annotations"] == before["annotations"]
        assert after["images"][: len(before["images"])] == before["images"]
        old, new = digests(source.parent), digests(tmp_path / "n")
        del old[source.name]
        assert old.items() <= new.items()
        numbers = [image["id"] for image in after["images"]]
        assert numbers == list(range(1, len(numbers) + 1))
        files = {name for name in new if name.startswith("tiled_images/")}
        assert files == {image["file_name"] for image in after["images"]}
        assert len(COCO(tmp_path / "n" / source.name).getImgIds()) == len(numbers)

    def test_the_same_tiles_by_several_workers_and_others_by_another_seed(self, source, tmp_path):
        self.add(source, tmp_path / "a")
        self.add(source, tmp_path / "b", "--workers=2")
        self.add(source, tmp_path / "c", "--seed=5")
        assert digests(tmp_path / "a") == digests(tmp_path / "b")
        assert digests(tmp_path / "a").keys() != digests(tmp_path / "c").keys()

    def test_those_that_are_there_count(self, source, tmp_path):
        first = self.add(source, tmp_path / "a", "--ratio=0.5")
        again = self.add(tmp_path / "a" / source.name, tmp_path / "b", "--ratio=0.5")
        assert again["images"] == first["images"]
        more = self.add(tmp_path / "a" / source.name, tmp_path / "c", "--ratio=1")
        names = [image["file_name"] for image in more["images"]]
        assert len(names) == len(set(names)) == 2 * len(with_slick(more))

    def test_no_more_than_there_are(self, source, tmp_path):
        ended = program("add_negatives", "--coco", source, "--dst", tmp_path / "n", "--ratio=99",
                        "--min_valid=0", "--workers=0")  # fmt: skip
        assert ended.code == 0
        after = read(tmp_path / "n" / source.name)
        blank = 5 * 2  # tiles of nothing but nodata are of no use
        assert len(after["images"]) == 2 * 5 * 8 - blank
        assert f"only {after['info']['negatives']['added']} of " in ended.err

    def test_scenes_of_a_list_instead(self, source, tmp_path):
        folder = write_scene(tmp_path, 7, sea(SHAPE), {})
        listed = write_list(tmp_path / "more.txt", [folder])
        after = self.add(source, tmp_path / "n", "--list", listed)
        added = after["images"][len(read(source)["images"]):]  # fmt: skip
        assert {image["extra"]["big_image_id"] for image in added} == {scene_id(7)}
        assert [one["id"] for one in after["info"]["scenes"]] == [scene_id(1), scene_id(2), scene_id(7)]

    def test_new_tiles_have_the_auxiliary_channels_that_the_others_have(self, source, tmp_path):
        """Else a model would know them by their empty channels."""
        (tmp_path / "aux").mkdir()
        (tmp_path / "aux" / "infrastructure.csv").write_text("lon,lat\n4.0,53.0\n")
        scene = from_line(read(source)["info"]["scenes"][0]["folder"])
        listed = write_list(tmp_path / "one.txt", [scene.folder])
        ended = program("make_coco_dataset", listed, tmp_path / "aux", tmp_path / "set", 32, "--drop_empty",
                        "--workers=0")  # fmt: skip
        assert ended.code == 0, ended.err
        made = tmp_path / "set" / "instances_one.json"
        for coco, aux, said in (
            (made, "none", "was made with distance, but --aux has no auxiliary data"),
            (source, tmp_path / "aux", "was made with no auxiliary data, but --aux has distance"),
        ):
            ended = program("add_negatives", "--coco", coco, "--aux", aux, "--dst", tmp_path / "n")
            assert (ended.code, ended.err.count("\n")) == (2, 1)
            assert said in ended.err
            assert not (tmp_path / "n").exists()
        after = self.add(made, tmp_path / "n", "--aux", tmp_path / "aux")
        assert len(after["images"]) > len(read(made)["images"])

    def test_bad_input_leaves_nothing(self, source, tmp_path):
        strange = read(source)
        del strange["info"]["tile_length"]
        (tmp_path / "strange.json").write_text(json.dumps(strange))
        (tmp_path / "text.json").write_text(json.dumps({**strange, "info": "of another program"}))
        lost = read(source)
        lost["images"][0]["file_name"] = "tiled_images/lost.tif"
        (tmp_path / "lost.json").write_text(json.dumps(lost))
        cases = [
            (["--coco", tmp_path / "strange.json"], "tile_length"),
            (["--coco", tmp_path / "text.json"], "tile_length"),
            (["--coco", tmp_path / "lost.json"], "lost.tif"),
            (["--coco", source, "--ratio=-1"], "ratio"),
            (["--coco", source, "--aux", tmp_path / "no"], "no"),
            (["--coco", tmp_path / "none.json"], "none.json"),
        ]
        for options, words in cases:
            ended = program("add_negatives", *options, "--dst", tmp_path / "n", "--workers=0")
            assert ended.code == 2, options
            assert words in ended.err
            assert "Traceback" not in ended.err
            assert not (tmp_path / "n").exists()
        ended = program("add_negatives", "--coco", source, "--dst", source.parent)
        assert ended.code == 2
        assert "the dataset itself" in ended.err

    def test_a_stop_leaves_the_older_dataset_as_it_was(self, source, tmp_path, monkeypatch):
        self.add(source, tmp_path / "n")
        before = digests(tmp_path / "n")

        def stopped(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(negatives, "cut_all", stopped)
        for folder in (tmp_path / "n", tmp_path / "new"):
            ended = program("add_negatives", "--coco", source, "--dst", folder, "--ratio=0.9", "--workers=0")
            assert ended.code == 130
        assert digests(tmp_path / "n") == before
        assert not (tmp_path / "new").exists()


class TestFilter:
    def run(self, source, folder, *options):
        ended = program("coco_filter", "--coco", source, "--dst", folder, *options)
        assert ended.code == 0, ended.err
        return read(folder / source.name)

    def test_an_area_filter_looks_at_every_annotation(self, source, tmp_path):
        before = read(source)
        areas = sorted(one["area"] for one in before["annotations"])
        low, high = areas[len(areas) // 4], areas[-len(areas) // 4]
        after = self.run(source, tmp_path / "f", f"--min_area={low}", f"--max_area={high}")
        assert after["annotations"] == [one for one in before["annotations"] if low <= one["area"] <= high]
        assert 1 < len(after["annotations"]) < len(before["annotations"])

    def test_a_class_goes_and_its_images_stay(self, source, tmp_path):
        before = read(source)
        after = self.run(source, tmp_path / "f", "--drop=infra_slick,ambiguous")
        gone = {IDS["infra_slick"], IDS["ambiguous"]}
        kept = [one for one in before["annotations"] if one["category_id"] not in gone]
        assert after["annotations"] == kept != before["annotations"]
        assert after["images"] == before["images"]
        assert after["categories"] == before["categories"]
        for image in after["images"]:
            assert (tmp_path / "f" / image["file_name"]).is_file()
        coco = COCO(tmp_path / "f" / source.name)
        assert len(coco.getImgIds()) == len(before["images"])

    def test_images_that_lose_all_go_where_asked(self, source, tmp_path):
        after = self.run(source, tmp_path / "f", "--keep=natural_seep", "--drop_empty")
        assert {image["id"] for image in after["images"]} == with_slick(after)
        assert {image["extra"]["big_image_id"] for image in after["images"]} == {scene_id(2)}
        files = {path.name for path in (tmp_path / "f" / "tiled_images").iterdir()}
        assert files == {image["file_name"].split("/")[1] for image in after["images"]}
        # Run again without: tiles of the older one go, those of the new one come.
        everything = self.run(source, tmp_path / "f")
        assert len(list((tmp_path / "f" / "tiled_images").iterdir())) == len(everything["images"])
        self.run(source, tmp_path / "f", "--keep=natural_seep", "--drop_empty")
        assert {path.name for path in (tmp_path / "f" / "tiled_images").iterdir()} == files

    def test_images_without_annotation_from_the_start_stay(self):
        made = {"images": [{"id": 1}, {"id": 2}, {"id": 3}], "categories": [{"id": 1, "name": "a"}],
                "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "area": 5},
                                {"id": 2, "image_id": 2, "category_id": 1, "area": 50}]}  # fmt: skip
        found = coco_filter.filtered(made, {"a"}, min_area=6, drop_empty=True)
        assert [image["id"] for image in found["images"]] == [2, 3]

    @pytest.mark.parametrize("area", [5, 6, 7])
    def test_areas_at_the_bounds_stay(self, area):
        made = {"images": [{"id": 1}], "categories": [{"id": 1, "name": "a"}],
                "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "area": area}]}  # fmt: skip
        assert coco_filter.filtered(made, {"a"}, 5, 7)["annotations"]
        assert not coco_filter.filtered(made, {"a"}, 5.5, 5.9)["annotations"]

    def test_the_files_of_the_old_dataset_are_not_touched(self, source, tmp_path):
        before = digests(source.parent)
        self.run(source, tmp_path / "f", "--drop=infra_slick", "--drop_empty")
        assert digests(source.parent) == before

    @pytest.mark.parametrize(
        ("options", "words"),
        [(["--drop=infra_slik"], "did you mean"), (["--min_area=9", "--max_area=3"], "9 to 3"),
         (["--keep=oil"], "no class 'oil'"), (["--min_area=nan"], "no range")],
    )  # fmt: skip
    def test_bad_input(self, source, tmp_path, options, words):
        ended = program("coco_filter", "--coco", source, "--dst", tmp_path / "f", *options)
        assert ended.code == 2
        assert words in ended.err
        assert not (tmp_path / "f").exists()
