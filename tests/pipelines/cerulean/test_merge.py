"""The program `merge`: nothing outside a scene, in nodata, on land or twice, on scenes that provoke each."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Geod
from rasterio.features import rasterize
from scipy import ndimage

from pipelines.cerulean.hysteresis import hysteresis
from tests.pipelines.cerulean import merge_cases as cases
from tests.pipelines.cerulean.merge_cases import Part, call, merge, write_polygons, write_predicted
from tests.pipelines.cerulean.scene_folders import OTHER, straight, write_scene

SIZE = (240, 330)
GEOD = Geod(ellps="WGS84")
SHARP = ("--join_distance=0", "--closing=0")


def sea() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 255, SIZE, np.uint8)


def box(top: int, left: int, bottom: int, right: int) -> shapely.Polygon:
    return shapely.box(left, top, right, bottom)


def counted(record: dict) -> dict[str, int]:
    return {name: count for name, count in record["counts"].items() if count}


def pixels_of(features: list[dict], name: str | None = None) -> np.ndarray:
    shapes = [one["pixels"] for one in features if name in (None, one["properties"]["class"])]
    return rasterize(shapes, SIZE).astype(bool) if shapes else np.zeros(SIZE, bool)


def test_nothing_lies_outside_the_scene(tmp_path: Path) -> None:
    scene = write_scene(tmp_path, sea())
    parts = [
        Part(box(20, -60, 60, 50)),  # more than half outside
        Part(box(100, 250, 150, 400)),  # less
        Part(box(-40, 100, -5, 150)),
        Part(box(0, 0, 3, 60), "recent_vessel"), Part(box(0, 75, 3, 150), "recent_vessel"),  # to be joined
        Part(box(238, 100, 240, 130)),
    ]  # fmt: skip
    record, found = merge(write_polygons(tmp_path / "post", {scene: parts}), "--closing=2000")
    assert counted(record) == {"read": 6, "outside": 2, "cut": 1, "joined": 1, "polygons": 3}
    whole = shapely.box(0, 0, SIZE[1], SIZE[0])
    for one in found[scene.name]:
        assert whole.contains(shapely.geometry.shape(one["pixels"]))
        assert whole.buffer(0.01).contains(cases.in_pixels(one, scene))


@pytest.mark.parametrize("closing", [0, 500])
def test_slicks_of_one_pixel_stay_where_they_are_also_at_the_rim(tmp_path: Path, closing: int) -> None:
    def bent(row: float, col: float) -> tuple[float, float]:
        lon, lat = straight(row, col)
        return lon + 2e-8 * col * col - 1e-8 * row * col, lat + 1e-8 * row * row

    scene = write_scene(tmp_path, sea(), place=bent)
    height, width = SIZE
    places = [
        (row, col) for row in (0, 77, 150, height - 1) for col in (*range(0, width - 50, 50), width - 1)
    ]
    parts = [Part(box(row, col, row + 1, col + 1)) for row, col in places]
    polygons = write_polygons(tmp_path / "post", {scene: parts})
    record, found = merge(polygons, "--join_distance=0", f"--closing={closing}")
    assert record["counts"]["polygons"] == len(parts)
    assert sorted(map(tuple, np.argwhere(pixels_of(found[scene.name])))) == sorted(places)


def test_nothing_lies_in_nodata_or_near_it(tmp_path: Path) -> None:
    pixels = sea()
    empty = np.indices(SIZE)[1] < 40 + np.indices(SIZE)[0] // 6
    pixels[empty] = 0
    scene = write_scene(tmp_path, pixels)
    parts = [
        Part(box(20, 10, 40, 55)), Part(box(100, 60, 130, 160)),
        Part(box(50, 70, 60, 80), "natural_seep"), Part(box(180, 200, 190, 250)),
    ]  # fmt: skip
    record, found = merge(write_polygons(tmp_path / "post", {scene: parts}), "--nodata_margin=400")
    assert counted(record) == {"read": 4, "nodata": 1, "cut": 1, "polygons": 3}
    # Pixels are 40 m wide: none of a slick is within 10 of nodata, but for what rounding of corners costs.
    near = ndimage.distance_transform_edt(~empty) < 9.5
    assert not (pixels_of(found[scene.name]) & near).any()
    assert pixels_of(found[scene.name])[105:125, 85:155].all()


def test_nothing_lies_on_land_or_near_it(tmp_path: Path) -> None:
    scene = write_scene(tmp_path, sea())
    lon, lat = straight(120, 250)
    land = shapely.box(lon, lat - 0.02, lon + 1, lat + 0.02)
    parts = [
        Part(box(110, 240, 130, 300), "recent_vessel"),
        Part(box(100, 150, 130, 245)),
        Part(box(20, 40, 30, 80)),
    ]
    aux = cases.write_land(tmp_path / "aux", land)
    record, found = merge(write_polygons(tmp_path / "post", {scene: parts}), f"--aux={aux}")
    assert counted(record) == {"read": 3, "land": 1, "cut": 1, "polygons": 2}
    coast = [land.exterior.interpolate(at, normalized=True).coords[0] for at in np.linspace(0, 1, 6000)]
    for one in found[scene.name]:
        for corner in shapely.get_coordinates(shapely.geometry.shape(one["geometry"])):
            assert min(GEOD.inv(*corner, *at)[2] for at in coast if abs(at[1] - corner[1]) < 0.05) > 999
    # Without a file of land, nothing counts as land.
    assert counted(merge(tmp_path / "post")[0]) == {"read": 3, "polygons": 3}


def test_closing_leads_neither_over_nodata_nor_over_land(tmp_path: Path) -> None:
    pixels = sea()
    pixels[:, 80:90] = 0
    scene = write_scene(tmp_path, pixels)
    land = shapely.box(straight(115, 200)[0], 52, straight(115, 212)[0], 54)
    aux = cases.write_land(tmp_path / "aux", land)
    parts = [Part(box(100, left, 130, left + 40)) for left in (30, 100, 150, 220)]
    options = ("--closing=2000", "--join_distance=4000", "--nodata_margin=0", "--land_margin=0")
    record, found = merge(write_polygons(tmp_path / "post", {scene: parts}), *options, f"--aux={aux}")
    assert record["counts"]["joined"] == 3
    assert record["counts"]["cut"] == 0
    drawn = pixels_of(found[scene.name])
    assert drawn[115, 142:148].all()  # closed where there is sea
    assert not (drawn & (pixels == 0)).any()
    for one in found[scene.name]:
        geometry = shapely.geometry.shape(one["geometry"])
        assert geometry.intersection(land).area < 1e-12


def chances() -> dict[str, np.ndarray]:
    """Two slicks that cross the seams of all tile sets; a weak one over one of them, and a small one."""
    rows, cols = np.indices(SIZE)
    band = np.exp(-(((rows - 60 - cols * 0.4) / 6.0) ** 2)) * (cols > 15) * (cols < 310)
    other = np.exp(-(((rows - 200) / 5.0) ** 2)) * (cols > 30) * (cols < 200)
    weak = 0.45 * np.exp(-(((rows - 60 - cols * 0.4) / 4.0) ** 2)) * (cols > 90) * (cols < 170)
    seep = np.exp(-(((rows - 40) / 5.0) ** 2) - ((cols - 250) / 5.0) ** 2)
    maps = {
        "infra_slick": 0.5 * band,
        "recent_vessel": 0.9 * other,
        "natural_seep": np.maximum(weak, 0.8 * seep),
    }
    return {name: np.rint(found * 65535) / 65535 for name, found in maps.items()}


def post(tmp_path: Path, scene: Path, *options: str) -> Path:
    pred = write_predicted(tmp_path / "pred", {scene: chances()})
    ended = call("postprocess", f"--pred={pred}", f"--dst={tmp_path / 'post'}", "--tile_length=64", *options)
    assert ended.code == 0, ended.err
    return tmp_path / "post"


def test_no_slick_is_there_twice_at_the_seams_of_tiles(tmp_path: Path) -> None:
    scene = write_scene(tmp_path, sea())
    record, found = merge(post(tmp_path, scene))
    features = found[scene.name]
    assert record["counts"]["read"] > 20  # the tiles did cut them, in three sets
    assert {one["properties"]["class"]: one["properties"]["tile_sets"] for one in features} == {
        "infra_slick": [0, 1, 2], "recent_vessel": [0, 1, 2], "natural_seep": [0, 1, 2],
    }  # fmt: skip
    assert len(features) == 3
    assert record["counts"]["duplicated"] >= 1  # the weak one lies in a surer one
    for one, other in combinations([shapely.geometry.shape(one["geometry"]) for one in features], 2):
        assert one.intersection(other).area / one.union(other).area <= 0.2


def test_without_distance_and_closing_a_slick_is_the_pixels_above_the_threshold(tmp_path: Path) -> None:
    scene = write_scene(tmp_path, sea())
    _, found = merge(post(tmp_path, scene, "--pixel_nms_thresh=none"), *SHARP, "--poly_nms_thresh=none")
    for name, chance in chances().items():
        assert np.array_equal(pixels_of(found[scene.name], name), chance > 0.2)  # poly_score_thresh
    for one in found[scene.name]:
        geometry = shapely.geometry.shape(one["geometry"])
        assert geometry.is_valid
        assert (
            shapely.hausdorff_distance(cases.in_pixels(one, scene), shapely.geometry.shape(one["pixels"]))
            < 0.01
        )


@pytest.mark.parametrize(("strong", "trim"), [(0.6, 0.4), (None, 0.4), (0.49, None)])
def test_hysteresis_is_that_of_the_whole_scene_whatever_the_tiles(
    tmp_path: Path, strong: float | None, trim: float | None
) -> None:
    scene = write_scene(tmp_path, sea())
    options = (f"--strong_thresh={strong}".lower(), f"--trim_thresh={trim}".lower(), "--poly_nms_thresh=none")
    polygons = post(
        tmp_path, scene, "--poly_score_thresh=none", "--pixel_nms_thresh=none", "--bbox_score_thresh=none"
    )
    record, found = merge(polygons, *SHARP, *options)
    kept = 0
    for name, chance in chances().items():
        expected = hysteresis(chance, 0.2, strong, trim)
        kept += expected.max()
        assert np.array_equal(pixels_of(found[scene.name], name), expected > 0)
    assert record["counts"]["polygons"] == kept
    regions = sum(hysteresis(chance, 0.2, None, None).max() for chance in chances().values())
    assert record["counts"]["weak"] == regions - kept


def test_copies_of_another_class_go_and_are_counted(tmp_path: Path) -> None:
    scene = write_scene(tmp_path, sea())
    parts = [
        Part(box(50, 50, 60, 150), "infra_slick", 0.6), Part(box(50, 52, 60, 150), "recent_vessel", 0.7),
        Part(box(150, 50, 160, 150), "infra_slick", 0.9), Part(box(154, 60, 164, 70), "natural_seep", 0.8),
        Part(box(150, 140, 160, 165), "recent_vessel", 0.3),
    ]  # fmt: skip
    polygons = write_polygons(tmp_path / "post", {scene: parts})
    record, found = merge(polygons, *SHARP)
    assert counted(record) == {"read": 5, "duplicated": 2, "polygons": 3}
    left = [(one["properties"]["class"], one["properties"]["score"]) for one in found[scene.name]]
    assert left == [("infra_slick", 0.9), ("recent_vessel", 0.7), ("recent_vessel", 0.3)]
    assert counted(merge(polygons, *SHARP, "--poly_nms_thresh=none")[0]) == {"read": 5, "polygons": 5}


def test_the_record_carries_on_what_later_steps_need(tmp_path: Path) -> None:
    scenes = [write_scene(tmp_path, sea(), name=name) for name in (OTHER, OTHER.replace("S1B", "S1A"))]
    polygons = write_polygons(tmp_path / "post", {scenes[0]: [Part(box(50, 50, 60, 150))], scenes[1]: []})
    record, found = merge(polygons, "--join_distance=700", "--workers=2")
    assert record["classes"] == list(cases.CLASSES)
    assert record["numbers"] == list(cases.REMAP.numbers)
    assert record["dropped"] == ["ambiguous"]
    assert record["thresholds"]["join_distance"] == 700
    assert [one["folder"] for one in record["scenes"]] == [str(scene) for scene in scenes]
    assert [one["counts"]["polygons"] for one in record["scenes"]] == [1, 0]
    (one,) = found[scenes[0].name]
    facts = one["properties"]
    assert (facts["class"], facts["score"], facts["parts"], facts["class_number"]) == (
        "infra_slick",
        0.8,
        1,
        1,
    )
    assert facts["area_m2"] == pytest.approx(abs(GEOD.geometry_area_perimeter(
        shapely.geometry.shape(one["geometry"]))[0]), rel=1e-3)  # fmt: skip
    before = {path.name: path.read_bytes() for path in (tmp_path / "merged").iterdir()}
    merge(polygons, "--join_distance=700")
    assert {path.name: path.read_bytes() for path in (tmp_path / "merged").iterdir()} == before


def broken(tmp_path: Path) -> Path:
    scene = write_scene(tmp_path, sea())
    return write_polygons(tmp_path / "post", {scene: [Part(box(50, 50, 60, 150))]})


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("post/postprocess.json", '"classes"', '"klasses"', "postprocess.json.*no list 'classes'"),
        ("post/postprocess.json", '"folder"', '"folter"', "postprocess.json.*a scene without 'folder'"),
        ("post/postprocess.json", "{", "", "postprocess.json.*is not JSON"),
        ("post/*.geojson", '"infra_slick"', '"oil"', "geojson.*feature 1 has the class 'oil'"),
        ("post/*.geojson", '"infra_slick"', '"background"', "feature 1 has the class 'background'"),
        ("post/*.geojson", '"score"', '"sure"', "geojson.*feature 1 is not as postprocess writes it"),
        ("post/*.geojson", '"Polygon"', '"Poly"', "geojson.*feature 1 is not as postprocess writes it"),
        ("post/*.geojson", '"features"', '"things"', "geojson.*no FeatureCollection"),
        ("*/Background.png.aux.xml", "GCP", "GPC", "Background.png.*no ground control points"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path, file: str, old: str, new: str, message: str
) -> None:
    import re

    polygons = broken(tmp_path)
    (path,) = tmp_path.glob(file)
    change(path, old, new)
    ended = call("merge", f"--polygons={polygons}", f"--dst={tmp_path / 'merged'}")
    assert ended.code == 2
    line = ended.err.strip().splitlines()[-1]
    assert line.startswith("error: ") and re.search(message, line), line
    assert not (tmp_path / "merged").exists()


@pytest.mark.parametrize(
    "option",
    [
        "--poly_nms_thresh=2",
        "--join_distance=-1",
        "--closing=nan",
        "--land_margin=inf",
        "--georeference=cubic",
        "--aux=nowhere",
        "--workers=-1",
    ],
)
def test_a_bad_option_is_named(tmp_path: Path, option: str) -> None:
    ended = call("merge", f"--polygons={broken(tmp_path)}", f"--dst={tmp_path / 'merged'}", option)
    assert ended.code == 2
    assert option.partition("=")[0].strip("-") in ended.err or "nowhere" in ended.err
    assert not (tmp_path / "merged").exists()


def test_the_polygons_of_tiles_are_not_written_over(tmp_path: Path) -> None:
    polygons = broken(tmp_path)
    before = {path: path.read_bytes() for path in polygons.iterdir()}
    ended = call("merge", f"--polygons={polygons}", f"--dst={polygons}/../{polygons.name}")
    assert ended.code == 2 and "is the folder of the polygons to merge" in ended.err
    assert {path: path.read_bytes() for path in polygons.iterdir()} == before


def test_a_missing_raster_is_an_error_only_where_it_is_needed(tmp_path: Path) -> None:
    polygons = broken(tmp_path)
    ended = call("merge", f"--polygons={polygons}", f"--dst={tmp_path / 'merged'}", "--trim_thresh=0.5")
    assert ended.code == 2 and ".tif: cannot be read" in ended.err
    assert counted(merge(polygons)[0]) == {"read": 1, "polygons": 1}
    assert json.loads((tmp_path / "merged/merge.json").read_text())["georeference"] == "polynomial"
