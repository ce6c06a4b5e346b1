"""The program `predict`: whole scenes by small networks with random weights, against windows done by hand."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely

from pipelines.cerulean import auxiliary, models
from pipelines.cerulean.classes import USUAL, remap
from pipelines.cerulean.models import CHANNELS, Config
from pipelines.cerulean.scenes import Scene, write_list
from pipelines.cerulean.windows import corners
from pipelines.geowatch.windows import ramp
from tests.pipelines.cerulean.scene_folders import OTHER, straight, write_scene
from tests.pipelines.programs import caller

call = caller("pipelines.cerulean")
REMAP = remap(USUAL)
SIZE = (150, 230)


@cache
def made_model(channels: tuple[str, ...], tile_length: int) -> bytes:
    import torch

    count = len(channels)
    config = Config(channels, REMAP.names, REMAP.numbers, tuple(sorted(REMAP.dropped)), 4, 2,
                    (90.0,) * count, (40.0,) * count, tile_length)  # fmt: skip
    torch.manual_seed(1)
    network = models.build(config)
    with torch.no_grad():  # else all classes are about as probable
        for weights in network.parameters():
            weights.mul_(1.5)
    with tempfile.TemporaryDirectory() as folder:
        models.save(Path(folder), network, config)
        return (Path(folder) / "model.pt").read_bytes()


def write_model(folder: Path, channels: tuple[str, ...] = CHANNELS, tile_length: int = 64) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.pt").write_bytes(made_model(channels, tile_length))
    return folder / "model.pt"


def sea(size: tuple[int, int] = SIZE) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(1, 255, size, np.uint8)
    pixels[:, :20] = 0
    pixels[40:50, 100:110] = 0
    return pixels


def write_aux(folder: Path) -> Path:
    folder.mkdir()
    point = {
        "type": "Feature",
        "properties": {},
        "geometry": shapely.geometry.mapping(shapely.Point(straight(30, 60))),
    }
    text = json.dumps({"type": "FeatureCollection", "features": [point]})
    (folder / "infrastructure.geojson").write_text(text)
    return folder


def write_scenes(folder: Path, *sizes: tuple[int, int]) -> Path:
    names = (OTHER, OTHER.replace("S1B", "S1A"))
    scenes = [
        Scene(write_scene(folder, sea(size), name=name)) for size, name in zip(sizes, names, strict=False)
    ]
    write_list(folder / "scenes.txt", scenes)
    return folder / "scenes.txt"


def predict(model: Path, scenes: Path, dst: Path, *options: object) -> dict:
    ended = call("predict", f"--model={model}", f"--list={scenes}", f"--dst={dst}", "--device=cpu", *options)
    assert ended.code == 0, ended.err
    return json.loads((dst / "predict.json").read_text())


def by_hand(model: Path, scene: Scene, aux: auxiliary.Auxiliary, window: int, overlap: float) -> np.ndarray:
    """The mean of whole windows, each read and scored alone, in float64."""
    network, config = models.load(model)
    height, width = scene.size()
    with rasterio.open(scene.background) as file:
        picture = np.concatenate([file.read(), auxiliary.channels(aux, scene)])
    room = np.zeros((3, height + window, width + window), np.uint8)
    room[:, :height, :width] = picture
    sums, weights = np.zeros((len(config.classes), *room.shape[1:])), np.zeros(room.shape[1:])
    weight = np.multiply.outer(ramp(window, overlap), ramp(window, overlap))
    for row, col in (place for places in corners(height, width, window, overlap) for place in places):
        part = (slice(row, row + window), slice(col, col + window))
        found = models.probabilities(network, config, room[(slice(None), *part)][None])[0]
        sums[(slice(None), *part)] += found * weight
        weights[part] += weight
    return sums[:, :height, :width] / weights[:height, :width]


@pytest.mark.parametrize(
    ("size", "window", "overlap"),
    [(SIZE, 64, 0.25), ((300, 70), 100, 0.5), ((50, 41), 64, 0.0)],
)
def test_a_scene_is_the_blend_of_its_windows(
    tmp_path: Path, size: tuple[int, int], window: int, overlap: float
) -> None:
    model, scenes, aux = (
        write_model(tmp_path / "m"),
        write_scenes(tmp_path, size),
        write_aux(tmp_path / "aux"),
    )
    options = (f"--tile_length={window}", f"--overlap={overlap}", f"--aux={aux}")
    record = predict(model, scenes, tmp_path / "pred", *options)
    (one,) = record["scenes"]
    scene = Scene(Path(one["folder"]))
    with rasterio.open(one["raster"]) as raster, rasterio.open(scene.background) as background:
        found = raster.read()
        assert raster.dtypes == ("uint16",) * 4
        assert raster.descriptions == REMAP.names
        assert raster.block_shapes[0] == (128, 128)
        assert raster.gcps[1].to_epsg() == 4326
        kept, known = ([(p.row, p.col, p.x, p.y) for p in file.gcps[0]] for file in (raster, background))
        assert kept == pytest.approx(np.array(known)) and len(kept) == 210
        nodata = background.read(1) == 0
    expected = by_hand(model, scene, auxiliary.load(aux), window, overlap)
    assert np.abs(found / 65535 - expected).max() < 1.5 / 65535
    assert (found[:, nodata] == 0).all()
    assert np.abs(found.sum(0, dtype=int)[~nodata] - 65535).max() <= 4
    assert np.ptp(found[1][~nodata].astype(int)) > 1000  # no flat map that anything would equal


def test_the_record_holds_what_later_steps_need(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path, SIZE, (40, 50))
    record = predict(write_model(tmp_path / "m", ("vv",)), scenes, tmp_path / "pred")
    assert record["classes"] == list(REMAP.names)
    assert record["numbers"] == list(REMAP.numbers)
    assert (record["dropped"], record["channels"], record["tile_length"]) == (["ambiguous"], ["vv"], 64)
    assert [(one["id"], one["height"], one["width"]) for one in record["scenes"]] == [
        (OTHER, *SIZE), (OTHER.replace("S1B", "S1A"), 40, 50),
    ]  # fmt: skip
    assert all(Path(one["raster"]).is_file() and Path(one["folder"]).is_dir() for one in record["scenes"])


def test_the_same_bytes_come_from_any_number_of_workers(tmp_path: Path) -> None:
    model, scenes = write_model(tmp_path / "m"), write_scenes(tmp_path, SIZE, (40, 50))
    seen = []
    for options in ((), ("--workers=3",), ("--batch_size=5", "--workers=2")):
        predict(model, scenes, tmp_path / "pred", *options)
        seen.append({path.name: path.read_bytes() for path in (tmp_path / "pred").iterdir()})
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]) == 3


def test_auxiliary_channels_count_and_their_absence_is_said(tmp_path: Path) -> None:
    scenes, aux = write_scenes(tmp_path, SIZE), write_aux(tmp_path / "aux")
    every = [f"--model={write_model(tmp_path / 'm')}", f"--list={scenes}", f"--dst={tmp_path / 'pred'}"]
    without = call("predict", *every)
    assert without.code == 0
    assert "no --aux: distance and density are empty" in without.err
    (path,) = (tmp_path / "pred").glob("*.tif")
    before = path.read_bytes()
    assert call("predict", *every, f"--aux={aux}").code == 0
    assert path.read_bytes() != before
    vv = write_model(tmp_path / "vv", ("vv",))
    assert "--aux" not in call("predict", *every[1:], f"--model={vv}").err


def test_nodata_is_not_scored_and_windows_of_whole_scenes_stay_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = []
    real = models.probabilities
    monkeypatch.setattr(models, "probabilities", lambda *a: (scored.append(a[2].shape), real(*a))[1])
    pixels = np.zeros((1100, 40), np.uint8)
    pixels[-10:] = 100
    write_list(tmp_path / "s.txt", [Scene(write_scene(tmp_path, pixels))])
    model = write_model(tmp_path / "m", ("vv",), tile_length=5000)
    predict(model, tmp_path / "s.txt", tmp_path / "pred", "--tile_length=0", "--overlap=0")
    assert scored == [(1, 3, 1024, 1024)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--model": "nowhere.pt"}, "nowhere.pt"),
        ({"--list": "nowhere.txt"}, "nowhere.txt"),
        ({"--tile_length": "31"}, "tile_length: is 31, less than 32; 0 is 1024"),
        ({"--tile_length": "big"}, "tile_length: 'big' is not a number"),
        ({"--overlap": "1"}, "overlap: '1' is not from 0 to 0.9"),
        ({"--georeference": "cubic"}, "georeference"),
        ({"--device": "tpu"}, "'tpu' is no device"),
        ({"--aux": "nowhere"}, "nowhere"),
        ({"--workers": "0"}, "--workers"),
    ],
)
def test_a_bad_option_is_one_line_and_nothing_is_written(
    tmp_path: Path, change: dict[str, str], message: str
) -> None:
    options = {
        "--model": str(write_model(tmp_path / "m")), "--list": str(write_scenes(tmp_path, (40, 50))),
        "--dst": str(tmp_path / "pred"), **change,
    }  # fmt: skip
    ended = call("predict", *(f"{name}={value}" for name, value in options.items()))
    assert ended.code == 2
    assert ended.err.strip().splitlines()[-1].startswith("error: ") and message in ended.err
    assert not (tmp_path / "pred").exists()


@pytest.mark.parametrize("harm", ["missing", "cut", "no model"])
def test_a_damaged_file_is_named_and_nothing_is_written(tmp_path: Path, harm: str) -> None:
    model, scenes = write_model(tmp_path / "m"), write_scenes(tmp_path, SIZE)
    picture = tmp_path / OTHER / "Background.png"
    if harm == "missing":
        picture.unlink()
    elif harm == "cut":
        picture.write_bytes(picture.read_bytes()[:9000])
    else:
        model.write_bytes(b"no model")
    ended = call(
        "predict", f"--model={model}", f"--list={scenes}", f"--dst={tmp_path / 'pred'}", "--aux=none"
    )
    assert ended.code == 2
    assert ("model.pt" if harm == "no model" else OTHER) in ended.err.strip().splitlines()[-1]
    assert not (tmp_path / "pred").exists()


def test_a_stopped_run_leaves_nothing(tmp_path: Path) -> None:
    model, scenes = write_model(tmp_path / "m", ("vv",)), write_scenes(tmp_path, (1500, 1500))
    dst = tmp_path / "pred"
    arguments = [
        f"--model={model}",
        f"--list={scenes}",
        f"--dst={dst}",
        "--tile_length=32",
        "--overlap=0.9",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cerulean.predict", *arguments], stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 60
    while not list(dst.glob(".*/*.tif")) and time.monotonic() < end:
        time.sleep(0.02)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert not dst.exists()


def test_a_scene_of_full_width_is_predicted_in_little_memory(tmp_path: Path) -> None:
    height = 700  # memory holds rows of windows: the peak of a scene of 16,000 rows is the same
    model = write_model(tmp_path / "m", tile_length=512)
    pixels = np.zeros((height, 25_000), np.uint8)
    pixels[:, 12_000:12_050] = 90
    write_list(tmp_path / "scenes.txt", [Scene(write_scene(tmp_path, pixels))])
    program = "\n".join([
        "import sys",
        "from pipelines.cerulean.predict import command",
        "command.main(sys.argv[1:], standalone_mode=False)",
        "print(int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) // 1024)",  # its own
    ])  # fmt: skip
    arguments = [f"--model={model}", f"--list={tmp_path / 'scenes.txt'}", f"--dst={tmp_path / 'pred'}"]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--device=cpu", "--overlap=0"],
        capture_output=True,
        text=True,
        check=True,
    )
    # MiB; all 7 classes instead of 4 would take 3 more maps of 640 + 128 rows.
    assert int(done.stdout.split()[-1]) + 3 * (640 + 128) * 25_000 * 4 / 2**20 < 1500
