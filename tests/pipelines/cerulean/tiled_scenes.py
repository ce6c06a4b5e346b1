"""Scenes made by hand for the tests of tiles: random VV, layers of any shape, a bent georeference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from rasterio.control import GroundControlPoint

from pipelines.cerulean.classes import CLASSES

Marks = Mapping[str, tuple[str, np.ndarray]]  # file name: class, mask


def scene_id(number: int, month: int = 8) -> str:
    day = f"2020{month:02}{number % 28 + 1:02}"
    return f"S1A_IW_GRDH_1SDV_{day}T141646_{day}T141711_033729_03E8C7_{number:04X}"


def lonlat(row: float, col: float) -> tuple[float, float]:
    """A rotated, slightly bent grid of some 80 m a pixel."""
    return 5 + 8e-4 * col + 1e-4 * row + 2e-8 * row * col, 40 - 7e-4 * row + 1e-4 * col + 1e-8 * col * col


def write_scene(root: Path, number: int, vv: np.ndarray, marks: Marks, month: int = 8) -> Path:
    """A scene's folder; ``vv`` is uint8 (h, w), and masks are bool of any shape."""
    folder = root / scene_id(number, month)
    folder.mkdir(parents=True)
    height, width = vv.shape
    points = [
        GroundControlPoint(row=row, col=col, x=lonlat(row, col)[0], y=lonlat(row, col)[1])
        for row in np.linspace(0, height, 5)
        for col in np.linspace(0, width, 5)
    ]
    profile = {"driver": "PNG", "dtype": "uint8", "height": height, "width": width}
    with rasterio.open(
        folder / "Background.png", "w", count=1, gcps=points, crs="EPSG:4326", **profile
    ) as target:
        target.write(vv, 1)
    colours = {one.name: one.colour for one in CLASSES}
    for name, (of, mask) in marks.items():
        profile |= {"height": mask.shape[0], "width": mask.shape[1]}
        with rasterio.open(folder / name, "w", count=4, **profile) as target:
            target.write(np.array([mask * part for part in (*colours[of], 255)], np.uint8))
    for leftover in folder.glob("*.png.aux.xml"):
        if not leftover.name.startswith("Background"):
            leftover.unlink()
    return folder


def write_list(path: Path, folders: list[Path]) -> Path:
    path.write_text("".join(f"{folder}\n" for folder in folders))
    return path


def blob(shape: tuple[int, int], row: int, col: int, radius: int) -> np.ndarray:
    down, right = np.ogrid[: shape[0], : shape[1]]
    return (down - row) ** 2 + (right - col) ** 2 <= radius**2


def sea(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """VV without nodata."""
    return np.random.default_rng(seed).integers(1, 256, shape, np.uint8)
