"""Traps of the original, through the programs: bad input, order of files, classes that go, equal bytes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from pycocotools.coco import COCO

from pipelines.cerulean import auxiliary, models
from pipelines.cerulean.classes import BY_COLOUR, CLASSES, IDS, named
from pipelines.cerulean.instances import Instances
from pipelines.cerulean.postprocessing import outlined
from tests.pipelines.cerulean import merged_slicks, scene_folders
from tests.pipelines.cerulean.merged_slicks import box
from tests.pipelines.cerulean.scene_folders import ID, OTHER, write_layer
from tests.pipelines.programs import caller

call = caller("pipelines.cerulean")
THIRD = ID.replace("20200802T", "20200814T")
SPOILT = OTHER  # the scene that is made bad, the second of three
LAYER = "0_old_vessel.png"


def write_model(path: Path) -> None:
    """A network that has learned nothing."""
    usual = named("usual")
    config = models.Config(
        models.CHANNELS, usual.names, usual.numbers, tuple(sorted(usual.dropped)), 4, 2, (90.0,) * 3,
        (40.0,) * 3, 64,
    )  # fmt: skip
    path.mkdir()
    models.save(path, models.build(config), config)


def write_points(folder: Path, *points: tuple[float, float]) -> None:
    features = [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": one}}
        for one in points
    ]
    folder.mkdir(exist_ok=True)
    document = {"type": "FeatureCollection", "features": features}
    (folder / "infrastructure.geojson").write_text(json.dumps(document))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three scenes, what is known beside them (density and land are not), a model, and polygons of merge."""
    monkeypatch.chdir(tmp_path)
    slicks = [("old_vessel", box((60, 70), (20, 120)))]
    folders = [merged_slicks.write_scene(tmp_path / "scenes", slicks, name) for name in (ID, SPOILT, THIRD)]
    (tmp_path / "scenes.txt").write_text("".join(f"scenes/{folder.name}\n" for folder in folders))
    write_points(tmp_path / "aux", (4.0, 53.0))
    write_model(tmp_path / "model")
    merged_slicks.write_merged(tmp_path / "merged", {folder: [] for folder in folders})
    return tmp_path


PROGRAMS = {
    "split_scenes": ["--list=scenes.txt"],
    "make_coco_dataset": ["--list=scenes.txt", "--aux=aux", "--tile_length=64", "--workers=0"],
    "predict": ["--list=scenes.txt", "--aux=aux", "--model=model", "--device=cpu"],
    "evaluate": ["--polygons=merged", "--list=scenes.txt", "--aux=aux", "--draw=False"],
    "visualize": ["--list=scenes.txt"],
}
WITH_LAYERS = ("split_scenes", "make_coco_dataset", "evaluate", "visualize")


def without_background(root: Path) -> str:
    (root / "scenes" / SPOILT / "Background.png").unlink()
    return "the scene has no Background.png"


def layer_of_another_size(root: Path) -> str:
    write_layer(root / "scenes" / SPOILT / LAYER, box((60, 70), (20, 120))[:, :-1], (255, 0, 255))
    return LAYER


def empty_layer(root: Path) -> str:
    write_layer(root / "scenes" / SPOILT / LAYER, np.zeros(merged_slicks.SHAPE, bool), (255, 0, 255))
    return LAYER


def unknown_colour(root: Path) -> str:
    write_layer(root / "scenes" / SPOILT / LAYER, box((60, 70), (20, 120)), (255, 0, 254))
    return f"{LAYER}: the colour (255, 0, 254)"


def listed_twice(root: Path) -> str:
    path = root / "scenes.txt"
    path.write_text(f"{path.read_text()}{root}/scenes/{SPOILT}\n")
    return "twice"


def without_a_date(root: Path) -> str:
    (root / "scenes" / SPOILT).rename(root / "scenes" / "S1B_harbour")
    text = (root / "scenes.txt").read_text()
    (root / "scenes.txt").write_text(text.replace(SPOILT, "S1B_harbour"))
    return "S1B_harbour"


def no_points(root: Path) -> str:
    write_points(root / "aux")
    return "infrastructure.geojson"


BAD_LAYERS = (layer_of_another_size, empty_layer, unknown_colour)
CASES = [
    *((name, spoil) for spoil in (without_background, listed_twice, without_a_date) for name in PROGRAMS),
    *(
        (name, spoil)
        for spoil in (layer_of_another_size, empty_layer, unknown_colour)
        for name in WITH_LAYERS
    ),
    *((name, no_points) for name in ("make_coco_dataset", "predict", "evaluate")),
]


def assert_one_line(name: str, options: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit 2, one line of complaint and nothing beside it, not even from a library, and nothing written."""
    before = files(Path())
    with warnings.catch_warnings(record=True) as warned:
        ended = call(name, *options, "--dst=out")
    assert ended.code == 2, ended.err
    assert ended.err.startswith("error: ") and ended.err.count("\n") == 1, ended.err
    assert said in ended.err
    assert capfd.readouterr().err == ""  # what C libraries would write
    assert [str(one.message) for one in warned] == []
    assert files(Path()) == before


def files(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if not path.is_symlink())
    return {
        path.relative_to(folder).as_posix(): digest(path) if path.is_file() else "folder" for path in found
    }


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(("name", "spoil"), CASES)
def test_bad_scenes_are_one_line_in_every_program_that_reads_them(
    root: Path, name: str, spoil: Callable[[Path], str], capfd, caplog
) -> None:
    said = spoil(root)
    assert_one_line(name, PROGRAMS[name], said, capfd)
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("name", ["make_coco_dataset", "predict"])
@pytest.mark.parametrize("length", [31, 1, -1])
def test_tiles_below_32_pixels_are_one_line(root: Path, name: str, length: int, capfd) -> None:
    options = [one for one in PROGRAMS[name] if not one.startswith("--tile_length")]
    assert_one_line(name, [*options, f"--tile_length={length}"], str(length), capfd)


def test_the_scenes_without_harm_are_used(root: Path) -> None:
    """Else the tests above could fail for another reason than they say."""
    for name, options in PROGRAMS.items():
        ended = call(name, *options, f"--dst=out_{name}")
        assert ended.code == 0, ended.err


def test_also_in_processes_of_its_own_the_line_stands_alone(root: Path) -> None:
    said = unknown_colour(root)
    command = [sys.executable, "-m", "pipelines.cerulean.make_coco_dataset", "scenes.txt", "aux", "out", "64"]
    ended = subprocess.run([*command, "--workers=2"], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ") and ended.stderr.count("\n") == 1, ended.stderr
    assert said in ended.stderr
    assert not (root / "out").exists()


def test_a_cut_picture_is_one_line_without_what_the_libraries_say(root: Path) -> None:
    noise = np.random.default_rng(0).integers(1, 256, merged_slicks.SHAPE, np.uint8)
    path = root / "scenes" / SPOILT / "Background.png"
    scene_folders.write_background(path.parent, noise)
    path.write_bytes(path.read_bytes()[:15_000])
    command = [sys.executable, "-m", "pipelines.cerulean.make_coco_dataset", *PROGRAMS["make_coco_dataset"]]
    ended = subprocess.run([*command, "--dst=out"], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ") and ended.stderr.count("\n") == 1, ended.stderr
    assert f"{SPOILT}/Background.png" in ended.stderr and "libpng" in ended.stderr


def test_the_order_of_files_in_a_folder_does_not_matter(root: Path, monkeypatch) -> None:
    """Trap: layers in directory order, the first file taken for the picture."""
    vv = np.arange(130 * 210).reshape(merged_slicks.SHAPE) % 251 + 1
    folder = merged_slicks.write_scene(
        root / "more", [(one.name, box((9 * i, 9 * i + 30), (0, 60))) for i, one in enumerate(CLASSES[1:])],
        pixels=vv.astype(np.uint8),
    )  # fmt: skip
    (folder / "0_infra_slick.png").rename(folder / "ZZ.png")  # after Background.png, which others are before
    (root / "l.txt").write_text(f"{folder}\n")
    real = Path.iterdir
    found = []
    for order in (lambda paths: sorted(paths), lambda paths: sorted(paths, reverse=True)):
        monkeypatch.setattr(Path, "iterdir", lambda self, order=order: iter(order(real(self))))
        assert call("make_coco_dataset", "l.txt", "none", "set", 64, "--workers=0").code == 0
        found.append(files(root / "set"))
    assert found[0] == found[1]
    made = COCO("set/instances_l.json")
    for image in made.imgs.values():
        with rasterio.open(root / "set" / image["file_name"]) as file:
            tile = file.read(1)
        rows, cols = (slice(image["extra"][side], image["extra"][side] + 64) for side in ("row", "col"))
        part = vv[rows, cols]
        assert (tile[: part.shape[0], : part.shape[1]] == part).all()
    layers = [one["extra"]["layer"] for one in made.imgToAnns[1]]
    assert layers == sorted(layers)
    assert {one["category_id"] for one in made.anns.values()} == set(IDS.values()) - {0}


def test_a_scene_below_two_folders_of_classes_is_in_one_split_with_all_its_slicks(root: Path) -> None:
    """Trap: it leaks from training into testing, and each copy lacks the slicks of the other."""
    folders = []
    for day in range(1, 13):
        name = ID.replace("20200802T", f"202008{day:02}T")
        for kind in ("infra_slick", "natural_seep"):
            slicks = [(kind, box((10, 30), (10, 60) if kind == "infra_slick" else (90, 150)))]
            folders.append(merged_slicks.write_scene(root / "by_class" / kind, slicks, name))
    (root / "all.txt").write_text("".join(f"{folder}\n" for folder in folders))
    assert call("split_scenes", "--list=all.txt", "--dst=split", "--val=0.25", "--test=0.25").code == 0
    seen: set[str] = set()
    for part in ("train", "val", "test"):
        ended = call("make_coco_dataset", f"split/{part}.txt", "none", part, 0, "--workers=0")
        assert ended.code == 0, ended.err
        made = COCO(f"{part}/instances_{part}.json")
        scenes = {image["extra"]["big_image_id"] for image in made.imgs.values()}
        assert len(scenes) == len(made.imgs) and not scenes & seen
        for image in made.imgs:
            assert [one["category_id"] for one in made.imgToAnns[image]] == [1, 2]
        seen |= scenes
    assert len(seen) == 12


def test_a_scene_that_was_copied_below_two_folders_has_each_slick_once(root: Path) -> None:
    slicks = [("infra_slick", box((10, 30), (10, 60))), ("natural_seep", box((50, 70), (10, 60)))]
    folders = [merged_slicks.write_scene(root / kind, slicks) for kind in ("infra_slick", "natural_seep")]
    write_layer(folders[1] / LAYER, box((90, 99), (10, 60)), (255, 0, 255))
    (root / "l.txt").write_text("\t".join(map(str, folders)))
    assert call("make_coco_dataset", "l.txt", "none", "set", 0, "--workers=0").code == 0
    made = COCO("set/instances_l.json")
    assert sorted(one["category_id"] for one in made.anns.values()) == [1, 2, IDS["old_vessel"]]


def test_removing_a_class_or_small_slicks_leaves_every_image_and_every_other_slick(root: Path) -> None:
    """Traps: the filter by area ends after the first annotation, and images of the class go with it."""
    slicks = [(name, box((20 * i, 20 * i + 5 + i), (0, 200))) for i, name in enumerate(list(IDS)[1:])]
    merged_slicks.write_scene(root / "more", slicks)
    (root / "l.txt").write_text(f"more/{ID}\n")
    assert call("make_coco_dataset", "l.txt", "none", "set", 64, "--workers=0").code == 0
    before = COCO("set/instances_l.json")
    options = ["--coco=set/instances_l.json", "--drop=infra_slick", "--min_area=400"]
    assert call("coco_filter", *options, "--dst=fewer").code == 0
    after = COCO("fewer/instances_l.json")
    assert after.imgs == before.imgs
    kept = {n: one for n, one in before.anns.items() if one["category_id"] != 1 and one["area"] >= 400}
    assert after.anns == kept
    assert len({one["image_id"] for one in kept.values()}) > 1 and len(before.anns) > len(kept) > 5


CHAIN = """
import importlib, json, sys
for name, *arguments in json.load(sys.stdin):
    command = importlib.import_module(f"pipelines.cerulean.{name}").command
    command.main(arguments, standalone_mode=False)
"""
STEPS = [
    ["generate", "--dst=data", "--scenes=6", "--size=160x128"],
    ["split_scenes", "--list=data/scenes.txt", "--dst=split", "--val=0.2", "--test=0.2"],
    *(
        ["make_coco_dataset", f"split/{part}.txt", "data/aux", part, "64", "--workers=0"]
        for part in ("train", "val")
    ),
    ["coco_filter", "--coco=train/instances_train.json", "--dst=fewer", "--min_area=5", "--drop_empty"],
    ["add_negatives", "--coco=fewer/instances_train.json", "--dst=more", "--aux=data/aux", "--workers=0"],
    ["coco_stats", "--coco=more/instances_train.json", "--dst=stats"],
    ["train", "--train=more", "--val=val", "--dst=model", "--device=cpu", "--width=4", "--depth=3",
     "--epochs=12", "--lr=0.05"],
    ["predict", "--model=model", "--list=split/test.txt", "--aux=data/aux", "--dst=pred", "--device=cpu"],
    ["postprocess", "--pred=pred", "--dst=post", "--tile_length=64", "--conf_threshold=0.04",
     "--bbox_score_thresh=none", "--pixel_score_thresh=none", "--poly_score_thresh=none"],
    ["merge", "--polygons=post", "--aux=data/aux", "--dst=merged"],
    ["evaluate", "--polygons=merged", "--aux=data/aux", "--dst=scores"],
    ["visualize", "--polygons=merged", "--dst=pictures"],
]  # fmt: skip


@pytest.mark.slow
def test_the_whole_chain_writes_the_same_bytes_again(tmp_path: Path) -> None:
    """With another seed of hashes, so that no order of a set comes into any file."""
    found = []
    for seed in ("1", "2"):
        folder = tmp_path / "run"  # the same, for records hold paths
        folder.mkdir()
        ended = subprocess.run(
            [sys.executable, "-c", CHAIN], cwd=folder, input=json.dumps(STEPS), text=True,
            capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        found.append(files(folder))
        folder.rename(tmp_path / f"run {seed}")
    assert [name for name in found[0] if found[0][name] != found[1].get(name)] == []
    assert found[0].keys() == found[1].keys()
    assert {"model/model.pt", "merged/merge.json", "scores/evaluation.json"} <= found[0].keys()
    merged = json.loads((tmp_path / "run 1" / "merged" / "merge.json").read_text())
    assert merged["counts"]["read"] > 0  # else the later steps would have nothing to differ in


def test_a_pixel_on_poly_score_thresh_is_not_drawn() -> None:
    masks = (np.array([[0.5, 0.75, 1.0]]), np.array([[0.5]]))
    boxes = np.array([[0, 0, 3, 1], [5, 0, 6, 1]])
    found = Instances((9, 9), boxes, np.array([1, 1]), np.array([0.7, 0.5]), masks)
    (drawn,) = outlined(found, 0.5, 10, 20)
    assert (drawn.outline.bounds, drawn.pixels) == ((21, 10, 23, 11), 2)


def test_what_is_not_known_is_said_apart_from_complaints(root: Path, capsys) -> None:
    auxiliary.load(root / "aux")
    said = capsys.readouterr()
    assert [word in said.out for word in ("infrastructure", "ship_density", "land")] == [False, True, True]
    assert said.err == ""


def test_every_colour_is_one_class() -> None:
    assert len(BY_COLOUR) == len(CLASSES) == 7


def test_a_scene_of_full_width_is_tiled_in_little_memory(root: Path) -> None:
    height, width, rows = 600, 25_000, 16_000
    vv = np.full((height, width), 90, np.uint8)
    folder = merged_slicks.write_scene(root / "wide", [], pixels=vv)
    layer = np.zeros((height, width, 4), np.uint8)
    layer[::50] = (0, 0, 255, 255)  # its box is the scene
    Image.fromarray(layer).save(folder / "a.png", compress_level=1)
    (root / "l.txt").write_text(f"{folder}\n")
    program = "\n".join([
        "import sys",
        "from pipelines.cerulean.make_coco_dataset import command",
        "command.main(sys.argv[1:], standalone_mode=False)",
        "print(int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) // 1024)",  # its own
    ])  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program, "l.txt", "aux", "out", "512", "--workers=0"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    # MiB; memory holds a row of tiles, whatever the height, and one layer: a mask and a copy of half of it
    assert int(done.stdout.split()[-1]) + 1.5 * (rows - height) * width / 2**20 < 1800
