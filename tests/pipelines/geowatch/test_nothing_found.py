"""A threshold that finds no site leaves an empty crop; every program after it has an answer to that."""

from __future__ import annotations

import json
import subprocess
import sys

import kwcoco
import pytest

from pipelines.geowatch import iarpa, package
from pipelines.geowatch.coco_files import write_dataset
from pipelines.geowatch.model import TemporalUNet


def run(folder, name, **options):
    words = [f"--{key}={value}" for key, value in options.items()]
    done = subprocess.run(
        [sys.executable, "-m", f"pipelines.geowatch.{name}", *words],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture
def folder(tmp_path):
    dataset = kwcoco.CocoDataset()
    dataset.fpath = str(tmp_path / "crop.kwcoco.zip")
    write_dataset(dataset, tmp_path / "crop.kwcoco.zip")
    recipe = package.Recipe(
        task="classes", channels=("red",), normalisation={"*": {"red": (0.0, 1.0)}}, gsd=4.0, time_steps=2,
        time_sampling="uniform", window=16, width=2,
    )  # fmt: skip
    package.save(tmp_path / "sc.pt", recipe, TemporalUNet(1, 4, 2))
    return tmp_path


def test_an_empty_crop_goes_through_all_programs(folder):
    run(folder, "predict", package_fpath="sc.pt", test_dataset="crop.kwcoco.zip",
        pred_pxl_fpath="pred.kwcoco.zip", with_saliency=False, with_class=True)  # fmt: skip
    run(folder, "evaluate_pixels", true_dataset="crop.kwcoco.zip", pred_pxl_fpath="pred.kwcoco.zip",
        eval_fpath="pxl_eval.json")  # fmt: skip
    run(folder, "track", mode="sc", pred_pxl_fpath="pred.kwcoco.zip", sites_fpath="sites_manifest.json")
    run(folder, "visualize", poly_kwcoco_fpath="poly.kwcoco.zip", stamp_fpath="_viz.stamp")
    assert iarpa.read_manifest(folder / "sites_manifest.json") == []
    metrics = json.loads((folder / "pxl_eval.json").read_text())["result"]["metrics"]
    assert metrics == dict.fromkeys(["mAP", "mAUC", "coi_mAP", "coi_mAUC"])
