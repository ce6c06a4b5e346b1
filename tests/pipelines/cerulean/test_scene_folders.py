"""Scenes and lists of them: what is a scene, what is none, and how its picture is read."""

import errno
import os
import pickle
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.cerulean import scenes
from pipelines.cerulean.scenes import Scene
from pipelines.errors import BadInput
from tests.pipelines.cerulean.scene_folders import ID, OTHER, write_background, write_scene

THIRD = ID.replace("E4F5", "0000")
VV = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)
MARK = np.zeros((20, 30), bool)
MARK[3:9, 4:8] = True


def listed(tmp_path: Path, *lines: object) -> Path:
    path = tmp_path / "scenes.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_list_names_folders_absolute_or_beside_it_in_its_order(tmp_path):
    first, second = write_scene(tmp_path / "b", VV), write_scene(tmp_path / "a", VV, name=OTHER)
    path = listed(tmp_path, "# partition", second, "", f"b/{ID}/")
    assert scenes.read_list(path) == [Scene(second), Scene(first)]


def test_a_folder_is_all_scenes_below_it_those_of_one_id_as_one(tmp_path):
    below = tmp_path / "scenes"
    late, early = write_scene(below, VV, name=OTHER), write_scene(below / "natural seep", VV)
    again = write_scene(below / "vessel", VV)
    elsewhere = write_scene(tmp_path / "archive", VV, name=THIRD)
    (below / "linked").symlink_to(tmp_path / "archive", target_is_directory=True)
    assert scenes.read_list(below) == [Scene(early, (again,)), Scene(late)]
    (below / THIRD).symlink_to(elsewhere, target_is_directory=True)
    found = scenes.read_list(below)
    assert [scene.id for scene in found] == sorted([ID, OTHER, THIRD])
    assert scenes.read_list(below / "vessel" / ID) == [Scene(again)]


def test_a_folder_without_a_scene_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"empty: holds no scene: no folder below it has a Background\.png"):
        scenes.read_list(tmp_path / "empty")


def test_scenes_that_a_killed_program_left_in_a_hidden_folder_are_none(tmp_path):
    scene = write_scene(tmp_path / "scenes", VV, {"seep_1.png": (2, MARK)})
    write_scene(tmp_path / ".4711.scenes.txt" / "scenes", VV, {"vessel_1.png": (3, MARK)})
    assert scenes.read_list(tmp_path) == [Scene(scene)]


def test_what_of_a_folder_cannot_be_a_scene_is_not_passed_over(tmp_path, monkeypatch):
    write_scene(tmp_path / "all", VV)
    for root in (tmp_path / "all", tmp_path / "linked"):  # there it stands behind a link
        bare = write_scene(tmp_path / "bare", VV, {"seep_1.png": (2, MARK)}, name=OTHER)
        (bare / "Background.png").unlink()
        root.mkdir(exist_ok=True)
        (root / OTHER).symlink_to(bare, target_is_directory=True)
        with pytest.raises(BadInput, match=f"{OTHER}: the scene has no Background.png"):
            scenes.read_list(root)
        (root / OTHER).unlink()
    with pytest.raises(BadInput, match=f"{OTHER}: the scene has no Background.png"):
        scenes.read_list(tmp_path)

    scandir, closed = os.scandir, str(tmp_path / "all" / ID)

    def denied(path):
        if str(path) == closed:
            raise PermissionError(errno.EACCES, "Permission denied", closed)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(BadInput, match=rf"{ID}: cannot be read \(Permission denied\)"):
        scenes.read_list(tmp_path / "all")


def test_date_and_month_come_from_the_id(tmp_path):
    assert Scene(tmp_path / ID).date == date(2020, 8, 2)
    assert (Scene(tmp_path / ID).month, Scene(tmp_path / OTHER).month) == (8, 12)


def test_layers_are_sorted_and_the_background_is_never_one(tmp_path):
    """Trap: the original takes the files in directory order and the first one for the picture."""
    folder = write_scene(tmp_path, VV, {name: (1, MARK) for name in ("z.png", "A.png", "b_2.PNG")})
    for ignored in (".hidden.png", "notes.json", "z.png.aux.xml"):
        (folder / ignored).write_text("")
    scene = Scene(folder)
    assert [path.name for path in scene.layers] == ["A.png", "b_2.PNG", "z.png"]
    assert scene.background == folder / "Background.png"


def test_a_layer_that_is_no_png_is_not_passed_over(tmp_path):
    folder = write_scene(tmp_path, VV)
    (folder / "slick.jpg").write_bytes(b"")
    with pytest.raises(BadInput, match=r"slick\.jpg.*has to be a PNG|has to be a PNG.*slick\.jpg"):
        _ = Scene(folder).layers


def test_the_size_is_height_then_width(tmp_path):
    assert Scene(write_scene(tmp_path, VV)).size() == (20, 30)


def test_windows_of_the_picture_are_its_pixels(tmp_path):
    scene = Scene(write_scene(tmp_path, VV))
    assert (scenes.read_background(scene) == VV).all()
    assert (scenes.read_background(scene, (slice(2, 7), slice(11, 30))) == VV[2:7, 11:30]).all()
    with scenes.opened(scene) as vv:
        assert vv.shape == VV.shape
        assert (vv.read(slice(19, 20), slice(0, 1)) == VV[19:20, :1]).all()


def test_one_scene_under_two_class_folders_is_one_with_the_layers_of_both(tmp_path):
    """Trap: the original splits by folder, so that a scene leaks from train into test."""
    infra = write_scene(tmp_path / "infra", VV, {"slick_2.png": (1, MARK)})
    seep = write_scene(tmp_path / "seep", VV, {"slick_1.png": (2, MARK)})
    (scene,) = scenes.read_list(listed(tmp_path, infra, seep), joined=True)
    assert [path.name for path in scene.layers] == ["slick_1.png", "slick_2.png"]
    scenes.write_list(tmp_path / "train.txt", [scene])
    assert scenes.read_list(tmp_path / "train.txt") == [scene]
    assert scenes.from_line(scene.line) == pickle.loads(pickle.dumps(scene)) == scene


def test_one_folder_listed_twice_is_refused_by_whatever_path(tmp_path):
    folder = write_scene(tmp_path / "a", VV, {"seep_1.png": (2, MARK)})
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for other in (folder, tmp_path / "b" / ID, f"a/../a/{ID}"):
        for joined in (True, False):
            with pytest.raises(BadInput, match="twice"):
                scenes.read_list(listed(tmp_path, folder, other), joined=joined)
        with pytest.raises(BadInput, match="twice"):
            scenes.read_list(listed(tmp_path, f"{folder}\t{other}"))


def test_bad_lists_are_one_sentence_that_names_the_place(tmp_path):
    good, again = write_scene(tmp_path / "a", VV), write_scene(tmp_path / "b", VV)
    bare = tmp_path / OTHER
    bare.mkdir()
    undated, february = tmp_path / "harbour", tmp_path / ID.replace("20200802T", "20210230T")
    for folder in (undated, february):
        write_background(folder, VV)
    for lines, said in (
        ([good, good], f"lists the scene {ID} twice"),
        ([good, again], f"lists the scene {ID} twice"),
        ([bare], "the scene has no Background.png"),
        ([tmp_path / "gone" / ID], "no such folder"),
        ([undated], "'harbour' holds no date"),
        ([february], "holds no date"),
        ([f"{good}\t{undated}"], "holds no date"),
        (["# nothing"], "lists no scene"),
    ):
        path = listed(tmp_path, *lines)
        with pytest.raises(BadInput) as caught:
            scenes.read_list(path)
        assert said in str(caught.value)
        assert str(tmp_path) in str(caught.value)
    with pytest.raises(BadInput, match="cannot be read"):
        scenes.read_list(tmp_path / "none.txt")
    (tmp_path / "scenes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="UTF-8"):
        scenes.read_list(tmp_path / "scenes.txt")


def test_folders_of_two_ids_in_a_line_are_refused(tmp_path):
    one, other = write_scene(tmp_path, VV), write_scene(tmp_path, VV, name=OTHER)
    with pytest.raises(BadInput, match="another scene"):
        scenes.read_list(listed(tmp_path, f"{one}\t{other}"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "16", "broken", "cut"])
def test_pictures_that_are_not_grey_of_8_bits_are_refused(tmp_path, mode):
    folder = write_scene(tmp_path, VV)
    path = folder / "Background.png"
    if mode == "broken":
        path.write_bytes(b"no picture")
    elif mode == "cut":
        noise = np.random.default_rng(0).integers(0, 256, (200, 300), np.uint8)
        write_background(folder, noise)
        path.write_bytes(path.read_bytes()[:20_000])
    elif mode == "16":
        Image.fromarray(VV.astype(np.uint16)).save(path)
    else:
        Image.fromarray(VV).convert(mode).save(path)
    with pytest.raises(BadInput, match=r"Background\.png"):
        scenes.read_background(Scene(folder))
