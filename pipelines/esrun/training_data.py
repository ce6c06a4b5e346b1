"""Labelled windows as examples in memory: pixels, and the class of each pixel or of the window.

Preparing labelled windows, and learning from them, does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.errors import BadInput
from pipelines.esrun import class_maps, reading
from pipelines.esrun.colours import Legend
from pipelines.esrun.dataset import Dataset, Window
from pipelines.esrun.model_config import ModelConfig, Normalisation
from pipelines.esrun.project import Project
from pipelines.program import read_json

UNKNOWN = class_maps.NONE
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Example:
    """A labelled window.

    Attributes:
        pixels: (channels, height, width) float32, NaN where missing.
        truth: int16 numbers of classes, UNKNOWN where there is no label or no pixel: (height, width), or of
            no dimensions when the task is to classify.
        corner: left and top in pixels of its projection.
    """

    name: str
    pixels: np.ndarray
    truth: np.ndarray
    corner: tuple[int, int]


def read_examples(
    project: Project, dataset: Dataset, config: ModelConfig, its: Legend
) -> dict[str, list[Example]]:
    """The labelled windows of a dataset by their split, in order of their names; all of them in memory.

    The group, the layer and the property of labels and the option of splits are those of `window_prep`.
    Windows without any known label, or without images, are left out.

    Raises:
        BadInput: no windows, an unknown split, labels that are no classes, none left to train on.
    """
    prep = project.section("window_prep")
    group, option = str(prep.get("group_name", "post_random_split")), str(prep.get("split_property", "split"))
    windows = list(dataset.windows([group]))
    if not windows:
        raise BadInput(f"has no windows in group {group!r}", where=dataset.path,
                       hint="prepare_labeled_windows makes them")  # fmt: skip
    places = reading.sources(dataset, config.inputs, config.fpath)
    labels = _Labels(dataset, str(prep.get("label_layer", "labels")),
                     str(prep.get("label_property", "category")), config.task, its)  # fmt: skip
    found: dict[str, list[Example]] = {split: [] for split in SPLITS}
    for window in windows:
        split = window.options.get(option)
        if split not in found:
            raise BadInput(f"options.{option}: must be train, val or test, not {split!r}",
                           where=dataset.window_dpath(window) / "metadata.json")  # fmt: skip
        example = _example(dataset, window, places, labels)
        if (example.truth != UNKNOWN).any():
            found[split].append(example)
    if not found["train"]:
        raise BadInput(f"no window of group {group!r} has labels, images and the split train",
                       where=dataset.path, hint="build the layers of the labelled windows")  # fmt: skip
    return found


def normalisation(examples: Sequence[Example]) -> Normalisation:
    """Mean and standard deviation of each channel over the pixels that are there."""
    channels = len(examples[0].pixels)
    flat = np.concatenate([one.pixels.reshape(channels, -1) for one in examples], 1).astype(np.float64)
    empty = ~np.isfinite(flat).any(1)
    flat[empty] = 0  # a channel that no window has: it stays 0
    mean, std = np.nanmean(flat, 1), np.nanstd(flat, 1)
    return Normalisation(tuple(mean.tolist()), tuple(np.where(std > 0, std, 1.0).tolist()))


@dataclass(frozen=True)
class _Labels:
    dataset: Dataset
    layer: str
    property_name: str
    task: str
    its: Legend

    def numbers(self, window: Window) -> np.ndarray:
        """Class numbers, (height, width) or of no dimensions; UNKNOWN where there is no label."""
        folder = self.dataset.layer_dpath(window, self.layer)
        rasters = sorted(folder.glob("*/geotiff.tif"))
        vector = self.dataset.vector_fpath(window, self.layer)
        if rasters:
            values = self._raster(window, rasters[0])
            return values if self.task == "segment" else _commonest(values)
        if not vector.is_file():
            raise BadInput(f"has no layer {self.layer}", where=self.dataset.window_dpath(window))
        number = self._vector(vector)
        if self.task == "classify":
            return np.array(number, np.int16)
        if window.size != (1, 1):
            raise BadInput("task segment needs label rasters for windows of several pixels", where=vector)
        return np.full(window.size, number, np.int16)

    def _raster(self, window: Window, path: Any) -> np.ndarray:
        import rasterio

        try:
            with rasterio.open(path) as image:
                values, known = image.read(1), image.read_masks(1) > 0
        except rasterio.errors.RasterioError as error:
            raise BadInput(f"cannot be read ({error})", where=path) from None
        if values.shape != window.size:
            raise BadInput(f"has {values.shape} pixels, its window {window.size}", where=path)
        return class_maps.numbers(values, known, self.its)

    def _vector(self, path: Any) -> int:
        """The class of the first feature that has one."""
        data = read_json(path)
        listed = data.get("features") if isinstance(data, Mapping) else None
        for feature in listed or []:
            value = (feature.get("properties") or {}).get(self.property_name)
            if value is None:
                continue
            number = self.its.index(value)
            if number is None:
                raise BadInput(
                    f"{self.property_name}: {value!r} is none of {', '.join(self.its.labels)}", where=path
                )
            return number
        return UNKNOWN


def _example(dataset: Dataset, window: Window, places: Sequence[reading.Source], labels: _Labels) -> Example:
    pixels = reading.read(dataset, window, places)
    truth, seen = labels.numbers(window), reading.known(pixels)
    truth = np.where(seen if truth.ndim else seen.any(), truth, UNKNOWN).astype(np.int16)
    return Example(window.name, pixels, truth, window.bounds[:2])


def _commonest(numbers: np.ndarray) -> np.ndarray:
    """The class of most labelled pixels, the first of equals."""
    counts = np.bincount(numbers[numbers != UNKNOWN].ravel())
    return np.array(counts.argmax() if counts.size else UNKNOWN, np.int16)
