"""What predict, crop and visualize leave behind when an image is found broken, or when they are stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import kwcoco
import numpy as np
import pytest
import rasterio

from pipelines.geowatch import coco_files, package
from pipelines.geowatch.grids import Grid

GRID = Grid("EPSG:32719", (10.0, 0.0, 400000.0, 0.0, -10.0, 8000000.0), 1, 1)


def make_dataset(folder: Path, size: int) -> None:
    """Three images of one video with one site, and an untrained model for them."""
    dataset = kwcoco.CocoDataset(bundle_dpath=str(folder))
    dataset.add_category("Active Construction")
    extent = {"width": size, "height": size}
    video = dataset.add_video(name="CL_R001", crs=GRID.crs, transform=list(GRID.transform), **extent)
    for number in range(3):
        pixels = np.random.default_rng(number).integers(100, 900, (1, size, size)).astype(np.int16)
        with rasterio.open(
            folder / f"{number}.tif", "w", driver="GTiff", dtype="int16", count=1, crs=GRID.crs,
            transform=GRID.affine, **extent,
        ) as image:  # fmt: skip
            image.write(pixels)
        found = dataset.add_image(
            name=f"CL_R001_{number}", video_id=video, frame_index=number, timestamp=1.5e9 + 8e6 * number,
            auxiliary=[{"file_name": f"{number}.tif", "channels": "red", **extent}], **extent,
        )  # fmt: skip
        square = [8, 8, 40, 8, 40, 40, 8, 40]
        dataset.add_annotation(found, 1, segmentation=[square], track_id="CL_R001_0000")
    coco_files.write_dataset(dataset, folder / "data.kwcoco.json")
    recipe = package.Recipe(
        "saliency", ("red",), {"*": {"red": (500.0, 200.0)}}, 10.0, 3, "contiguous", 64, 2
    )
    package.save(folder / "model.pt", recipe, recipe.network())


COMMANDS = {
    "predict": "--package_fpath=model.pt --test_dataset=data.kwcoco.json --pred_pxl_fpath=out/p.kwcoco.zip",
    "crop": "--crop_src_fpath=data.kwcoco.json --regions=truth --crop_dst_fpath=out/sitecrop.kwcoco.zip",
    "visualize": "--poly_kwcoco_fpath=data.kwcoco.json --stamp_fpath=out/_viz.stamp --channels=red",
}


def command(name: str, *more: str) -> list[str]:
    return [sys.executable, "-m", f"pipelines.geowatch.{name}", *COMMANDS[name].split(), *more]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_program_that_meets_a_broken_image_leaves_nothing(name: str, tmp_path: Path) -> None:
    make_dataset(tmp_path, 128)
    broken = tmp_path / "2.tif"
    broken.write_bytes(broken.read_bytes()[:-20_000])
    before = set(tmp_path.iterdir())
    ended = subprocess.run(command(name), cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error: {broken.name}: is corrupt: its pixels cannot be read (")
    assert ended.stderr.count("\n") == 1
    assert set(tmp_path.iterdir()) == before


SLOW = {
    "predict": ("--tta_fliprot=7", "--chip_overlap=0.9"),
    "crop": ("--target_gsd=0.25",),
    "visualize": ("--panel_size=3000",),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_program_that_is_stopped_leaves_nothing(name: str, tmp_path: Path) -> None:
    make_dataset(tmp_path, 1024)
    before = set(tmp_path.iterdir())
    with subprocess.Popen(command(name, *SLOW[name]), cwd=tmp_path) as process:
        while not [path for path in tmp_path.glob("out/.*/**/*") if path.is_file()]:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
    assert process.returncode == -signal.SIGTERM
    assert set(tmp_path.iterdir()) == before


def test_a_crop_that_keeps_goes_on_from_what_a_failed_one_left(tmp_path: Path) -> None:
    make_dataset(tmp_path, 128)
    whole = (tmp_path / "2.tif").read_bytes()
    (tmp_path / "2.tif").write_bytes(whole[:-20_000])
    keeping = command("crop", "--keep=img", "--img_workers=1")
    assert subprocess.run(keeping, cwd=tmp_path, capture_output=True).returncode == 2
    left = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.tif")}
    assert len(left) == 2
    assert not list(tmp_path.glob("out/*.zip"))
    (tmp_path / "2.tif").write_bytes(whole)
    assert subprocess.run(keeping, cwd=tmp_path, capture_output=True).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in left} == left
    assert kwcoco.CocoDataset(str(tmp_path / "out" / "sitecrop.kwcoco.zip")).n_images == 3
