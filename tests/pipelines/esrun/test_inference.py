"""Inference over hand-made windows, by a network whose answer anyone can compute and by one of ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from pipelines.esrun import checkpoint, scoring
from pipelines.esrun.inference import run_inference
from pipelines.esrun.model_config import Normalisation, load_model_config
from tests.pipelines.esrun.inference_cases import BANDS, MODEL, Case, landscape, make_case, noise, tree

VALUES = np.array([1, 2, 7])


@pytest.fixture
def case(tmp_path: Path) -> Case:
    made = make_case(tmp_path / "p")
    made.weights()
    return made


@pytest.fixture
def ours(tmp_path: Path) -> Case:
    """A project with our segmentation network, of weights by chance that make all three classes."""
    made = make_case(tmp_path / "p", MODEL)
    config = load_model_config(made.project, made.dataset.path)
    torch.manual_seed(10)
    network = config.network(3)
    torch.nn.init.normal_(network.head.weight)
    middle = Normalisation((128.0,) * 3, (70.0,) * 3)
    checkpoint.save(made.project.checkpoint, config, network, middle, ("low", "mid", "high"))
    return made


def test_a_pixel_takes_the_value_of_its_most_likely_class(case, capsys):
    pixels = noise(0, 9, 13) // 40 + 1  # close enough that some are not sure
    pixels[:, 2:4, 5:] = 0  # nodata
    window = case.window("a", -7, -30, pixels)
    assert case.infer(capsys, "--threshold=0.9", f"--summary_fpath={case.path / 's.json'}") == (0, "")

    scores = pixels.astype(np.float64)
    likely = np.exp(scores - scores.max(0)) / np.exp(scores - scores.max(0)).sum(0)
    wanted = np.where(likely.max(0) >= 0.9, VALUES[scores.argmax(0)], 0)
    wanted[2:4, 5:] = 0
    assert 0 < (wanted == 0).sum() - 16 < 80
    np.testing.assert_array_equal(case.output(window), wanted)
    assert json.loads((case.path / "s.json").read_text()) == {
        "windows": 1, "done": 1, "failed": {}, "without_images": [], "window_success_rate": 1.0,
    }  # fmt: skip


def test_rasters_say_their_classes_and_where_they_are(case, capsys):
    window = case.window("a", -7, -30, noise(0, 9, 13))
    case.infer(capsys)
    with rasterio.open(case.dataset.raster_fpath(window, "output", ["output"])) as image:
        assert image.crs == CRS.from_epsg(32613)
        assert image.bounds == (-70, 300 - 90, -70 + 130, 300)
        assert (image.nodata, image.dtypes, image.descriptions) == (0, ("uint8",), ("elevation",))
        colours = image.colormap(1)
        assert colours[0] == (0, 0, 0, 0)
        assert colours[7] == (253, 231, 37, 255)
        assert json.loads(image.tags()["classes"]) == {"1": "low", "2": "mid", "7": "high"}
    assert case.dataset.is_completed(window, "output")


def test_the_same_bytes_for_any_batch_size_workers_and_folder(ours, capsys):
    for number in range(7):
        ours.window(f"w{number}", 30 * number, 5, landscape(number, (40 + number % 3, 33))[0])
    for dst, more in {
        "one": [], "many": ["--batch_size=1"], "threads": ["--workers=3", "--batch_size=2"],
    }.items():  # fmt: skip
        assert ours.infer(capsys, *more, dst=dst)[0] == 0
    assert run_inference(ours.project, ours.part, ours.dataset, ours.dataset, device="cpu") == 7
    files = tree(ours.path / "one")
    assert len(files) == 7 * 3
    assert files == tree(ours.path / "many") == tree(ours.path / "threads")
    assert {name: (ours.dataset.path / name).read_bytes() for name in files} == files


def test_windows_agree_where_they_overlap_beyond_the_radius_of_the_network(ours, capsys):
    image = landscape(0, (80, 120))[0]
    whole = ours.window("whole", 0, 0, image)
    parts = [ours.window(f"part{left}", left, 0, image[:, :, left : left + 64]) for left in (0, 21, 56)]
    ours.infer(capsys)
    wanted = ours.output(whole)
    assert np.unique(wanted).tolist() == [1, 2, 7]
    for part in parts:
        inner = ours.output(part)[15:-15, 15:-15]
        left = part.bounds[0] + 15
        np.testing.assert_array_equal(inner, wanted[15:-15, left : left + inner.shape[1]])


def test_large_windows_are_scored_in_tiles(ours, capsys, monkeypatch):
    window = ours.window("a", 0, 0, landscape(1, (70, 101))[0])
    ours.infer(capsys)
    monkeypatch.setattr(scoring, "TILE", 32)
    ours.infer(capsys, dst="tiles")
    np.testing.assert_array_equal(ours.output(window, "tiles"), ours.output(window))
    assert np.unique(ours.output(window)).tolist() == [1, 2, 7]


@pytest.mark.parametrize("tile", [32, 1])
def test_tiles_begin_at_multiples_of_any_stride(case, capsys, monkeypatch, tile):
    case.model((case.path / "model.yaml").read_text().replace("Brightest", "Thirds"))
    window = case.window("a", 2, 7, noise(4, 70, 101))
    monkeypatch.setattr(scoring, "TILE", 1000)
    case.infer(capsys, dst="whole")
    monkeypatch.setattr(scoring, "TILE", tile)
    assert case.infer(capsys) == (0, "")
    np.testing.assert_array_equal(case.output(window), case.output(window, "whole"))


def test_a_network_with_a_stride_sees_the_same_blocks_in_every_window(case, capsys):
    case.model((case.path / "model.yaml").read_text().replace("Brightest", "Coarse"))
    image = noise(3, 24, 24)
    whole = case.window("whole", -8, -12, image)
    part = case.window("part", -8 + 3, -12 + 5, image[:, 5:20, 3:21])
    case.infer(capsys)
    blocks = image.astype(float).reshape(3, 6, 4, 6, 4).mean((2, 4)).argmax(0)
    wanted = VALUES[np.kron(blocks, np.ones((4, 4), int))]
    np.testing.assert_array_equal(case.output(whole), wanted)
    # Blocks that the part holds in full: rows 8 to 20, columns 4 to 20 of the whole.
    np.testing.assert_array_equal(case.output(part)[3:15, 1:17], wanted[8:20, 4:20])


def test_a_window_without_images_is_nodata_and_counted(case, capsys):
    empty, full = case.window("empty", 0, 0, None), case.window("full", 8, 0, noise(1, 8, 8))
    code, said = case.infer(capsys, f"--summary_fpath={case.path / 's.json'}")
    assert (code, said) == (0, "warning: 1 of 2 windows have no image\n")
    assert json.loads((case.path / "s.json").read_text())["without_images"] == ["empty"]
    assert not case.output(empty).any()
    assert case.output(full).all()


def test_only_what_changed_is_done_again(case, capsys):
    windows = [case.window(name, 0, 0, noise(number, 8, 8)) for number, name in enumerate("abc")]
    places = [case.dataset.raster_fpath(one, "output", ["output"]) for one in windows]
    case.infer(capsys)
    before = [path.stat().st_ino for path in places]
    (case.dataset.layer_dpath(windows[1], "output") / "completed").unlink()  # as after a crash
    left = case.dataset.window_dpath(windows[1]) / "layers" / ".999999999.1.output"
    left.mkdir()
    case.infer(capsys)
    assert [path.stat().st_ino == one for path, one in zip(places, before, strict=True)] == [
        True,
        False,
        True,
    ]

    before = [path.stat().st_ino for path in places]
    case.window("c", 0, 0, noise(9, 8, 8))  # other pixels
    case.infer(capsys)
    assert [path.stat().st_ino == one for path, one in zip(places, before, strict=True)] == [
        True,
        True,
        False,
    ]
    np.testing.assert_array_equal(case.output(windows[2]), VALUES[noise(9, 8, 8).argmax(0)])

    for more in (["--threshold=0.99"], [f"--checkpoint_path={case.path / 'other.ckpt'}"]):
        case.weights("other.ckpt", classes=["low", "mid", "high"])
        before = [path.stat().st_ino for path in places]
        case.infer(capsys, *more)
        assert all(path.stat().st_ino != one for path, one in zip(places, before, strict=True))


def test_a_window_that_fails_does_not_stop_the_others(case, capsys):
    good, bad = case.window("good", 0, 0, noise(0, 8, 8)), case.window("bad", 8, 0, noise(1, 8, 8))
    case.dataset.raster_fpath(bad, "image", BANDS).write_bytes(b"II*\0broken")
    code, said = case.infer(capsys, f"--summary_fpath={case.path / 's.json'}")
    assert code == 2
    assert said.startswith("error: 1 of 2 windows of partition_0 failed; the first, bad: ")
    assert said.count("\n") == 1
    assert case.output(good).all()
    assert not case.dataset.is_completed(bad, "output")
    assert not (case.path / "s.json").exists()
    code, _ = case.infer(capsys, "--allow_failed=True", f"--summary_fpath={case.path / 's.json'}")
    assert code == 0
    summary = json.loads((case.path / "s.json").read_text())
    assert (summary["done"], list(summary["failed"]), summary["window_success_rate"]) == (1, ["bad"], 0.5)


def test_classes_of_windows_as_geojson_in_lon_lat(case, capsys):
    from pyproj import Transformer

    case.model(
        (case.path / "model.yaml").read_text().replace("Brightest", "Window").replace("segment", "classify")
    )
    case.results("VECTOR")
    pixels = np.full((3, 2, 4), 50, np.uint8)
    pixels[1] = 52
    window = case.window("a", 50000, -440000, pixels)
    case.window("empty", 50000, -440000, None)
    case.infer(capsys, "--threshold=0.7")
    (feature,) = json.loads(case.dataset.vector_fpath(window, "output").read_text())["features"]
    assert feature["properties"] == {
        "elevation": "mid", "probability": pytest.approx(np.exp(2) / (np.exp(2) + 2), abs=1e-6), "value": 2,
        "fill": "#35b779", "stroke": "#35b779",
    }  # fmt: skip
    corners = {tuple(np.round(point, 7)) for point in feature["geometry"]["coordinates"][0]}
    there = Transformer.from_crs(32613, 4326, always_xy=True)
    wanted = [there.transform(x, y) for x in (500000, 500040) for y in (4400000, 4399980)]
    assert corners == {tuple(np.round(point, 7)) for point in wanted}
    empty = case.dataset.window("group_partition_0", "empty")
    assert json.loads(case.dataset.vector_fpath(empty, "output").read_text())["features"] == []
    case.infer(capsys, "--threshold=0.9", dst="sure")
    assert json.loads(next((case.path / "sure").rglob("a/*/*/data.geojson")).read_text())["features"] == []


def test_areas_of_a_class_as_geojson(case, capsys):
    case.results("VECTOR")
    pixels = np.full((3, 6, 6), 9, np.uint8)
    pixels[0, :, :2] = 90
    pixels[2, :, 2:] = 90
    pixels[:, 5] = 0
    window = case.window("a", 50000, -440000, pixels)
    case.infer(capsys)
    found = json.loads(case.dataset.vector_fpath(window, "output").read_text())["features"]
    assert [one["properties"]["elevation"] for one in found] == ["low", "high"]
    assert [one["properties"]["probability"] for one in found] == [1, 1]


def test_bands_of_several_sets_and_steps_in_the_order_of_the_model(tmp_path):
    from pipelines.esrun import reading
    from pipelines.esrun.model_config import Input
    from tests.pipelines.esrun.inference_cases import write_raster

    case = make_case(tmp_path / "p")
    sets = [{"bands": ["R", "G"]}, {"bands": ["N"], "zoom_offset": -1}]
    (case.dataset.path / "config.json").write_text(json.dumps({"layers": {"s2": {"band_sets": sets}}}))
    window = case.window("a", 0, 0, noise(0, 4, 6))
    near = noise(1, 2, 3, bands=1)
    for step in (0, 2):  # there is no image for step 1
        write_raster(
            case.dataset.raster_fpath(window, "s2", ["R", "G"], step), window, noise(step, 4, 6, bands=2)
        )
        write_raster(
            case.dataset.raster_fpath(window, "s2", ["N"], step), window, near, nodata=int(near[0, 0, 0])
        )
        case.dataset.complete(window, "s2", step)
    places = reading.sources(case.dataset, [Input("s2", ("N", "R"), 3)], case.path / "model.yaml")
    pixels = reading.read(case.dataset, window, places)
    assert pixels.shape == (6, 4, 6)
    assert np.isnan(pixels[2:4]).all()
    np.testing.assert_array_equal(pixels[1], noise(0, 4, 6, bands=2)[0])
    np.testing.assert_array_equal(pixels[5], noise(2, 4, 6, bands=2)[0])
    enlarged = np.kron(near[0], np.ones((2, 2)))
    np.testing.assert_array_equal(pixels[4], np.where(enlarged == near[0, 0, 0], np.nan, enlarged))
    assert reading.known(pixels).all()


class Same(torch.nn.Module):
    """Scores that are the pixels, of images whose sides are multiples of the stride."""

    def __init__(self, stride: int):
        super().__init__()
        self.stride = stride

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert images.shape[2] % self.stride == images.shape[3] % self.stride == 0
        return images


@given(
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    corner=st.tuples(st.integers(-99, 99), st.integers(-99, 99)),
    stride=st.integers(1, 9),
    count=st.integers(1, 3),
)
@settings(max_examples=40)
def test_any_window_comes_back_as_it_went_in(size, corner, stride, count):
    from pipelines.esrun.colours import plain
    from pipelines.esrun.model_config import Input, ModelConfig

    config = ModelConfig(Path("model.yaml"), {}, (Input("image", ("a", "b")),), "segment")
    model = scoring.prepared(config, Same(stride), Normalisation((1, 2), (2, 4)), plain("xy"), "cpu")
    rng = np.random.default_rng(size[0])
    images = [rng.normal(size=(2, *size)).astype(np.float32) for _ in range(count)]
    images[0][:, 0, 0] = np.nan
    for image, likely in zip(images, model.probabilities(images, [corner] * count, 2), strict=True):
        scores = (image - np.array([1, 2])[:, None, None]) / np.array([2, 4])[:, None, None]
        np.testing.assert_allclose(likely[0], 1 / (1 + np.exp(scores[1] - scores[0])), rtol=1e-5)
        np.testing.assert_array_equal(np.isnan(likely), np.isnan(image))
