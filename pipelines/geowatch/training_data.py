"""Windows of a kwcoco dataset with their truth, as arrays to train on.

The loop that trains and the network do not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.errors import BadInput
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.package import ANY_SENSOR, PHASES, Recipe
from pipelines.geowatch.predictor import read_window
from pipelines.geowatch.series import Frame, Series
from pipelines.geowatch.windows import samples, starts

IGNORE = -1
ACTIVE = ("Site Preparation", "Active Construction")  # salient, as BAS has it


@dataclass(frozen=True)
class Examples:
    """``pixels`` (n, time, bands, h, w) float32 normalised, NaN where nodata; ``truth`` (n, time, h, w) int8,
    `IGNORE` where nothing is known; ``held_out`` (n,) bool, for validation."""

    pixels: np.ndarray
    truth: np.ndarray
    held_out: np.ndarray


def normalisation(
    every: Sequence[Series], channels: Sequence[str], gsd: float
) -> dict[str, dict[str, tuple[float, float]]]:
    """Mean and standard deviation of each band per sensor, and over all of them (`*`).

    From at most 8 frames per video and sensor on a grid 4 times coarser; values above the 98th percentile
    (clouds) are left out.
    """
    values: dict[str, list[np.ndarray]] = {}
    for series in every:
        grid = series.grid.at_gsd(4 * gsd)
        for sensor in sorted({frame.sensor for frame in series.frames}):
            frames = [frame for frame in series.frames if frame.sensor == sensor]
            for frame in frames[:: -(-len(frames) // 8)]:
                pixels = frame.read(channels, grid).reshape(len(channels), -1)
                values.setdefault(sensor, []).append(pixels[:, np.isfinite(pixels).all(0)])
    pooled = {sensor: np.concatenate(parts, 1) for sensor, parts in values.items()}
    pooled[ANY_SENSOR] = np.concatenate(list(pooled.values()), 1)
    if pooled[ANY_SENSOR].shape[1] == 0:
        raise BadInput("the images hold nothing but nodata")
    return {
        sensor: {name: _moments(band) for name, band in zip(channels, pixels, strict=True)}
        for sensor, pixels in sorted(pooled.items())
        if pixels.shape[1]
    }


def _moments(values: np.ndarray) -> tuple[float, float]:
    kept = values[values <= np.percentile(values, 98)].astype(np.float64)
    return round(float(kept.mean()), 3), round(max(float(kept.std()), 1e-3), 3)


def phase_map(dataset: Any, frame: Frame, series: Series, place: Grid) -> np.ndarray:
    """(height, width) int8 phase of each pixel of ``place``: an index into PHASES, `IGNORE`, or 0 outside.

    A pixel is inside a polygon when its centre is; where sites overlap, the later phase wins.
    """
    from rasterio.features import rasterize
    from shapely.affinity import affine_transform

    a, b, c, d, e, f = (~place.affine @ series.grid.affine)[:6]
    shapes = [
        (affine_transform(polygon, [a, b, d, e, c, f]), value) for polygon, value in _polygons(dataset, frame)
    ]
    found = np.zeros((place.height, place.width), np.int8)
    for value in (0, 1, 2, 3, IGNORE):
        chosen = [polygon for polygon, its in shapes if its == value and not polygon.is_empty]
        if chosen:
            found[rasterize(chosen, found.shape, dtype="uint8") > 0] = value
    return found


def _polygons(dataset: Any, frame: Frame) -> list[tuple[Any, int]]:
    """Polygons of an image in pixels of video space, with their value in a phase map."""
    import kwimage

    warp = kwimage.Affine.coerce(dataset.imgs[frame.image_id].get("warp_img_to_vid"))
    values: Mapping[str, int] = {name: number for number, name in enumerate(PHASES)} | {"ignore": IGNORE}
    found = []
    for annotation in sorted(dataset.index.gid_to_aids[frame.image_id]):
        one = dataset.anns[annotation]
        value = values.get(dataset.cats[one["category_id"]]["name"])
        if value is not None and one.get("segmentation"):
            shape = kwimage.MultiPolygon.coerce(one["segmentation"]).warp(warp).to_shapely()
            found.append((shape, value))
    return found


def examples(
    dataset: Any, every: Sequence[Series], recipe: Recipe, limit: int, rng: np.random.Generator
) -> Examples:
    """At most ``limit`` windows that do not overlap in space, two thirds of them with sites if there are any.

    Every fifth place with sites, and every fifth without, is held out with all its samples in time, so
    that nothing held out was seen in training.
    """
    places = [_Place(series, place) for series in every for place in _places(series, recipe)]
    busy = [one.truth(dataset) for one in places]
    held_out = _every_fifth([bool((truth > 0).any()) for truth in busy], rng)
    windows = [
        (number, frames)
        for number, one in enumerate(places)
        for frames in _equal_samples(len(one.series.frames), recipe)
    ]
    active = [bool((busy[number][list(frames)] > 0).any()) for number, frames in windows]
    chosen = [windows[index] for index in _balanced(active, limit, rng)]
    pixels = [
        read_window(recipe, [places[number].series.frames[index] for index in frames], places[number].grid)
        for number, frames in chosen
    ]
    targets = [_target(busy[number][list(frames)], recipe) for number, frames in chosen]
    steps = max(len(one) for one in pixels)
    return Examples(
        np.stack([_lengthened(one, steps, np.nan) for one in pixels]),
        np.stack([_lengthened(one, steps, IGNORE) for one in targets]),
        np.array([held_out[number] for number, _ in chosen]),
    )


@dataclass(frozen=True)
class _Place:
    """A window on the ground of a video."""

    series: Series
    grid: Grid

    def truth(self, dataset: Any) -> np.ndarray:
        """(time, height, width) phases of all frames."""
        return np.stack([phase_map(dataset, frame, self.series, self.grid) for frame in self.series.frames])


def _places(series: Series, recipe: Recipe) -> list[Grid]:
    whole = series.grid.at_gsd(recipe.gsd)
    return [
        whole.crop(col, row, recipe.window, recipe.window)
        for row in starts(whole.height, recipe.window, 0.0)
        for col in starts(whole.width, recipe.window, 0.0)
    ]


def _equal_samples(frames: int, recipe: Recipe) -> list[tuple[int, ...]]:
    return [sample.frames for sample in samples(frames, recipe.time_steps, recipe.time_sampling)]


def _every_fifth(active: Sequence[bool], rng: np.random.Generator) -> np.ndarray:
    """Which places are held out; of one lone place nothing is."""
    held_out = np.zeros(len(active), bool)
    for kind in (True, False):
        places = rng.permutation(np.flatnonzero(np.array(active) == kind))
        if len(places) > 1:
            held_out[places[: -(-len(places) // 5)]] = True
    return held_out


def _balanced(active: Sequence[bool], limit: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of at most ``limit`` windows, in random order."""
    order = rng.permutation(len(active))
    with_sites = [index for index in order if active[index]]
    without = [index for index in order if not active[index]]
    first = with_sites[: max(limit - len(without), limit * 2 // 3)]
    return rng.permutation(np.array(first + without[: limit - len(first)], dtype=int))


def _target(phases: np.ndarray, recipe: Recipe) -> np.ndarray:
    """What the network is to say of each phase: its number, or whether it is salient."""
    if recipe.task == "classes":
        return phases
    salient = np.isin(phases, [PHASES.index(name) for name in ACTIVE]).astype(np.int8)
    salient[phases == IGNORE] = IGNORE
    return salient


def _lengthened(values: np.ndarray, steps: int, fill: float) -> np.ndarray:
    """``values`` with frames of ``fill`` after the last, as a shorter video has too few."""
    missing = np.full((steps - len(values), *values.shape[1:]), fill, values.dtype)
    return np.concatenate([values, missing])
