"""The program `postprocess` over rasters written by hand, against the same steps over whole masks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.control import GroundControlPoint
from rasterio.features import rasterize
from scipy import ndimage
from shapely.geometry import shape as shape_of

from pipelines.cerulean import georeference
from tests.pipelines import programs

call = programs.caller("pipelines.cerulean")
CLASSES = ["background", "infra_slick", "natural_seep", "recent_vessel"]
NUMBERS, DROPPED = [0, 1, 2, 3, 3, 3, 0], ["ambiguous"]
FULL = 65535
SIZE = (75, 109)
SMALL = ("--tile_length=32", "--offsets=0,0.5")


def scene_id(number: int) -> str:
    return f"S1A_IW_GRDH_1SDV_20200802T141646_20200802T141711_033729_03E8C7_{number:04X}"


def lonlat(row: float, col: float) -> tuple[float, float]:
    """A second-degree polynomial, which one of that degree meets."""
    return 5 + 4e-4 * col + 1e-4 * row + 2e-8 * row * col, 40 - 4e-4 * row + 1e-4 * col + 1e-8 * col * col


def write_raster(path: Path, values: np.ndarray, points: bool = True, **more: Any) -> None:
    bands, height, width = values.shape
    placed = [
        GroundControlPoint(row, col, *lonlat(row, col))
        for row in np.linspace(0, height, 5)
        for col in np.linspace(0, width, 5)
    ]
    profile = {"driver": "GTiff", "dtype": values.dtype, "height": height, "width": width, "count": bands}
    georeferenced = {"gcps": placed, "crs": "EPSG:4326"} if points else {}
    with rasterio.open(path, "w", **profile, **georeferenced, **more) as target:
        target.write(values)


def write_predictions(folder: Path, scenes: dict[str, np.ndarray], **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in scenes.items():
        write_raster(folder / f"{name}.tif", values, tiled=True, blockxsize=64, blockysize=64)
    listed = [
        {"id": name, "folder": f"/scenes/{name}", "raster": str(folder / f"{name}.tif"),
         "height": values.shape[1], "width": values.shape[2]}
        for name, values in scenes.items()
    ]  # fmt: skip
    record = {"classes": CLASSES, "numbers": NUMBERS, "dropped": DROPPED, "channels": ["vv"]}
    (folder / "predict.json").write_text(json.dumps({**record, "scenes": listed, **changes}))
    return folder


def softened(size: tuple[int, int], seed: int, classes: int = 4) -> np.ndarray:
    """Probabilities in patches, of which some pixels are nodata."""
    random = np.random.default_rng(seed)
    values = np.exp(14 * ndimage.gaussian_filter(random.normal(size=(classes, *size)), (0, 3, 3)))
    values /= values.sum(axis=0)
    values[:, -7:, :5] = 0
    return np.round(values * FULL).astype(np.uint16)


def features(dst: Path, name: str) -> list[dict[str, Any]]:
    return json.loads((dst / f"{name}.geojson").read_text())["features"]


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    return softened(SIZE, seed=5)


@pytest.fixture(scope="module")
def pred(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray) -> Path:
    empty = np.zeros((4, 40, 33), np.uint16)
    empty[0] = FULL
    scenes = {scene_id(2): values, scene_id(1): empty}
    return write_predictions(tmp_path_factory.mktemp("predictions"), scenes)


def dice(u: np.ndarray, v: np.ndarray) -> float:
    return 2 * np.sqrt(u * v).sum() / (u + v).sum()


def by_hand(tile: np.ndarray, how: dict[str, float | None]) -> list[tuple[int, float, np.ndarray]]:
    """Class, score and drawn pixels of what stays in a tile, (classes, height, width), of whole masks."""
    found = []
    for number in range(1, len(tile)):
        own = tile[number] >= how["conf_threshold"]
        labels, count = ndimage.label(own, np.ones((3, 3)))
        for one in range(1, count + 1):
            found.append((number, tile[number][labels == one].mean(), tile[number] * (labels == one)))
    found.sort(key=lambda one: -one[1])
    if (least := how["bbox_score_thresh"]) is not None:
        found = [one for one in found if one[1] > least]
    if (least := how["pixel_score_thresh"]) is not None:
        found = [one for one in found if one[2].max() > least]
    kept: list[tuple[int, float, np.ndarray]] = []
    most = how["pixel_nms_thresh"]
    for one in found:
        if most is None or all(dice(one[2], other[2]) <= most for other in kept):
            kept.append(one)
    least = how["poly_score_thresh"] or 0
    return [(number, score, mask > least) for number, score, mask in kept if (mask > least).any()]


DEFAULTS = {"conf_threshold": 0.2, "bbox_score_thresh": 0.2, "pixel_score_thresh": 0.2,
            "pixel_nms_thresh": 0.4, "poly_score_thresh": 0.2}  # fmt: skip
GRID = [
    {},
    {"bbox_score_thresh": 0.45},
    {"pixel_score_thresh": 0.7},
    {"pixel_nms_thresh": 0.05},
    {"poly_score_thresh": 0.6},
    {"conf_threshold": 0.4},
    dict.fromkeys(("bbox_score_thresh", "pixel_score_thresh", "pixel_nms_thresh", "poly_score_thresh")),
]


@pytest.mark.parametrize("changes", GRID, ids=str)
def test_its_polygons_are_those_of_the_steps_over_whole_masks(
    changes: dict[str, float | None], values: np.ndarray, pred: Path, tmp_path: Path
) -> None:
    options = [f"--{name}={'none' if value is None else value}" for name, value in changes.items()]

    assert call("postprocess", f"--pred={pred}", f"--dst={tmp_path}", *SMALL, *options).code == 0

    expected = []
    for tile_set, before in enumerate((0, 16)):
        for row in range(-before, SIZE[0], 32):
            for col in range(-before, SIZE[1], 32):
                own = np.zeros(SIZE, bool)
                own[max(row, 0) : row + 32, max(col, 0) : col + 32] = True
                for number, score, mask in by_hand(values / FULL * own, {**DEFAULTS, **changes}):
                    expected.append((tile_set, CLASSES[number], round(score, 9), mask.tobytes()))
    found = [
        (
            one["properties"]["tile_set"],
            one["properties"]["class"],
            round(one["properties"]["score"], 9),
            rasterize([one["pixels"]], SIZE).astype(bool).tobytes(),
        )
        for one in features(tmp_path, scene_id(2))
    ]
    assert len(expected) > 20
    assert sorted(found) == sorted(expected)


def test_polygons_lie_in_longitude_and_latitude_where_the_pixels_lie(pred: Path, tmp_path: Path) -> None:
    assert call("postprocess", f"--pred={pred}", f"--dst={tmp_path}", *SMALL).code == 0

    place = georeference.read(pred / f"{scene_id(2)}.tif")
    rows, cols = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    lon, lat = place.to_lonlat(rows, cols)
    assert (lon[0, 0], lat[0, 0]) == pytest.approx(lonlat(0.5, 0.5), abs=1e-8)
    for one in features(tmp_path, scene_id(2)):
        geometry, pixels = shape_of(one["geometry"]), shape_of(one["pixels"])
        assert geometry.is_valid and pixels.is_valid
        inside = shapely.contains_xy(geometry, lon.ravel(), lat.ravel())
        assert (inside == shapely.contains_xy(pixels, cols.ravel(), rows.ravel())).all()
        assert inside.sum() == one["properties"]["pixel_count"] == pixels.area


def test_what_a_feature_says_of_itself(pred: Path, values: np.ndarray, tmp_path: Path) -> None:
    assert call("postprocess", f"--pred={pred}", f"--dst={tmp_path}", *SMALL).code == 0

    found = features(tmp_path, scene_id(2))

    assert [one["id"] for one in found] == list(range(1, len(found) + 1))
    for one in found:
        said = one["properties"]
        left, top, right, bottom = said["box"]
        assert 0 <= left < right <= SIZE[1] and 0 <= top < bottom <= SIZE[0]
        drawn = rasterize([one["pixels"]], SIZE).astype(bool)
        assert said["class"] == CLASSES[said["class_number"]]
        assert said["max_confidence"] == values[said["class_number"]][drawn].max() / FULL
        begin = (-16, -16) if said["tile_set"] else (0, 0)
        across = -(-(SIZE[1] - begin[1]) // 32)
        corner = [edge + 32 * at for edge, at in zip(begin, divmod(said["tile"], across), strict=True)]
        assert said["offset"] == (0.5 if said["tile_set"] else 0)
        assert corner[0] <= top < bottom <= corner[0] + 32 and corner[1] <= left < right <= corner[1] + 32


def test_the_record_carries_on_what_later_steps_need(pred: Path, tmp_path: Path) -> None:
    assert (
        call("postprocess", f"--pred={pred}", f"--dst={tmp_path}", *SMALL, "--bbox_score_thresh=None").code
        == 0
    )

    record = json.loads((tmp_path / "postprocess.json").read_text())

    assert (record["classes"], record["numbers"], record["dropped"]) == (CLASSES, NUMBERS, DROPPED)
    assert [one["id"] for one in record["scenes"]] == [scene_id(2), scene_id(1)]
    assert record["scenes"][0]["folder"] == f"/scenes/{scene_id(2)}"
    assert record["thresholds"] == {**DEFAULTS, "bbox_score_thresh": None}
    assert (record["tile_length"], record["offsets"], record["georeference"]) == (32, [0, 0.5], "polynomial")
    counts = record["counts"]
    assert counts["candidates"] == counts["bbox_score"] >= counts["pixel_score"] >= counts["pixel_nms"]
    assert counts["polygons"] == len(features(tmp_path, scene_id(2))) > 0
    assert record["scenes"][1]["counts"] == dict.fromkeys(counts, 0)
    assert Path(record["scenes"][0]["polygons"]) == tmp_path / f"{scene_id(2)}.geojson"


def test_a_scene_without_a_slick_has_no_features_and_gis_reads_both(pred: Path, tmp_path: Path) -> None:
    assert call("postprocess", f"--pred={pred}", f"--dst={tmp_path}", *SMALL).code == 0

    assert features(tmp_path, scene_id(1)) == []
    read = pyogrio.read_info(tmp_path / f"{scene_id(2)}.geojson")
    assert read["features"] == len(features(tmp_path, scene_id(2)))
    assert read["crs"] == "EPSG:4326"


def test_the_whole_scene_can_be_one_tile_whatever_the_offsets(pred: Path, tmp_path: Path) -> None:
    assert call("postprocess", f"--pred={pred}", f"--dst={tmp_path}", "--tile_length=0").code == 0

    found = features(tmp_path, scene_id(2))
    assert {(one["properties"]["tile_set"], one["properties"]["tile"]) for one in found} == {(0, 0)}


def test_an_instance_on_a_seam_is_whole_in_another_tile_set(tmp_path: Path) -> None:
    values = np.zeros((4, 64, 64), np.uint16)
    values[1, 28:36, 28:36] = FULL
    pred = write_predictions(tmp_path / "pred", {scene_id(3): values})

    assert call("postprocess", f"--pred={pred}", f"--dst={tmp_path / 'dst'}", *SMALL).code == 0

    boxes = {0: [], 1: []}
    for one in features(tmp_path / "dst", scene_id(3)):
        boxes[one["properties"]["tile_set"]].append(one["properties"]["box"])
    assert len(boxes[0]) == 4
    assert boxes[1] == [[28, 28, 36, 36]]


def test_an_offset_of_nearly_a_tile_leaves_no_tile_without_a_pixel(pred: Path, tmp_path: Path) -> None:
    options = ("--tile_length=32", "--offsets=0,0.99")  # rounded, a whole tile before the scene
    assert call("postprocess", f"--pred={pred}", f"--dst={tmp_path}", *options).code == 0

    pixels: dict[int, list[Any]] = {0: [], 1: []}
    for one in features(tmp_path, scene_id(2)):
        pixels[one["properties"]["tile_set"]].append(one["pixels"])
    assert pixels[0] == pixels[1]


def test_twice_gives_the_same_bytes_whatever_the_workers(pred: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        dst = tmp_path / str(workers)
        assert call("postprocess", f"--pred={pred}", f"--dst={dst}", *SMALL, f"--workers={workers}").code == 0

    for scene in (scene_id(1), scene_id(2)):
        one, other = ((tmp_path / workers / f"{scene}.geojson").read_bytes() for workers in "12")
        assert one == other


def test_damage_found_by_a_worker_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    scenes = {scene_id(number): softened((200, 300), number) for number in (1, 2)}
    pred = write_predictions(tmp_path / "pred", scenes)
    path = pred / f"{scene_id(2)}.tif"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])

    ended = call("postprocess", f"--pred={pred}", f"--dst={tmp_path / 'dst'}", "--workers=2")

    refused(ended, f"{scene_id(2)}.tif", tmp_path / "dst")


def test_a_file_where_the_folder_should_be_is_one_line(pred: Path, tmp_path: Path) -> None:
    (tmp_path / "dst").write_text("mine")

    ended = call("postprocess", f"--pred={pred}", f"--dst={tmp_path / 'dst'}", *SMALL)

    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert (tmp_path / "dst").read_text() == "mine"


def test_without_conf_threshold_a_pixel_is_its_likeliest_class(
    pred: Path, values: np.ndarray, tmp_path: Path
) -> None:
    steps = [f"--{name}=none" for name in DEFAULTS]
    assert call("postprocess", f"--pred={pred}", f"--dst={tmp_path}", *steps, "--tile_length=0").code == 0

    drawn = np.zeros(SIZE, int)
    for one in features(tmp_path, scene_id(2)):
        drawn += rasterize([one["pixels"]], SIZE) * one["properties"]["class_number"]
    assert (drawn == values.argmax(axis=0)).all()


def damaged(pred: Path) -> None:
    path = next(iter(pred.glob("*.tif")))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def changed(**changes: Any) -> Any:
    def change(pred: Path) -> None:
        record = json.loads((pred / "predict.json").read_text())
        (pred / "predict.json").write_text(json.dumps({**record, **changes}))

    return change


BAD_FOLDERS = {
    "no record": (lambda pred: (pred / "predict.json").unlink(), "predict.json"),
    "no JSON": (lambda pred: (pred / "predict.json").write_text("{"), "predict.json: is not JSON"),
    "not a record": (lambda pred: (pred / "predict.json").write_text("[]"), "no list 'classes'"),
    "no scenes": (changed(scenes=None), "no list 'scenes'"),
    "a scene without a raster": (changed(scenes=[{"id": "x"}]), "a scene without 'raster'"),
    "a scene twice": (
        lambda pred: changed(scenes=json.loads((pred / "predict.json").read_text())["scenes"] * 2)(pred),
        f"scene {scene_id(4)} twice",
    ),
    "an id of two folders": (
        changed(scenes=[{"id": "../x", "raster": "x.tif", "height": 1, "width": 1}]),
        "'../x'",
    ),
    "no raster": (lambda pred: next(iter(pred.glob("*.tif"))).unlink(), f"{scene_id(4)}.tif"),
    "a raster cut short": (damaged, f"{scene_id(4)}.tif"),
    "fewer classes": (
        changed(classes=CLASSES[:2], numbers=[0, 1, 1, 1, 1, 1, 0]),
        "is not 2 bands of 40 x 50 pixels in uint16",
    ),
    "background only": (changed(classes=CLASSES[:1]), "'classes'"),
    "8 bits": (
        lambda pred: write_raster(pred / f"{scene_id(4)}.tif", np.zeros((4, 40, 50), np.uint8)),
        "uint16",
    ),
    "another size": (
        lambda pred: write_raster(pred / f"{scene_id(4)}.tif", np.zeros((4, 50, 40), np.uint16)),
        "40 x 50",
    ),
    "no control points": (
        lambda pred: write_raster(
            pred / f"{scene_id(4)}.tif", np.zeros((4, 40, 50), np.uint16), points=False
        ),
        f"{scene_id(4)}.tif",
    ),
}


def refused(ended: programs.Ended, wanted: str, dst: Path) -> None:
    assert ended.code == 2, ended.err
    assert ended.err.startswith("error: ") and ended.err.count("\n") == 1, ended.err
    assert wanted in ended.err
    assert not dst.exists()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(("spoil", "wanted"), BAD_FOLDERS.values(), ids=BAD_FOLDERS)
def test_bad_predictions_are_one_line_and_leave_nothing(spoil: Any, wanted: str, tmp_path: Path) -> None:
    pred = write_predictions(tmp_path / "pred", {scene_id(4): softened((40, 50), seed=1)})
    spoil(pred)

    refused(call("postprocess", f"--pred={pred}", f"--dst={tmp_path / 'dst'}"), wanted, tmp_path / "dst")


BAD_OPTIONS = [
    ("--tile_length=31", "tile_length: is 31, less than 32"),
    ("--tile_length=-1", "tile_length"),
    ("--bbox_score_thresh=1.5", "bbox_score_thresh"),
    ("--pixel_nms_thresh=many", "'many'"),
    ("--poly_score_thresh=nan", "'nan'"),
    ("--offsets=0,1", "'0,1'"),
    ("--offsets=0,0", "twice"),
    ("--offsets=,", "offsets"),
    ("--georeference=linear", "linear"),
]


@pytest.mark.parametrize(("option", "wanted"), BAD_OPTIONS)
def test_bad_options_are_one_line_and_leave_nothing(
    option: str, wanted: str, pred: Path, tmp_path: Path
) -> None:
    ended = call("postprocess", f"--pred={pred}", f"--dst={tmp_path / 'dst'}", option)

    refused(ended, wanted, tmp_path / "dst")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_leaves_nothing(stop: signal.Signals, tmp_path: Path) -> None:
    pred = write_predictions(tmp_path / "pred", {scene_id(5): softened((600, 600), seed=2)})
    dst = tmp_path / "dst"
    arguments = ["--pred", pred, "--dst", dst, "--tile_length=32", f"--offsets={','.join(map(str, EVERY))}"]
    started = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cerulean.postprocess", *map(str, arguments)],
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 60
    while not list(dst.glob(".*/*.geojson")) and time.monotonic() < deadline:
        time.sleep(0.02)

    started.send_signal(stop)
    _, err = started.communicate(timeout=60)

    assert started.returncode in (130, -stop), err
    assert b"Traceback" not in err
    assert not dst.exists()


EVERY = [step / 100 for step in range(0, 100, 2)]  # minutes of work
