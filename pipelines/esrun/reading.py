"""The pixels of a window as a network reads them: bands of layers, stacked, missing ones NaN.

Building datasets, and what a network makes of the pixels, does not belong here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import BadInput
from pipelines.esrun.dataset import Dataset, Window
from pipelines.esrun.model_config import Input, Normalisation

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Source:
    """Where one input of a network lies in any window.

    Attributes:
        places: for each band its band set (the folder's bands) and its number there, from 1.
    """

    input: Input
    places: tuple[tuple[tuple[str, ...], int], ...]

    @property
    def band_sets(self) -> list[tuple[str, ...]]:
        return list(dict.fromkeys(bands for bands, _ in self.places))


def sources(dataset: Dataset, inputs: Sequence[Input], model_fpath: Path) -> tuple[Source, ...]:
    """Find the bands of the inputs in the dataset's config.

    Raises:
        BadInput: a layer or a band that the dataset does not have.
    """
    layers = band_sets(dataset)
    return tuple(_source(one, layers, dataset, model_fpath) for one in inputs)


def band_sets(dataset: Dataset) -> dict[str, list[tuple[str, ...]]]:
    """The bands of each file of a layer, by the layer's name, as the dataset's config has them.

    Raises:
        BadInput: there is no config, or it is none.
    """
    config = dataset.config()
    try:
        return {
            name: [tuple(map(str, one["bands"])) for one in layer.get("band_sets") or []]
            for name, layer in (config.get("layers") or {}).items()
        }
    except (AttributeError, KeyError, TypeError):
        path = dataset.path / "config.json"
        raise BadInput("needs layers, each a mapping, with the bands of its band_sets", where=path) from None


def _source(
    one: Input, layers: Mapping[str, Sequence[tuple[str, ...]]], dataset: Dataset, model_fpath: Path
) -> Source:
    config = dataset.path / "config.json"
    if one.layer not in layers:
        hint = f"it has {', '.join(sorted(layers)) or 'none'}"
        raise BadInput(f"inputs: no layer {one.layer!r} in {config}", where=model_fpath, hint=hint)
    where = {band: (bands, number) for bands in layers[one.layer] for number, band in enumerate(bands, 1)}
    for band in one.bands:
        if band not in where:
            hint = f"it has {', '.join(where) or 'none'}"
            raise BadInput(
                f"inputs: layer {one.layer!r} of {config} has no band {band!r}", where=model_fpath, hint=hint
            )
    return Source(one, tuple(where[band] for band in one.bands))


def files(dataset: Dataset, window: Window, found: Sequence[Source]) -> list[Path]:
    """The rasters of a window that `read` reads and that are there, in the order of the channels."""
    return [path for source in found for _, _, path in _steps(dataset, window, source)]


def read(dataset: Dataset, window: Window, found: Sequence[Source]) -> np.ndarray:
    """The window's pixels.

    A pixel is missing where its file says nodata or is not finite, where all bands of an input are the
    input's own nodata value, and in steps that have no image.

    Returns:
        (channels, height, width) float32, NaN where missing; channels are inputs, their steps, their bands.

    Raises:
        BadInput: a file that cannot be read.
    """
    import numpy as np

    height, width = window.size
    pixels = np.full((sum(one.input.channels for one in found), height, width), np.nan, np.float32)
    start = 0
    for source in found:
        for step, bands, path in _steps(dataset, window, source):
            for place, values in _bands(source, bands, path, (height, width)).items():
                pixels[start + step * len(source.places) + place] = values
        if source.input.nodata is not None:
            _clear(pixels[start : start + source.input.channels], source.input)
        start += source.input.channels
    return pixels


def normalised(pixels: np.ndarray, how: Normalisation) -> np.ndarray:
    """(channels, height, width) in standard deviations from the mean; missing ones are the mean, 0."""
    import numpy as np

    mean, std = (np.asarray(one, np.float32)[:, None, None] for one in (how.mean, how.std))
    return np.nan_to_num((pixels - mean) / std, nan=0.0, posinf=0.0, neginf=0.0)


def known(pixels: np.ndarray) -> np.ndarray:
    """(height, width) truth values: where a window has data in any channel."""
    import numpy as np

    return np.asarray(np.isfinite(pixels).any(0))


def _steps(dataset: Dataset, window: Window, source: Source) -> Iterator[tuple[int, tuple[str, ...], Path]]:
    """Step, band set and file of each raster that is there."""
    layer = source.input.layer
    for step in range(source.input.steps):
        if dataset.is_completed(window, layer, step):
            for bands in source.band_sets:
                yield step, bands, dataset.raster_fpath(window, layer, bands, step)


def _bands(
    source: Source, bands: tuple[str, ...], path: Path, size: tuple[int, int]
) -> dict[int, np.ndarray]:
    """The bands of a raster that the input has, by their place among the input's bands."""
    import numpy as np
    import rasterio
    from rasterio.enums import Resampling

    wanted = {place: number for place, (its, number) in enumerate(source.places) if its == bands}
    shape = (len(wanted), *size)  # a band set of another zoom has more or fewer pixels for the same window
    try:
        with rasterio.open(path) as image:
            read = image.read(
                list(wanted.values()), out_shape=shape, resampling=Resampling.nearest, masked=True
            )
    except (rasterio.errors.RasterioError, IndexError) as error:
        raise BadInput(f"cannot be read ({error})", where=path) from None
    values = read.astype(np.float32).filled(np.nan)
    values[~np.isfinite(values)] = np.nan
    return dict(zip(wanted, values, strict=True))


def _clear(pixels: np.ndarray, one: Input) -> None:
    """NaN, in place, where all bands of a step are the input's nodata value."""
    import numpy as np

    steps = pixels.reshape(one.steps, len(one.bands), *pixels.shape[1:])
    missing = (steps == one.nodata).all(1, keepdims=True)
    steps[np.broadcast_to(missing, steps.shape)] = np.nan
