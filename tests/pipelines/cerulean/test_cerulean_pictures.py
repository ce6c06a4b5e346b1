"""Pictures of scenes: what is drawn where, in which colour, and what the program refuses."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from shapely.geometry import box, mapping

from pipelines.cerulean import palette, scene_pictures, visualize
from pipelines.cerulean.classes import NAMES
from pipelines.cerulean.scene_pictures import DASHED, NODATA, Slick
from pipelines.cerulean.scenes import Scene
from tests.pipelines.cerulean.tiled_scenes import blob, scene_id, sea, write_list, write_scene
from tests.pipelines.programs import caller

program = caller("pipelines.cerulean")
SHAPE = (150, 230)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    vv = sea(SHAPE)
    vv[:, 200:] = 0
    marks = {"a.png": ("infra_slick", blob(SHAPE, 40, 50, 20)),
             "b.png": ("ambiguous", blob(SHAPE, 90, 120, 9)),
             "c.png": ("background", np.ones(SHAPE, bool))}  # fmt: skip
    return write_scene(tmp_path_factory.mktemp("scenes"), 1, vv, marks)


def feature(shape, name="recent_vessel", **more):
    properties = {"class": name, "score": 0.75}
    return {"type": "Feature", "properties": properties, "geometry": None, "pixels": mapping(shape), **more}


def write_found(folder, scene, features, record="merge.json"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / record).write_text(json.dumps({"scenes": [{"id": scene.name, "folder": str(scene)}]}))
    collection = {"type": "FeatureCollection", "features": features}
    (folder / f"{scene.name}.geojson").write_text(json.dumps(collection))
    return folder


def near(pixels, colour, row, col, reach=4):
    """Whether a pixel of that colour is near."""
    part = pixels[max(row - reach, 0) : row + reach + 1, max(col - reach, 0) : col + reach + 1]
    return bool((part == colour).all(axis=-1).any())


def panels(path, shape):
    """The pixels of each panel of a picture with panels of that shape."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    gap, top = scene_pictures.GAP, scene_pictures.GAP + 2 * scene_pictures.LINE
    lefts = range(gap, pixels.shape[1] - shape[1], shape[1] + gap)
    return [pixels[top : top + shape[0], left : left + shape[1]] for left in lefts]


@pytest.mark.parametrize("record", ["merge.json", "postprocess.json"])
def test_slicks_lie_where_the_scene_has_them(scene, tmp_path, record):
    pred = write_found(tmp_path / "m", scene, [feature(box(30, 100, 90, 130))], record)
    ended = program("visualize", "--polygons", pred, "--dst", tmp_path / "v", "--side=230")
    assert ended.code == 0, ended.err
    true, found = panels(tmp_path / "v" / f"{scene.name}.png", SHAPE)
    assert near(true, palette.colour("infra_slick"), 60, 50)
    assert near(true, palette.colour("ambiguous"), 99, 120)
    assert not near(true, palette.colour("recent_vessel"), 130, 60)
    assert near(found, palette.colour("recent_vessel"), 130, 60)
    assert near(found, palette.colour("recent_vessel"), 115, 90)
    assert near(found, DASHED, 60, 50)
    assert not near(found, palette.colour("infra_slick"), 60, 50, reach=8)
    assert (true[5, 215] == NODATA).all()
    assert not (true[5, 195] == NODATA).all()
    says = json.loads((tmp_path / "v/visualize.json").read_text())["scenes"]
    assert says == [{"id": scene.name, "picture": f"{scene.name}.png", "annotated": 2, "found": 1}]


@pytest.mark.parametrize(
    ("side", "factor"), [(64, 4), (115, 2), (229, 2), (230, 1), (500, 0.5), (700, 1 / 3)]
)
def test_large_scenes_shrink_and_small_ones_grow_by_whole_factors(scene, side, factor):
    shown = visualize.view(Scene(scene), side)
    assert shown.factor == pytest.approx(factor)
    mean, known = visualize.radar(shown)
    size = [-(-length // factor) if factor >= 1 else round(length / factor) for length in SHAPE]
    assert list(mean.shape) == list(known.shape) == size
    assert max(size) <= side
    (first, *_) = visualize.annotated(shown)
    places = np.array([30, 20, 71, 61]) / factor
    places = [*np.floor(places[:2] + 1e-9), *np.ceil(places[2:] - 1e-9)] if factor > 1 else places
    assert first.shape.bounds == pytest.approx(places)


def test_a_pixel_of_the_picture_is_the_mean_of_those_with_data(tmp_path):
    vv = sea((70, 45), 5)
    vv[10:30, 10:41] = 0
    folder = write_scene(tmp_path, 3, vv, {})
    mean, known = visualize.radar(visualize.View(Scene(folder), 4))
    for row in range(18):
        for col in range(12):
            block = vv[4 * row : 4 * row + 4, 4 * col : 4 * col + 4]
            block = block[block > 0]
            assert known[row, col] == (block.size > 0)
            if block.size:
                assert mean[row, col] == pytest.approx(block.mean(), rel=1e-5)


@given(st.integers(0, 9), st.integers(1, 7), st.integers(1, 40), st.integers(0, 99))
def test_a_coarser_mask_has_what_any_of_its_pixels_has(start, step, length, seed):
    mask = np.random.default_rng(seed).random((length, 3)) < 0.2
    found = visualize._coarser(mask, start, step)
    whole = np.zeros((start + length, 3), bool)
    whole[start:] = mask
    rows = range(start // step, (start + length - 1) // step + 1)
    assert found.tolist() == [whole[row * step : (row + 1) * step].any(axis=0).tolist() for row in rows]


def test_without_predictions_one_panel(scene, tmp_path):
    listed = write_list(tmp_path / "l.txt", [scene])
    assert program("visualize", "--list", listed, "--dst", tmp_path / "v", "--side=230").code == 0
    assert len(panels(tmp_path / "v" / f"{scene.name}.png", SHAPE)) == 1
    assert json.loads((tmp_path / "v/visualize.json").read_text())["scenes"][0]["found"] is None


def test_the_same_bytes_by_several_workers(scene, tmp_path):
    other = write_scene(tmp_path, 2, sea(SHAPE, 2), {"x.png": ("old_vessel", blob(SHAPE, 60, 60, 30))})
    listed = write_list(tmp_path / "l.txt", [scene, other])
    for name, workers in (("a", 1), ("b", 2)):
        ended = program("visualize", "--list", listed, "--dst", tmp_path / name, "--workers", workers)
        assert ended.code == 0, ended.err
    digests = [
        [(path.name, hashlib.sha256(path.read_bytes()).digest()) for path in sorted((tmp_path / n).iterdir())]
        for n in ("a", "b")
    ]
    assert digests[0] == digests[1]
    assert [name for name, _ in digests[0]] == [f"{scene_id(1)}.png", f"{scene_id(2)}.png", "visualize.json"]


def test_outlines_leave_a_thin_slick_to_be_seen():
    radar = np.full((60, 60, 3), 77, np.uint8)
    thin = Slick(box(10, 29, 50, 32), "old_vessel")
    picture = np.asarray(scene_pictures.page("", radar, [thin], None))
    panel = picture[48:108, 8:68]
    assert (panel[29:32, 12:48] == 77).all()
    assert near(panel, palette.colour("old_vessel"), 34, 30, reach=2)


def test_colours_of_all_classes_differ_for_colour_blind_readers_too():
    """Simulated deuteranopia and protanopia (Viénot, Brettel and Mollon 1999), in linear light."""
    simulations = {
        "deuteranopia": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
        "protanopia": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
    }
    colours = np.array([palette.colour(name) for name in NAMES[1:]]) / 255
    for matrix in simulations.values():
        seen = np.clip(colours**2.2 @ np.array(matrix).T, 0, 1) ** (1 / 2.2) * 255
        apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[~np.eye(len(seen), dtype=bool)]
        assert apart.min() > 45


def test_a_slick_of_a_hole_many_parts_or_no_area_and_none_at_all():
    radar = np.zeros((50, 80, 3), np.uint8)
    odd = [box(5, 5, 40, 40).difference(box(10, 10, 30, 30)), box(0, 0, 5, 5).union(box(20, 20, 60, 30)),
           box(3, 3, 3, 3), box(-40, -40, 400, 400)]  # fmt: skip
    slicks = [Slick(shape, "unheard_of", "text") for shape in odd]
    assert scene_pictures.page("title " * 99, radar, slicks, slicks).size[0] == 3 * 8 + 160
    assert scene_pictures.page("", radar, [], []).size[0] == 3 * 8 + 160


def test_bad_input_leaves_nothing(scene, tmp_path):
    good = feature(box(1, 1, 9, 9))
    half = {"type": "Feature", "properties": {"class": "infra_slick"}}
    line = feature(box(1, 1, 9, 9), pixels={"type": "Polygon", "coordinates": [[1, 2]]})
    unsure = feature(box(1, 1, 9, 9), properties={"class": "infra_slick", "score": "high"})
    (tmp_path / "nothing").mkdir()
    lost = write_found(tmp_path / "lost", scene, [good])
    (lost / f"{scene.name}.geojson").unlink()
    gone = write_found(tmp_path / "gone", tmp_path / "scenes" / scene_id(8), [good])
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "merge.json").write_text("[]")
    cases = [
        ([], "--polygons or --list"),
        (["--polygons", tmp_path / "nothing"], "neither merge.json nor postprocess.json"),
        (["--polygons", strange], "has no list 'scenes'"),
        (["--polygons", write_found(tmp_path / "half", scene, [good, half])], "feature 2 has no pixels"),
        (["--polygons", write_found(tmp_path / "line", scene, [line])], "feature 1 are no polygon"),
        (["--polygons", write_found(tmp_path / "unsure", scene, [unsure])], "feature 1 has no pixels"),
        (["--polygons", write_found(tmp_path / "text", scene, ["good"])], "feature 1 has no pixels"),
        (["--polygons", lost], f"{scene.name}.geojson"),
        (["--polygons", gone], scene_id(8)),
    ]
    for options, words in cases:
        ended = program("visualize", *options, "--dst", tmp_path / "v")
        assert ended.code == 2, options
        assert words in ended.err
        assert ended.err.splitlines()[-1].startswith("error: ")
        assert "Traceback" not in ended.err
        assert not (tmp_path / "v").exists()
