"""A project of two squares whose brightest band is their class, for the tests of the whole runner."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from shapely.geometry import box

from pipelines.esrun.features import Feature, collection, write_features
from pipelines.esrun.projection import to_lonlat
from tests.pipelines.esrun.inference_cases import BRIGHTEST, CLASSES, MODULE, make_case
from tests.pipelines.esrun.source_images import LEFT, TOP, UTM, YEAR, layer, write_image

SIZE = 48  # pixels of the image, each side
SQUARES = ((2, 2, 20, 20), (24, 24, 46, 46))  # left, top, right, bottom of each partition's request
TOOLS = "esrun.runner.tools"
STRATEGIES = f"""
partition_strategies:
  partition_request_geometry:
    class_path: {TOOLS}.partitioners.chunk_partitioner.ChunkPartitioner
    init_args: {{num_geometries_per_partition: 1}}
  prepare_window_geometries:
    class_path: {TOOLS}.partitioners.grid_partitioner.GridPartitioner
    init_args: {{grid_size: 16, overlap_size: 2, output_projection: {json.dumps(UTM.to_json())}}}
postprocessing_strategies:
  process_window: {{class_path: {TOOLS}.postprocessors.combine_geotiff.CombineGeotiff}}
  process_partition: {{class_path: {TOOLS}.postprocessors.combine_geotiff.CombineGeotiff}}
  process_dataset: {{class_path: {TOOLS}.postprocessors.combine_geotiff.CombineGeotiff}}
inference_results_config:
  data_type: RASTER
{CLASSES}"""
#: A network that dies, while a file is there, of windows that are not bright: those of the first square.
DEADLY = """
import os, pathlib
from brightest_band import Brightest
class Deadly(Brightest):
    def forward(self, images):
        if pathlib.Path({flag!r}).exists() and images.max() < 0.5:
            os._exit(9)
        return super().forward(images)
"""


def make_project(folder: Path, squares: Sequence[Sequence[int]] = SQUARES) -> Path:
    """Write it; class k (value 1, 2 or 7) is where band k is the brightest."""
    case = make_case(folder)
    case.weights()
    (folder / "esrun.yaml").write_text(STRATEGIES)
    (folder / "brightest_band.py").write_text(MODULE)
    (folder / "model.yaml").write_text(f"{BRIGHTEST}normalise: {{mean: 0, std: 255}}\n")
    (folder / "dataset.json").write_text(json.dumps({"layers": {"image": layer(["B1", "B2", "B3"])}}))
    write_image(folder / "images" / "image.tif", image())
    request(folder / "prediction_request_geometry.geojson", squares)
    write_image(folder / "truth.tif", np.array([1, 2, 7], np.uint8)[image().argmax(0)][None], nodata=0)
    return folder


def request(path: Path, squares: Sequence[Sequence[int]] = SQUARES) -> Path:
    """Squares of the image's pixels as a request."""
    shapes = [box(LEFT + a, TOP + b, LEFT + c, TOP + d) for a, b, c, d in squares]
    write_features(path, collection(Feature(to_lonlat(one, UTM), dict(YEAR)) for one in shapes))
    return path


def image() -> np.ndarray:
    """(3, SIZE, SIZE): noise, brighter where the second square is; no two bands of a pixel are alike."""
    noise = np.random.default_rng(3)
    rank = noise.random((3, SIZE, SIZE)).argsort(axis=0)
    found = 50 + 25 * rank + noise.integers(0, 20, rank.shape)
    found[:, 22:, 22:] += 120
    return found.astype(np.uint8)
