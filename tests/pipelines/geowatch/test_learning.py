"""fit and predict, on two small videos with bright squares for sites, in two zones of both hemispheres."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import kwcoco
import numpy as np
import pytest
import rasterio
import torch

from pipelines import program
from pipelines.geowatch import fit, grids, package, predict
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.package import PHASES, Recipe
from pipelines.geowatch.predictor import Predictor, Settings, read_window
from pipelines.geowatch.series import read_series
from pipelines.geowatch.training_data import IGNORE, phase_map

pytestmark = pytest.mark.xdist_group("learning")  # they share two models

BANDS = ("blue", "green", "red", "nir")
NODATA = -9999
PLACES = {
    "KR_R001": Grid("EPSG:32652", (10.0, 0.0, 300000.0, 0.0, -10.0, 4160000.0), 72, 60),
    "CL_R001": Grid("EPSG:32719", (10.0, 0.0, 400000.0, 0.0, -10.0, 7300000.0), 72, 60),
}
SITE = (24, 16, 20, 16)  # column, row, width, height in pixels of 10 m
BRIGHTNESS = {
    "No Activity": 0,
    "Site Preparation": 1500,
    "Active Construction": 3000,
    "Post Construction": 800,
}


def write_image(path: Path, grid: Grid, phase: str, seed: int) -> None:
    pixels = np.random.default_rng(seed).normal(900, 60, (4, grid.height, grid.width))
    col, row, width, height = (round(number * 10 / grid.gsd) for number in SITE)
    pixels[:, row : row + height, col : col + width] += BRIGHTNESS[phase]
    pixels[:, :, : round(60 / grid.gsd)] = NODATA
    with rasterio.open(
        path, "w", driver="GTiff", dtype="int16", count=4, width=grid.width, height=grid.height,
        crs=grid.crs, transform=grid.affine, nodata=NODATA, tiled=True, blockxsize=64, blockysize=64,
    ) as image:  # fmt: skip
        image.write(pixels.round().astype(np.int16))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames per video, every other one at 5 m."""
    folder = tmp_path_factory.mktemp("data")
    dataset = kwcoco.CocoDataset()
    for phase in PHASES:
        dataset.add_category(phase)
    for name, grid in PLACES.items():
        video = dataset.add_video(
            name=name, width=72, height=60, crs=grid.crs, transform=list(grid.transform), target_gsd=10
        )
        for number, phase in enumerate([*PHASES[:2], *PHASES[1:3], *PHASES[2:]]):
            own = grid.at_gsd(5) if number % 2 else grid
            scale = grid.gsd / own.gsd
            file = f"{name}_{number}.tif"
            write_image(folder / file, own, phase, number)
            asset = {
                "file_name": file, "channels": "|".join(BANDS), "width": own.width, "height": own.height,
                "num_bands": 4, "warp_aux_to_img": {"type": "affine"},
            }  # fmt: skip
            image = dataset.add_image(
                name=file[:-4], video_id=video, frame_index=number, timestamp=1.5e9 + number * 8e6,
                sensor_coarse="PD" if number % 2 else "S2", width=own.width, height=own.height,
                warp_img_to_vid={"type": "affine", "scale": 1 / scale}, assets=[asset],
            )  # fmt: skip
            left, top, width, height = (value * scale for value in SITE)
            right, bottom = left + width, top + height
            dataset.add_annotation(
                image, dataset.name_to_cat[phase]["id"], bbox=[left, top, width, height], track_id="1",
                segmentation=[[left, top, right, top, right, bottom, left, bottom]],
            )  # fmt: skip
    dataset.fpath = str(folder / "data.kwcoco.json")
    dataset.dump()
    return folder / "data.kwcoco.json"


def call(command: Any, **options: object) -> None:
    command.main([f"--{key}={value}" for key, value in options.items()], standalone_mode=False)


@pytest.fixture(scope="session")
def models(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A package per task, trained in seconds."""
    folder = tmp_path_factory.mktemp("models")
    for task in package.TASKS:
        call(
            fit.command, dataset=data, dst=folder / task / "model.pt", task=task, epochs=25, width=6,
            time_steps=3, window=24, time_sampling="contiguous", lr=0.02,
        )  # fmt: skip
    return {task: folder / task / "model.pt" for task in package.TASKS}


@pytest.fixture
def predicted(data: Path, models: dict[str, Path], tmp_path: Path) -> Callable[..., kwcoco.CocoDataset]:
    def run(task: str = "saliency", name: str = "pred", **options: object) -> kwcoco.CocoDataset:
        target = tmp_path / name / "pred.kwcoco.zip"
        head = {"with_saliency": task == "saliency", "with_class": task == "classes", "devices": "cpu"}
        paths = {"package_fpath": models[task], "test_dataset": data, "pred_pxl_fpath": target}
        call(predict.command, **{**paths, **head, **options})
        return kwcoco.CocoDataset(str(target))

    return run


def maps(dataset: kwcoco.CocoDataset) -> dict[str, np.ndarray]:
    """Heatmaps by image name, on their own grids."""
    found = {}
    for image in dataset.imgs.values():
        path = Path(dataset.bundle_dpath) / image["assets"][-1]["file_name"]
        found[image["name"]] = grids.read(path, Grid.of_file(path))
    return found


def phases_of(dataset: kwcoco.CocoDataset, name: str) -> np.ndarray:
    series, frame = next((s, f) for s in read_series(dataset) for f in s.frames if f.name == name)
    return phase_map(dataset, frame, series, series.grid)


def test_truth_is_drawn_where_the_site_is(data: Path) -> None:
    col, row, width, height = SITE
    expected = np.zeros((60, 72), np.int8)
    expected[row : row + height, col : col + width] = 2
    dataset = kwcoco.CocoDataset(str(data))
    for name in ("KR_R001_3", "CL_R001_4"):  # one at 5 m, one at 10 m
        assert np.array_equal(phases_of(dataset, name), expected)


def test_ignored_polygons_win(data: Path) -> None:
    dataset = kwcoco.CocoDataset(str(data))
    image = next(i for i in dataset.imgs.values() if i["name"] == "KR_R001_2")
    category = dataset.ensure_category("ignore")
    square = [30, 20, 34, 20, 34, 24, 30, 24]
    dataset.add_annotation(image["id"], category, bbox=[30, 20, 4, 4], segmentation=[square])
    found = phases_of(dataset, "KR_R001_2")
    assert (found == IGNORE).sum() == 16
    assert (found[20:24, 30:34] == IGNORE).all()


def test_fit_learns_and_says_how_well(models: dict[str, Path]) -> None:
    for path in models.values():
        metrics = json.loads(path.with_name("fit.json").read_text())["result"]["metrics"]
        assert metrics["AP"] > 0.8
        assert metrics["val_loss"] < metrics["val_loss_per_epoch"][0]
        assert metrics["val_windows"] > 0


def test_the_same_seed_gives_the_same_bytes(data: Path, tmp_path: Path) -> None:
    options = {"dataset": data, "epochs": 1, "width": 2, "time_steps": 2, "window": 24}
    for name, seed in (("a", 0), ("other_name", 0), ("c", 1)):
        call(fit.command, dst=tmp_path / f"{name}.pt", seed=seed, **options)
    first, same, other = ((tmp_path / f"{n}.pt").read_bytes() for n in ("a", "other_name", "c"))
    assert first == same
    assert first != other


def test_saliency_is_high_on_the_site_when_it_is_active(predicted: Callable[..., Any]) -> None:
    dataset = predicted()
    col, row, width, height = SITE
    for name, found in maps(dataset).items():
        inside = found[0, row + 2 : row + height - 2, col + 2 : col + width - 2].mean()
        outside = np.nanmean(found[0, :, 50:])
        assert outside < 0.3
        if name[-1] in "1234":
            assert inside > 0.7


def test_phases_sum_to_one_and_follow_time(predicted: Callable[..., Any]) -> None:
    right = []
    for name, found in maps(predicted("classes")).items():
        sums = found.sum(0)
        assert np.allclose(sums[np.isfinite(sums)], 1, atol=1e-3)
        col, row, width, height = SITE
        middle = found[:, row + 4 : row + height - 4, col + 4 : col + width - 4].mean((1, 2))
        right.append(middle.argmax() == [0, 1, 1, 2, 2, 3][int(name[-1])])
    assert sum(right) >= 10


def test_nodata_stays_nodata_on_the_grid_of_the_video(predicted: Callable[..., Any]) -> None:
    for name, found in maps(predicted()).items():
        assert np.isnan(found[:, :, :6]).all()
        # 5 m frames are resampled to 10 m, where a pixel of the border may mix
        assert np.isfinite(found[:, :, 7:]).all(), name


def test_heatmaps_name_their_place(predicted: Callable[..., Any]) -> None:
    dataset = predicted(output_space_scale="5GSD", input_space_scale="7.5GSD")
    for image in dataset.imgs.values():
        asset = image["assets"][-1]
        path = Path(dataset.bundle_dpath) / asset["file_name"]
        expected = PLACES[image["name"][:7]].at_gsd(5)
        assert Grid.of_file(path) == expected
        assert asset["channels"] == "salient"
        warp = dataset.coco_image(image["id"]).warp_vid_from_img @ _affine(asset["warp_aux_to_img"])
        assert np.allclose(warp.matrix, np.diag([0.5, 0.5, 1]))


def _affine(spec: dict[str, Any]) -> Any:
    import kwimage

    return kwimage.Affine.coerce(spec)


def test_sensors_of_two_resolutions_are_read_at_one_scale(data: Path, tmp_path: Path) -> None:
    series = read_series(kwcoco.CocoDataset(str(data)))[0]
    recipe = Recipe("saliency", BANDS, {"*": dict.fromkeys(BANDS, (0.0, 10000.0))}, 10, 2, "uniform", 24, 2)
    fine, coarse = series.frames[3], series.frames[4]
    write_image(tmp_path / "3m.tif", series.grid.at_gsd(3), "Active Construction", 3)
    fine = replace(fine, assets=(replace(fine.assets[0], path=tmp_path / "3m.tif"),))
    assert (fine.gsd(BANDS), coarse.gsd(BANDS)) == (3, 10)
    pixels = read_window(recipe, [fine, coarse], series.grid)
    assert pixels.shape == (2, 4, 60, 72)
    col, row, width, height = SITE
    for one in pixels:
        bright = one[0] > 0.24
        assert bright.sum() == pytest.approx(width * height, rel=0.03)
        assert bright[row + 1 : row + height - 1, col + 1 : col + width - 1].all()


def test_workers_and_batches_change_no_byte(predicted: Callable[..., Any], tmp_path: Path) -> None:
    options = {"chip_dims": "24,32", "chip_overlap": 0.5, "tta_fliprot": 3, "tta_time": 1}
    predicted(name="a", num_workers=0, **options)
    predicted(name="b", num_workers=3, batch_size=4, **options)
    files = sorted(
        path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*") if path.is_file()
    )
    assert len(files) == 13
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)


@pytest.mark.parametrize("view", range(8))
def test_a_turned_view_is_turned_back(view: int) -> None:
    from pipelines.geowatch.predictor import _turn, _turn_back

    images = torch.rand(1, 2, 3, 8, 12)
    assert torch.equal(_turn_back(_turn(images, view), view), images)


def test_windows_agree_with_the_network_on_the_whole_image(data: Path, models: dict[str, Path]) -> None:
    recipe, network = package.load(models["saliency"])
    series = read_series(kwcoco.CocoDataset(str(data)))[0]
    pixels = read_window(recipe, series.frames[:3], series.grid)
    settings = Settings((60, 72), 0.0, 3, "contiguous", workers=0)
    whole = Predictor(recipe, network, settings).probabilities(pixels[None])[0]
    with torch.inference_mode():
        scores = network(torch.from_numpy(pixels[None])).sigmoid().numpy()[0]
    known = np.isfinite(pixels).all(1, keepdims=True)
    assert np.array_equal(np.isfinite(whole), known)
    assert np.allclose(whole[known], scores[known])


def test_a_pixel_far_from_a_window_s_rim_does_not_know_the_window(models: dict[str, Path]) -> None:
    _, network = package.load(models["saliency"])
    images = torch.rand(1, 3, 4, 96, 96)
    with torch.inference_mode():
        whole, part = network(images), network(images[..., 16:80, 16:80])
    assert torch.allclose(whole[..., 44:52, 44:52], part[..., 28:36, 28:36], atol=1e-4)


def test_frames_of_nodata_change_nothing(models: dict[str, Path]) -> None:
    _, network = package.load(models["saliency"])
    images = torch.rand(1, 2, 4, 32, 32)
    more = torch.cat([images, torch.full_like(images[:, :1], torch.nan)], 1)
    with torch.inference_mode():
        assert torch.allclose(network(images), network(more)[:, :2], atol=0.05)


def test_unused_frames_are_dropped_when_asked(
    data: Path, predicted: Callable[..., Any], tmp_path: Path
) -> None:
    dataset = kwcoco.CocoDataset(str(data))
    image = dataset.imgs[1]
    with rasterio.open(data.parent / image["assets"][0]["file_name"]) as source:
        profile = source.profile
    image["assets"][0]["file_name"] = str(tmp_path / "empty.tif")
    with rasterio.open(tmp_path / "empty.tif", "w", **profile) as empty:
        empty.write(np.full((4, 60, 72), NODATA, np.int16))
    for other in list(dataset.imgs.values())[1:]:
        other["assets"][0]["file_name"] = str(data.parent / other["assets"][0]["file_name"])
    dataset.fpath = str(tmp_path / "data.kwcoco.json")
    dataset.dump()
    assert 1 in predicted(test_dataset=tmp_path / "data.kwcoco.json").imgs
    fewer = predicted(test_dataset=tmp_path / "data.kwcoco.json", name="few", drop_unused_frames=True)
    assert sorted(fewer.imgs) == list(range(2, 13))


def test_a_window_may_be_given_at_another_scale() -> None:
    grid = Grid("EPSG:32652", (5.0, 0.0, 0.0, 0.0, -5.0, 0.0), 1000, 300)
    assert predict._window("64", 0, 2.0, grid) == (128, 128)
    assert predict._window("[96, 256]", 0, 3.0, grid) == (288, 768)
    assert predict._window("auto", 50, 1.0, grid) == (52, 52)
    assert predict._window("512,512", 0, 1.0, grid) == (300, 512)


def _without_time(dataset: dict[str, Any]) -> None:
    del dataset["images"][3]["timestamp"]


def _without_any_time(dataset: dict[str, Any]) -> None:
    dataset["images"][3]["timestamp"] = "last summer"


def _without_a_band(dataset: dict[str, Any]) -> None:
    for image in dataset["images"]:
        image["assets"][0]["channels"] = "blue|green|red|swir16"


def _one_band_less(dataset: dict[str, Any]) -> None:
    dataset["images"][2]["assets"][0]["channels"] = "blue|green|red|nir|swir16"


def _of_one_name(dataset: dict[str, Any]) -> None:
    dataset["images"][0]["name"], dataset["images"][7]["name"] = "tile/1", "tile_1"


def _without_video(dataset: dict[str, Any]) -> None:
    dataset["images"][0]["video_id"] = None


def _elsewhere(dataset: dict[str, Any]) -> None:
    dataset["videos"][0]["crs"] = "EPSG:32633"


def _corrupt(dataset: dict[str, Any]) -> None:
    path = Path(dataset["images"][5]["assets"][0]["file_name"])
    copy = path.with_name("broken.tif")
    copy.write_bytes(path.read_bytes()[:9000] + b"\0" * 9000)
    dataset["images"][5]["assets"][0]["file_name"] = str(copy)


def _truncated(dataset: dict[str, Any]) -> None:
    path = Path(dataset["images"][5]["assets"][0]["file_name"])
    path.write_bytes(path.read_bytes()[:-5000])


def _without_crs(dataset: dict[str, Any]) -> None:
    path = Path(dataset["images"][4]["assets"][0]["file_name"])
    with rasterio.open(path) as image:
        pixels, profile = image.read(), image.profile
    del profile["crs"]
    with rasterio.open(path, "w", **profile) as image:
        image.write(pixels)


def _gone(dataset: dict[str, Any]) -> None:
    dataset["images"][5]["assets"][0]["file_name"] = "/no/such.tif"


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_without_time, r"bad.kwcoco.json: image '.*_3' has neither timestamp nor date_captured"),
        (_without_any_time, r"image '.*_3' has an unusable time \(.*'last summer'\)"),
        (
            _without_a_band,
            r"bad.kwcoco.json: no image has all bands of the model \(blue\|green\|red\|nir\): no band 'nir', "
            r"there are blue\|green\|red\|swir16",
        ),
        (_one_band_less, r"_2.tif: has 4 bands, but image '.*_2' names 5"),
        (_of_one_name, r"bad.kwcoco.json: images 'tile_1' and 'tile/1' have one name as files"),
        (_without_video, r"image '.*_0' is in no video"),
        (_elsewhere, r"_0.tif: lies outside its video's ground \(EPSG:32633"),
        (_corrupt, r"broken.tif: (is corrupt|cannot be read)"),
        (_truncated, r"_5.tif: is corrupt: its pixels cannot be read"),
        (_without_crs, r"_4.tif: has no coordinate reference system"),
        (_gone, r"/no/such.tif: no such file"),
    ],
)
def test_bad_datasets_are_named(
    spoil: Callable[[dict[str, Any]], None],
    complaint: str,
    data: Path,
    models: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dataset = json.loads(data.read_text())
    for image in dataset["images"]:
        copy = tmp_path / image["assets"][0]["file_name"]
        copy.write_bytes((data.parent / copy.name).read_bytes())
        image["assets"][0]["file_name"] = str(copy)
    spoil(dataset)
    (tmp_path / "bad.kwcoco.json").write_text(json.dumps(dataset))
    line = complained(
        predict.command,
        capsys,
        package_fpath=models["saliency"],
        test_dataset=tmp_path / "bad.kwcoco.json",
        pred_pxl_fpath=tmp_path / "out" / "pred.kwcoco.zip",
    )
    assert re.search(complaint, line)
    assert not (tmp_path / "out").exists()


def test_images_that_lack_a_band_have_no_heatmap(
    data: Path, predicted: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = json.loads(data.read_text())
    for image in dataset["images"]:
        image["assets"][0]["file_name"] = str(data.parent / image["assets"][0]["file_name"])
    for image in (image for image in dataset["images"] if image["name"] in ("KR_R001_1", "CL_R001_3")):
        image["assets"][0]["channels"] = "blue|green|red|swir16"
        image["assets"].append({"file_name": "/an/older/map.tif", "channels": "salient"})
    (tmp_path / "data.kwcoco.json").write_text(json.dumps(dataset))
    found = predicted(test_dataset=tmp_path / "data.kwcoco.json")
    said = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert said == ["warning: 2 of 12 images are left out: 2 of PD without 'nir'"]
    maps_of = {image["name"]: [a["channels"] for a in image["assets"][1:]] for image in found.imgs.values()}
    assert maps_of == {
        name: [] if name in ("KR_R001_1", "CL_R001_3") else ["salient"]
        for name in (f"{place}_{number}" for place in PLACES for number in range(6))
    }
    assert all(Path(image["assets"][0]["file_name"]).is_file() for image in found.imgs.values())


def test_a_model_is_trained_on_the_images_that_have_its_bands(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = json.loads(data.read_text())
    for image in dataset["images"]:
        image["assets"][0]["file_name"] = str(data.parent / image["assets"][0]["file_name"])
        if image["sensor_coarse"] == "PD":
            image["assets"][0]["channels"] = "coastal|green|red|nir"
    (tmp_path / "data.kwcoco.json").write_text(json.dumps(dataset))
    call(fit.command, dataset=tmp_path / "data.kwcoco.json", dst=tmp_path / "m.pt", epochs=1, width=2)
    assert "6 of 12 images are left out: 6 of PD without 'blue'" in capsys.readouterr().err
    assert set(package.load(tmp_path / "m.pt")[0].normalisation) == {"S2", "*"}


def complained(command: Any, capsys: pytest.CaptureFixture[str], **options: object) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        program.run(command, [f"--{key}={value}" for key, value in options.items()])
    assert stop.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith("error: ")
    assert text.count("\n") == 1
    return text


def _rewritten(source: Path, target: Path, **changes: object) -> Path:
    content = torch.load(source, weights_only=True)
    torch.save(content | changes, target)
    return target


def test_bad_models_are_named(
    data: Path, models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = models["saliency"]
    (tmp_path / "text.pt").write_text("no model")
    torch.save({"weights": {}}, tmp_path / "other.pt")
    torch.save({"epoch": 3, "state_dict": {}, "optimizer_states": []}, tmp_path / "epoch=3-step=9.ckpt")
    torch.save(package.load(good)[1].state_dict(), tmp_path / "weights.pt")
    torch.save(Path("code"), tmp_path / "code.pt")
    fewer = _rewritten(good, tmp_path / "fewer.pt", channels=["blue", "green", "red"])
    wider = _rewritten(good, tmp_path / "wider.pt", width=9)
    classes = _rewritten(good, tmp_path / "classes.pt", task="classes")
    normalisation = package.load(good)[0].normalisation
    unnormal = _rewritten(good, tmp_path / "unnormal.pt", normalisation={"S2": normalisation["S2"]})
    sparse = {"*": {"red": (0.0, 1.0)}}
    table = [
        (unnormal, "unnormal.pt: is no usable model package: its normalisation has no '*'"),
        (
            _rewritten(good, tmp_path / "sparse.pt", normalisation=sparse),
            "its normalisation of '*' has no 'blue'",
        ),
        (
            _rewritten(good, tmp_path / "task.pt", task="depth"),
            "its task is 'depth', not saliency or classes",
        ),
        (_rewritten(good, tmp_path / "gsd.pt", gsd=0.0), "its gsd is 0.0, not a number above 0"),
        (_rewritten(good, tmp_path / "time.pt", time_sampling="?"), "its time_sampling is '?', not "),
        (
            _rewritten(good, tmp_path / "steps.pt", time_steps=2.5),
            "its time_steps is 2.5, not a number above 0",
        ),
        (
            _rewritten(good, tmp_path / "empty.pt", weights=None),
            "empty.pt: is no usable model package: it has no",
        ),
        (tmp_path / "none.pt", "none.pt: no such model package"),
        (tmp_path / "text.pt", "text.pt: is no model package"),
        (tmp_path / "other.pt", "other.pt: is another file, no model package"),
        (
            tmp_path / "epoch=3-step=9.ckpt",
            "step=9.ckpt: is a checkpoint of training, no model package; a packa",
        ),
        (
            tmp_path / "weights.pt",
            "is a file of bare weights, no model package; a package also holds the bands",
        ),
        (tmp_path / "code.pt", "is no model package"),
        (fewer, "its weights are for 4 channels, but it names 3"),
        (wider, "its weights do not fit its network"),
        (classes, "its weights are for 1 outputs, but it names 4"),
        (models["classes"], "predicts classes, but saliency is asked for; see --with_saliency"),
    ]
    for path, complaint in table:
        target = tmp_path / "out" / "pred.kwcoco.zip"
        options = {"package_fpath": path, "test_dataset": data, "pred_pxl_fpath": target}
        head = {"with_class": True, "with_saliency": False} if path == classes else {}
        assert complaint in complained(predict.command, capsys, **options, **head)
        assert not target.parent.exists()


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("chip_dims", "12x12", "chip_dims: '12x12' is not a number above 0"),
        ("chip_dims", "1,2,3", "is not a height and a width"),
        ("time_steps", "0", "time_steps: '0' is not a number above 0"),
        ("time_sampling", "sometimes", "no time sampling 'sometimes'"),
        ("input_space_scale", "tenGSD", "'tenGSD' is not a ground sample distance"),
        ("devices", "17", "devices: no GPU 17"),
        ("chip_overlap", "1.5", "1.5"),
        ("test_dataset", "/no/data.kwcoco.json", "/no/data.kwcoco.json: no such file"),
    ],
)
def test_bad_options_are_named(
    option: str,
    value: str,
    complaint: str,
    data: Path,
    models: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options: dict[str, object] = {"package_fpath": models["saliency"], "test_dataset": data}
    target = tmp_path / "out" / "pred.kwcoco.zip"
    options |= {"pred_pxl_fpath": target, option: value}
    assert complaint in complained(predict.command, capsys, **options)
    assert not target.parent.exists()


def test_fit_names_a_dataset_without_sites(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = json.loads(data.read_text()) | {"annotations": []}
    for image in dataset["images"]:
        image["assets"][0]["file_name"] = str(data.parent / image["assets"][0]["file_name"])
    (tmp_path / "none.kwcoco.json").write_text(json.dumps(dataset))
    options = {"dataset": tmp_path / "none.kwcoco.json", "dst": tmp_path / "model.pt", "window": 24}
    assert "has no annotated site to learn from" in complained(fit.command, capsys, **options)
    assert "no band 'swir'" in complained(fit.command, capsys, **options, channels="red|swir")
    assert not (tmp_path / "model.pt").exists()


def test_a_recipe_knows_its_sensors() -> None:
    table = {"S2": {"red": (100.0, 10.0)}, "*": {"red": (0.0, 1.0)}}
    recipe = Recipe("saliency", ("red",), table, 10, 1, "uniform", 8, 2)
    pixels = np.array([[[120.0, np.nan, 1e9]]], np.float32)
    assert np.array_equal(recipe.normalise(pixels, "S2")[0, 0], [2, np.nan, 6], equal_nan=True)
    assert recipe.normalise(pixels, "WV")[0, 0, 0] == 6
    assert replace(recipe, task="classes").outputs == PHASES
