"""A project and a dataset written by hand, for the tests of inference and of fit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from pipelines import program
from pipelines.esrun.dataset import Dataset, Window
from pipelines.esrun.project import Project, load_project
from pipelines.esrun.projection import Projection
from pipelines.esrun.scratch import Part

UTM = Projection("EPSG:32613", 10, -10)
BANDS = ["B1", "B2", "B3"]
CLASSES = """\
  classification_fields:
    - property_name: elevation
      allowed_values:
        - {value: 1, label: low, color: [46, 107, 142]}
        - {value: 2, label: mid, color: [53, 183, 121]}
        - {value: 7, label: high, color: [253, 231, 37]}
"""
MODEL = """
model: {class_path: pipelines.esrun.networks.SegmentationNet, init_args: {width: 8}}
inputs: [{layer: image, bands: [B1, B2, B3], nodata: 0}]
task: segment
fit: {epochs: 8, patch: 32}
"""
BRIGHTEST = """
model: {class_path: brightest_band.Brightest}
inputs: [{layer: image, bands: [B1, B2, B3], nodata: 0}]
task: segment
"""
MODULE = """
import torch
class Brightest(torch.nn.Module):
    '''Class k where band k is the brightest; `scale` is its only weight.'''
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
    def forward(self, images):
        return images * self.scale
class Coarse(Brightest):
    '''The same of means over 4 x 4 pixels.'''
    stride = 4
    def forward(self, images):
        means = torch.nn.functional.avg_pool2d(images * self.scale, self.stride)
        return means.repeat_interleave(self.stride, 2).repeat_interleave(self.stride, 3)
class Thirds(Coarse):
    '''The same of 3 x 3 pixels, which says how far it sees.'''
    stride, radius = 3, 2
class Window(Brightest):
    '''One class for all pixels.'''
    def forward(self, images):
        return (images * self.scale).mean((2, 3))
"""


@dataclass(frozen=True)
class Case:
    """A project folder with a dataset `ds` in it."""

    path: Path

    @property
    def project(self) -> Project:
        return load_project(self.path)

    @property
    def dataset(self) -> Dataset:
        return Dataset(self.path / "ds")

    @property
    def part(self) -> Part:
        return Part(self.path / "partitions" / "partition_0")

    def model(self, text: str) -> None:
        (self.path / "model.yaml").write_text(text)

    def results(self, kind: str = "RASTER", classes: str = CLASSES) -> None:
        text = f"inference_results_config:\n  data_type: {kind}\n{classes}"
        (self.path / "esrun.yaml").write_text(text)

    def window(
        self, name: str, left: int, top: int, pixels: np.ndarray | None, group: str = "group_partition_0",
        **options: Any,
    ) -> Window:  # fmt: skip
        """A window, with an image of (bands, height, width), or none that was found."""
        height, width = (8, 8) if pixels is None else pixels.shape[1:]
        window = Window(group, name, UTM, (left, top, left + width, top + height), None, options)
        self.dataset.add(window)
        (self.dataset.window_dpath(window) / "items.json").write_text("[]")
        if pixels is not None:
            write_raster(self.dataset.raster_fpath(window, "image", BANDS), window, pixels)
            self.dataset.complete(window, "image")
        return window

    def label(self, window: Window, values: np.ndarray) -> None:
        write_raster(self.dataset.raster_fpath(window, "labels", ["label"]), window, values[None], nodata=0)
        self.dataset.complete(window, "labels")

    def weights(self, path: str = "checkpoint.ckpt", **content: Any) -> None:
        """A checkpoint for the networks of `MODULE`, a bare state dict unless more is said."""
        import torch

        bare = {"scale": torch.ones(1)}
        torch.save({"state_dict": bare, **content} if content else bare, self.path / path)

    def infer(self, capsys: pytest.CaptureFixture[str], *more: str, dst: str = "ds") -> tuple[int, str]:
        """Run the program; its exit code and what it says."""
        return ran(
            capsys, "run_inference", f"--project_path={self.path}", f"--partition_dpath={self.part.path}",
            f"--dataset={self.dataset.path}", f"--dst={self.path / dst}", "--device=cpu", *more,
        )  # fmt: skip

    def output(self, window: Window, dst: str = "ds") -> np.ndarray:
        with rasterio.open(Dataset(self.path / dst).raster_fpath(window, "output", ["output"])) as image:
            return image.read(1)


def make_case(path: Path, model: str = BRIGHTEST) -> Case:
    path.mkdir(parents=True, exist_ok=True)
    case = Case(path)
    case.results()
    case.model(model)
    (path / "brightest_band.py").write_text(MODULE)
    case.part.path.mkdir(parents=True)
    raster = {"type": "raster"}
    layers = {
        "image": {**raster, "band_sets": [{"bands": BANDS, "dtype": "uint8"}]},
        "labels": {**raster, "band_sets": [{"bands": ["label"], "dtype": "uint8"}]},
        "output": {**raster, "band_sets": [{"bands": ["output"], "dtype": "uint8"}]},
    }
    case.dataset.path.mkdir()
    (case.dataset.path / "config.json").write_text(json.dumps({"layers": layers}))
    return case


def write_raster(path: Path, window: Window, pixels: np.ndarray, nodata: float | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", dtype=pixels.dtype.name, count=len(pixels), height=pixels.shape[1],
        width=pixels.shape[2], crs=UTM.crs, transform=UTM.transform(window.bounds), nodata=nodata,
    ) as image:  # fmt: skip
        image.write(pixels)


def ran(capsys: pytest.CaptureFixture[str], name: str, *arguments: str) -> tuple[int, str]:
    """A program of esrun in this process: its exit code and its stderr."""
    import importlib

    module = importlib.import_module(f"pipelines.esrun.{name}")
    with pytest.raises(SystemExit) as end:
        program.run(module.command, list(arguments))
    return int(end.value.code or 0), capsys.readouterr().err


def tree(path: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(one.relative_to(path)): one.read_bytes() for one in sorted(path.rglob("*")) if one.is_file()}


def noise(seed: int, height: int, width: int, low: int = 1, bands: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, 256, (bands, height, width)).astype(np.uint8)


def landscape(number: int, size: Sequence[int] = (40, 40)) -> tuple[np.ndarray, np.ndarray]:
    """An image and the values of its labels: three levels, each with its own colour and noise on it."""
    rows, columns = (np.arange(one) for one in size)
    levels = np.digitize(np.add.outer(np.sin(rows / 9 + number), np.cos(columns / 7 - number)), [-0.5, 0.8])
    colours = np.array([60 * levels + 30, 200 - 40 * levels, 100 + 0 * levels])
    image = colours + np.random.default_rng(number).normal(0, 20, colours.shape)
    return np.clip(image, 1, 255).astype(np.uint8), np.array([1, 2, 7], np.uint8)[levels]
