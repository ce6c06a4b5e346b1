"""The ground between the objects: fields, woods and grass, their spectra over the year, their texture.

Everything is a function of the place in metres, so that sensors of any resolution see the same land.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

BANDS = ("blue", "green", "red", "nir")
_PARCEL = 110.0  # metres, the usual width of a field
_WOOD, _GRASS, _CROP = range(3)

# Surface reflectance times 10,000 in BANDS, after typical Sentinel-2 level 2A values of each cover.
SPECTRA = {
    "wood green": (280, 480, 330, 3100),
    "wood bare": (420, 580, 620, 1750),
    "grass green": (420, 760, 560, 3500),
    "grass dry": (620, 900, 1080, 2150),
    "crop green": (350, 700, 420, 4400),
    "crop bare": (620, 830, 1080, 1700),
    "soil": (1250, 1680, 2250, 3000),
    "slab": (2100, 2300, 2450, 2700),
    "roof": (3300, 3500, 3650, 3800),
    "asphalt": (980, 1050, 1120, 1250),
    "yard": (2350, 2650, 2950, 3350),
    "water": (680, 640, 420, 160),
}


def spectrum(name: str) -> np.ndarray:
    """A row of SPECTRA as float (4,)."""
    return np.array(SPECTRA[name], dtype=np.float64)


def mixed(first: str, second: str, share: float | np.ndarray) -> np.ndarray:
    """Spectra between two covers, ``share`` (any shape) of the first; bands come last."""
    part = np.asarray(share, dtype=np.float64)[..., None]
    return part * spectrum(first) + (1 - part) * spectrum(second)


def greenness(day: date, peak: float | np.ndarray, southern: bool, sharpness: float = 1.0) -> np.ndarray:
    """How green a cover is, 0 to 1, highest on the day of the year ``peak`` (half a year later in the south).

    A raised cosine; ``sharpness`` above 1 shortens the green season, as that of a crop.
    """
    phase = 2 * np.pi * (day.timetuple().tm_yday - np.asarray(peak) - 182.5 * southern) / 365.25
    return (0.5 + 0.5 * np.cos(phase)) ** sharpness


class Noise:
    """Smooth noise of mean 0 and deviation about 1 over a region, with features of ``spacing`` metres.

    Value noise: normal numbers on a lattice, cubic splines between them. Beyond ``bounds`` (west, south,
    east, north in metres) it goes on for ten lattice steps.
    """

    def __init__(self, bounds: tuple[float, float, float, float], spacing: float, rng: np.random.Generator):
        west, south, east, north = bounds
        self.origin = (west - 10 * spacing, south - 10 * spacing)
        self.spacing = spacing
        shape = (int((north - south) / spacing) + 22, int((east - west) / spacing) + 22)
        self.lattice = rng.standard_normal(shape)

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The noise at points in metres, in the shape of ``x``."""
        from scipy.ndimage import map_coordinates

        place = [(y - self.origin[1]) / self.spacing, (x - self.origin[0]) / self.spacing]
        return map_coordinates(self.lattice, place, order=3, mode="nearest") / 0.7


@dataclass(frozen=True)
class Parcels:
    """Fields of one cover each: nearest of jittered lattice points (a Voronoi mosaic)."""

    points: np.ndarray  # (n, 2) metres
    cover: np.ndarray  # (n,) one of _WOOD, _GRASS, _CROP
    peak: np.ndarray  # (n,) day of the year when greenest, in the north
    tint: np.ndarray  # (n,) brightness, about 1

    @classmethod
    def of(cls, bounds: tuple[float, float, float, float], rng: np.random.Generator) -> Parcels:
        """The parcels of a region of ``bounds`` (west, south, east, north in metres)."""
        west, south, east, north = bounds
        xs, ys = np.meshgrid(
            np.arange(west - _PARCEL, east + 2 * _PARCEL, _PARCEL),
            np.arange(south - _PARCEL, north + 2 * _PARCEL, 1.6 * _PARCEL),
        )
        points = np.column_stack([xs.ravel(), ys.ravel()])
        woods = Noise(bounds, 400.0, rng).at(points[:, 0], points[:, 1])
        points = points + rng.uniform(-0.35, 0.35, points.shape) * _PARCEL
        cover = np.where(woods > 0.55, _WOOD, np.where(rng.random(len(points)) < 0.4, _GRASS, _CROP))
        crop_peaks = rng.choice([130.0, 200.0], len(points)) + rng.normal(0, 12, len(points))
        peak = np.where(cover == _CROP, crop_peaks, 190.0)
        return cls(points, cover, peak, rng.normal(1, 0.07, len(points)))

    def index(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The parcel of each point, in the shape of ``x``."""
        from scipy.spatial import cKDTree

        _, nearest = cKDTree(self.points).query(np.column_stack([x.ravel(), y.ravel()]))
        return nearest.reshape(x.shape)

    def spectra(self, day: date, southern: bool) -> np.ndarray:
        """(n, 4) reflectances times 10,000 on ``day``."""
        green = greenness(day, self.peak, southern)
        covers = np.stack(
            [
                mixed("wood green", "wood bare", green),
                mixed("grass green", "grass dry", green),
                mixed("crop green", "crop bare", green**2.5),
            ]
        )
        return covers[self.cover, np.arange(len(self.cover))] * self.tint[:, None]
