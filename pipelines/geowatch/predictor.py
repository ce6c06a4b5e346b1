"""A model package over the frames of a video: windows read and scored ahead, blended into heatmaps.

Options of the program and datasets do not belong here.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.geowatch.grids import Grid
from pipelines.geowatch.package import Recipe
from pipelines.geowatch.series import Frame, Series
from pipelines.geowatch.stitching import Mosaic, combine
from pipelines.geowatch.windows import Sample, samples, starts

if TYPE_CHECKING:
    from torch import Tensor

    from pipelines.geowatch.model import TemporalUNet

AHEAD = 1  # groups of windows per thread: more costs memory and wins nothing
TOGETHER = 4  # windows


@dataclass(frozen=True)
class Settings:
    """How a video is cut into windows and scored.

    Attributes:
        window: height and width in pixels of the input grid, multiples of `model.STRIDE`.
        overlap: share of a window.
        steps, sampling: as in `windows.samples`.
        fliprot: flips and rotations averaged beside the plain view, 0 to 7.
        shifts: further temporal samplings averaged beside the plain one.
        workers: threads that read and score ahead; 0 does it in turn. The result is the same.
        device: as torch names it.
        batch: windows scored at once on a GPU.
    """

    window: tuple[int, int]
    overlap: float
    steps: int
    sampling: str
    fliprot: int = 0
    shifts: int = 0
    workers: int = 2
    device: str = "cpu"
    batch: int = 1

    def passes(self, frames: int) -> list[list[Sample]]:
        """The samples of each temporal sampling; each pass keeps every frame once."""
        step = max(1, self.steps // (self.shifts + 1))
        return [samples(frames, self.steps, self.sampling, shift * step) for shift in range(self.shifts + 1)]

    def corners(self, grid: Grid) -> list[tuple[int, int]]:
        """(row, column) of every window on ``grid``, row by row."""
        rows = starts(grid.height, self.window[0], self.overlap)
        return list(itertools.product(rows, starts(grid.width, self.window[1], self.overlap)))


@dataclass(frozen=True)
class Predictor:
    """A network, its recipe and settings."""

    recipe: Recipe
    network: TemporalUNet
    settings: Settings

    def windows(self, series: Series, grid: Grid) -> int:
        """How many windows `heatmaps` will score."""
        passes = self.settings.passes(len(series.frames))
        return sum(map(len, passes)) * len(self.settings.corners(grid))

    def heatmaps(
        self,
        series: Series,
        grid: Grid,
        paths: dict[int, Path],
        output: Grid,
        tick: Callable[[int], object] = lambda count: None,
    ) -> set[int]:
        """Write the heatmap of every frame.

        Args:
            grid: that the network sees.
            paths: image id to the GeoTIFF to write.
            output: grid of those files.
            tick: called with the number of windows just scored.

        Returns:
            ids of the images with at least one pixel that is not nodata.
        """
        parts: dict[int, list[Path]] = {image: [] for image in paths}
        used: set[int] = set()
        passes = self.settings.passes(len(series.frames))
        whole = len(passes) == 1 and grid == output
        for number, sample in ((n, sample) for n, chosen in enumerate(passes) for sample in chosen):
            kept = [series.frames[index].image_id for index in sample.keep]
            files = [
                paths[image] if whole else paths[image].with_suffix(f".part{number}.tif") for image in kept
            ]
            valid = self._score(series, sample, grid, files, tick)
            used.update(image for image, count in zip(kept, valid, strict=True) if count)
            for image, file in zip(kept, files, strict=True):
                parts[image].append(file)
        if not whole:
            for image, files in parts.items():
                combine(files, paths[image], output, self.recipe.outputs)
                for file in files:
                    file.unlink()
        return used

    def _score(
        self, series: Series, sample: Sample, grid: Grid, files: list[Path], tick: Callable[[int], object]
    ) -> list[int]:
        """Score one sample of frames over the whole grid into ``files``; pixels predicted per file."""
        frames = [series.frames[index] for index in sample.frames]
        kept = [sample.frames.index(index) for index in sample.keep]
        settings = self.settings

        def maps(group: list[tuple[int, int]]) -> np.ndarray:
            return self.probabilities(self._windows(frames, grid, group))[:, kept]

        with Mosaic(files, grid, self.recipe.outputs, settings.window, settings.overlap) as mosaic:
            for group, scored in _ahead(maps, self._groups(grid), settings.workers):
                for (row, col), one in zip(group, scored, strict=True):
                    mosaic.add(row, col, one)
                tick(len(group))
            mosaic.finish()
        return mosaic.valid

    def _groups(self, grid: Grid) -> list[list[tuple[int, int]]]:
        """Corners of neighbours in a row, read at once so that each tile of a file is unpacked less often."""
        size = TOGETHER if self.settings.device == "cpu" else max(TOGETHER, self.settings.batch)
        rows = itertools.groupby(self.settings.corners(grid), key=lambda corner: corner[0])
        lists = [list(row) for _, row in rows]
        return [row[start : start + size] for row in lists for start in range(0, len(row), size)]

    def _windows(self, frames: Sequence[Frame], grid: Grid, group: list[tuple[int, int]]) -> np.ndarray:
        """(windows, time, bands, height, width) of corners in one row."""
        height, width = self.settings.window
        row, left = group[0]
        hull = grid.crop(left, row, group[-1][1] + width - left, height)
        pixels = read_window(self.recipe, frames, hull)
        return np.stack([pixels[..., col - left : col - left + width] for _, col in group])

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Maps of normalised windows.

        Args:
            pixels: (batch, time, bands, height, width) float32, NaN where nodata.

        Returns:
            (batch, time, outputs, height, width) float32 in 0 to 1, NaN where any band is nodata.
        """
        known = np.isfinite(pixels).all(2, keepdims=True)
        if not known.any():
            shape = (*pixels.shape[:2], len(self.recipe.outputs), *pixels.shape[3:])
            return np.full(shape, np.nan, np.float32)
        # On a CPU a batch gains nothing, and its sums round differently: one by one the result is the same.
        size = 1 if self.settings.device == "cpu" else self.settings.batch
        maps = np.concatenate([self._averaged(pixels[at : at + size]) for at in range(0, len(pixels), size)])
        return np.where(known, maps, np.float32(np.nan))

    def _averaged(self, pixels: np.ndarray) -> np.ndarray:
        """Probabilities, the mean over the flips and rotations asked for."""
        import torch

        with torch.inference_mode():
            images = torch.from_numpy(pixels).to(self.settings.device)
            total = self._activated(images)
            for view in range(1, self.settings.fliprot + 1):
                total = total + _turn_back(self._activated(_turn(images, view)), view)
            mean: np.ndarray = (total / (self.settings.fliprot + 1)).cpu().numpy()
        return mean

    def _activated(self, images: Tensor) -> Tensor:
        scores: Tensor = self.network(images)
        return scores.sigmoid() if self.recipe.task == "saliency" else scores.softmax(2)


def read_window(recipe: Recipe, frames: Sequence[Frame], place: Grid) -> np.ndarray:
    """(time, bands, height, width) float32, normalised, NaN where nodata."""
    return np.stack([recipe.normalise(frame.read(recipe.channels, place), frame.sensor) for frame in frames])


def _ahead(
    work: Callable[[Any], np.ndarray], items: Sequence[Any], threads: int
) -> Iterator[tuple[Any, np.ndarray]]:
    """Items and their results in order, worked ahead by threads (rasterio and torch leave the lock)."""
    if threads == 0:
        yield from ((item, work(item)) for item in items)
        return
    with ThreadPoolExecutor(threads, initializer=one_thread) as pool:
        waiting: deque[tuple[Any, Future[np.ndarray]]] = deque()
        try:
            for item in items:
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) > AHEAD * threads:
                    first, job = waiting.popleft()
                    yield first, job.result()
            while waiting:
                first, job = waiting.popleft()
                yield first, job.result()
        finally:
            for _, job in waiting:
                job.cancel()


def one_thread() -> None:
    """Keep torch from splitting sums over threads, which would round differently on another machine."""
    import torch

    torch.set_num_threads(1)


def _turn(images: Tensor, view: int) -> Tensor:
    """View 0 is plain, 1 to 3 quarter turns, 4 to 7 the same mirrored."""
    flipped = images.flip(-1) if view >= 4 else images
    return flipped.rot90(view % 4, (-2, -1))


def _turn_back(maps: Tensor, view: int) -> Tensor:
    plain = maps.rot90(-(view % 4), (-2, -1))
    return plain.flip(-1) if view >= 4 else plain
