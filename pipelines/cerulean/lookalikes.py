"""What a scene holds beside slicks: calm water as dark as oil, land, and bright ships and platforms.

None of it is annotated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.cerulean.sea import smooth_noise

Array = np.ndarray[Any, Any]

CALM = 6.0  # decibels by which sea without wind is darker
_GLOW = 0.9  # pixels: how far a bright target spreads


def calm_water(rng: np.random.Generator, shape: tuple[int, int], patches: int) -> Array:
    """Decibels to take off (height, width): large dark patches whose edges fade slowly."""
    rows, cols = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    calm, frayed = np.zeros(shape), 0.18 * smooth_noise(rng, shape, 30.0)
    for _ in range(patches):
        row, col = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        radius, longer, turn = rng.uniform(24, 60), rng.uniform(1, 1.8), rng.uniform(0, np.pi)
        along = (rows - row) * np.sin(turn) + (cols - col) * np.cos(turn)
        across = (rows - row) * np.cos(turn) - (cols - col) * np.sin(turn)
        away = np.hypot(along / longer, across) / radius + frayed
        calm = np.maximum(calm, CALM * rng.uniform(0.6, 1.0) / (1 + np.exp((away - 1) * 9)))
    return calm


def coast(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Vertices (n, 2), rows and columns, of land along one side; its outer corners lie beyond the scene.

    Its coast keeps within a quarter of the scene from that side.
    """
    side = int(rng.integers(4))
    length, depth = (shape[1], shape[0]) if side < 2 else (shape[0], shape[1])
    along = np.linspace(-0.1, 1.1, 41) * length
    inland = depth * (0.13 + 0.035 * np.clip(smooth_noise(rng, (1, 41), 7.0)[0], -2.5, 2.5))
    ring = np.vstack(
        [np.column_stack([inland, along]), [[-0.1 * depth, along[-1]], [-0.1 * depth, along[0]]]]
    )
    if side % 2:
        ring[:, 0] = depth - ring[:, 0]
    return ring if side < 2 else ring[:, ::-1]


def filled(ring: Array, shape: tuple[int, int]) -> Array:
    """Pixels (height, width), bool, whose middle lies within a polygon of rows and columns."""
    from affine import Affine
    from rasterio.features import rasterize
    from shapely.geometry import Polygon

    drawn = rasterize([Polygon(ring[:, ::-1])], shape, transform=Affine.identity(), dtype="uint8")
    return drawn.astype(bool)


def land_texture(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Backscatter of land in decibels (height, width): bright and rough."""
    return -8.5 + 1.6 * smooth_noise(rng, shape, 7.0) + 1.6 * smooth_noise(rng, shape, 2.5)


def glow(decibels: Array, targets: list[tuple[float, float, float]]) -> None:
    """Add bright targets (row, column, decibels of the peak) to a picture in decibels, in place."""
    for row, col, peak in targets:
        top, left = max(int(row) - 4, 0), max(int(col) - 4, 0)
        part = decibels[top : int(row) + 6, left : int(col) + 6]
        rows, cols = np.mgrid[top : top + part.shape[0], left : left + part.shape[1]]
        away = np.hypot(rows + 0.5 - row, cols + 0.5 - col)
        power = 10 ** (part / 10) + 10 ** (peak / 10) * np.exp(-0.5 * (away / _GLOW) ** 2)
        part[...] = 10 * np.log10(power)
