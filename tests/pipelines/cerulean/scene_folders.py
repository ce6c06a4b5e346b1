"""Scenes made by hand: folders as in the user's data, for several test modules."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.errors import NotGeoreferencedWarning

from pipelines.cerulean.classes import BY_COLOUR, IDS

ID = "S1A_IW_GRDH_1SDV_20200802T141646_20200802T141711_033729_03E8C7_E4F5"
OTHER = "S1B_IW_GRDH_1SDV_20201214T055304_20201214T055329_024692_02EF70_75F2"
COLOURS = {IDS[name]: colour for colour, name in BY_COLOUR.items()}

Place = Callable[[float, float], tuple[float, float]]


def straight(row: float, col: float) -> tuple[float, float]:
    """Longitude and latitude: about 40 m a pixel in the North Sea."""
    return 4.0 + 0.0006 * col - 0.0001 * row, 53.0 - 0.0001 * col - 0.00036 * row


def points(height: int, width: int, place: Place = straight) -> list[GroundControlPoint]:
    """210 of them, as a Sentinel-1 product has."""
    grid = [(row, col) for row in np.linspace(0, height, 10) for col in np.linspace(0, width, 21)]
    return [GroundControlPoint(row=r, col=c, x=place(r, c)[0], y=place(r, c)[1]) for r, c in grid]


def write_background(folder: Path, pixels: np.ndarray, place: Place | None = straight) -> None:
    """The VV picture (h, w) of a scene, with ground control points unless there is no place."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = pixels.shape
    shape = {"height": height, "width": width, "count": 1, "dtype": pixels.dtype}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(folder / "Background.png", "w", driver="PNG", **shape) as file:
            if place is not None:
                file.gcps = (points(height, width, place), "EPSG:4326")
            file.write(pixels, 1)


def write_layer(path: Path, mask: np.ndarray, colour: tuple[int, int, int]) -> Path:
    """A layer as the annotators save it: RGBA, transparent (and of any colour) elsewhere."""
    pixels = np.zeros((*mask.shape, 4), np.uint8)
    pixels[..., :3] = np.arange(mask.size).reshape(mask.shape)[..., None] % 251
    pixels[mask] = (*colour, 255)
    Image.fromarray(pixels).save(path)
    return path


def write_scene(
    parent: Path,
    pixels: np.ndarray,
    layers: Mapping[str, tuple[int, np.ndarray]] | None = None,
    name: str = ID,
    place: Place | None = straight,
) -> Path:
    """A scene's folder.

    Args:
        layers: of each file's name, the id of its class and its mask (h, w).
    """
    folder = parent / name
    write_background(folder, pixels, place)
    for file, (number, mask) in (layers or {}).items():
        write_layer(folder / file, mask, COLOURS[number])
    return folder
