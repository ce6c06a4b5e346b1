"""Made-up slicks: a shape for each class, and how much darker the sea is under it.

Where in a scene they lie is made_scenes.py's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.cerulean.sea import smooth_noise

Array = np.ndarray[Any, Any]

_STEP = 0.5  # pixels between points of a centre line


@dataclass(frozen=True)
class Slick:
    """A slick about its head, which lies at (0, 0).

    Attributes:
        name: its class.
        path: (n, 2) rows and columns of its centre line, in pixels, from its head.
        half_width: (n,) pixels from the centre line to its edge.
        feather: pixels over which it fades at the edge.
        damping: decibels by which it is darker in the middle.
        ship: whether what it comes from is bright at its head.
    """

    name: str
    path: Array
    half_width: Array
    feather: float
    damping: float
    ship: bool = False

    def box(self) -> tuple[float, float, float, float]:
        """Top, left, bottom, right in pixels from the head, fading included."""
        reach = float(self.half_width.max()) + 2 * self.feather + 2
        (top, left), (bottom, right) = self.path.min(0) - reach, self.path.max(0) + reach
        return float(top), float(left), float(bottom), float(right)

    def cover(self, rows: Array, cols: Array, ragged: Array) -> Array:
        """How thick it is, 0 to 1, at places relative to its head; 0.5 and more is what an annotator draws.

        Args:
            ragged: noise of deviation 1 in the shape of ``rows``, which frays the edge.
        """
        from scipy.spatial import cKDTree

        away, nearest = cKDTree(self.path).query(np.column_stack([rows.ravel(), cols.ravel()]))
        inside = (self.half_width[nearest] - away).reshape(rows.shape) + 0.5 * self.feather * ragged
        return 1 / (1 + np.exp(np.clip(-4 * inside / self.feather, -60, 60)))


def made(name: str, rng: np.random.Generator) -> Slick:
    """A slick of class ``name`` with a shape that is usual for it.

    Infrastructure and vessels leave the same ribbons: what tells them apart is where they begin. The three
    classes of vessels overlap in age, so that no picture tells them apart for certain.
    """
    if name == "natural_seep":
        return _seep(rng)
    if name == "ambiguous":
        return _patch(rng)
    youngest, oldest = {"recent_vessel": (0.0, 0.65), "old_vessel": (0.35, 1.0)}.get(name, (0.0, 0.9))
    ship = name == "coincident_vessel" or (name == "recent_vessel" and rng.random() < 0.4)
    return _ribbon(name, rng, rng.uniform(youngest, oldest), ship)


def _ribbon(name: str, rng: np.random.Generator, age: float, ship: bool) -> Slick:
    """Long and narrow; with ``age`` (0 to 1) broader, fainter and more feathered. Narrowest at its head."""
    length = rng.uniform(32, 68)
    path = _line(rng, length, bend=rng.normal(0, 0.35), wobble=0.5 + 2.5 * age)
    along = np.linspace(0, 1, len(path))
    broad = rng.uniform(2.2, 2.8) + 3.2 * age
    half_width = broad * (0.55 + 0.45 * np.minimum(along * 2.5, 1)) * np.minimum(1, (1 - along) * 12 + 0.4)
    return Slick(name, path, half_width, 0.8 + 1.8 * age, rng.uniform(7.5, 9.0) - 2.0 * age, ship)


def _seep(rng: np.random.Generator) -> Slick:
    """Short and hooked: oil that surfaces drop by drop while the current turns."""
    length = rng.uniform(26, 42)
    path = _line(rng, length, bend=rng.choice([-1, 1]) * rng.uniform(1.8, 2.8), wobble=0.4)
    half_width = rng.uniform(2.4, 3.2) * (1 - 0.35 * np.linspace(0, 1, len(path)))
    return Slick("natural_seep", path, half_width, 0.9, rng.uniform(7.0, 8.5))


def _patch(rng: np.random.Generator) -> Slick:
    """Broad and faint, of no source that one could name."""
    path = _line(rng, rng.uniform(6, 18), bend=rng.normal(0, 1), wobble=1.0)
    half_width = np.full(len(path), rng.uniform(5, 8))
    return Slick("ambiguous", path, half_width, 2.5, rng.uniform(5.5, 6.5))


def _line(rng: np.random.Generator, length: float, bend: float, wobble: float) -> Array:
    """A line from (0, 0) in any direction, ``length`` pixels long, that turns by ``bend`` radians in all.

    Args:
        wobble: pixels by which it strays to the sides.
    """
    count = max(int(length / _STEP), 4)
    along = np.linspace(0, 1, count)
    angle = rng.uniform(0, 2 * np.pi) + bend * along
    steps = np.column_stack([np.sin(angle), np.cos(angle)]) * (length / count)
    line = np.cumsum(steps, axis=0)
    stray = smooth_noise(rng, (1, count), 12 / _STEP)[0] * np.minimum(along * 4, 1) * wobble * 0.6
    normal = np.column_stack([np.cos(angle), -np.sin(angle)])
    return line + normal * stray[:, None]
