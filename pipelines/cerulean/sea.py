"""The sea as a radar sees it: wind, fading across the swath, speckle, and decibels as grey values.

What floats on it does not belong here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LOOKS = 12.0  # of 80 m pixels made of 10 m ones: less than 64, as neighbours are not independent
_NEAR, _FAR = -14.0, -18.0  # decibels of a moderate wind at the near and the far edge of the swath
_DARKEST, _SPAN = -36.0, 36.0  # decibels of grey value 0, and how many more are 255


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], spacing: float) -> Array:
    """Noise (height, width) of mean about 0 and deviation about 1 with features of ``spacing`` pixels.

    Value noise: normal numbers on a lattice, cubic splines between them, along one axis after the other.
    """
    from scipy.interpolate import CubicSpline

    values = rng.standard_normal([int(side / spacing) + 6 for side in shape])
    for axis, side in enumerate(shape):
        values = CubicSpline(np.arange(values.shape[axis]), values, axis)(np.arange(side) / spacing + 2)
    return values / 0.7


def wind_texture(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Backscatter of open sea in decibels (height, width): brighter near the satellite, and under gusts."""
    across = np.linspace(_NEAR, _FAR, shape[1])[None, :]
    if rng.random() < 0.5:
        across = across[:, ::-1]
    gusts = sum(
        weight * smooth_noise(rng, shape, spacing)
        for weight, spacing in ((0.9, 190.0), (0.5, 60.0), (0.25, 18.0))
    )
    return across + rng.normal(0, 0.8) + gusts


def speckle(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Decibels to add: intensities of `LOOKS` looks are gamma distributed about 1 (Goodman 1976)."""
    return 10 * np.log10(np.maximum(rng.gamma(LOOKS, 1 / LOOKS, shape), 1e-3))


def grey(decibels: Array) -> Array:
    """Decibels as uint8, never 0, which means nodata."""
    return np.clip(np.rint((decibels - _DARKEST) / _SPAN * 255), 1, 255).astype(np.uint8)
