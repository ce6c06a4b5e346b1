"""A scene as a sensor sees it on a day: reflectances on the sensor's pixels, with nodata and clouds.

Where things stand is scenes.py's, how ground and sky look landscape.py's and sky.py's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
from shapely import affinity
from shapely.geometry.base import BaseGeometry

from pipelines.geowatch import sky
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.landscape import Noise, Parcels, greenness, mixed, spectrum
from pipelines.geowatch.places import sensor_grid
from pipelines.geowatch.scenes import (
    ACTIVE_CONSTRUCTION,
    GSDS,
    NO_ACTIVITY,
    POST_CONSTRUCTION,
    Acquisition,
    Building,
    Distractor,
    Scene,
    Site,
)

NODATA = -9999
_OVERSAMPLING = {"S2": 2, "PD": 1}  # a 10 m pixel mixes what it covers
_GRAIN = {"S2": 25.0, "PD": 45.0}  # sensor noise, reflectance times 10,000
_SLAB = 0.12  # share of active construction until a building has walls and a roof
_CALIBRATION = {"S2": (1.0, 1.0, 1.0, 1.0), "PD": (1.06, 1.03, 0.98, 0.95)}

# What a patch looks like on a day: (4,) reflectances times 10,000, or None where the land shows.
Look = Callable[[date], "np.ndarray | None"]


@dataclass(frozen=True)
class Image:
    """One acquisition: `pixels` int16 (4, h, w) with NODATA, `hidden` bool (h, w): cloud or no data."""

    pixels: np.ndarray
    hidden: np.ndarray
    grid: Grid


class View:
    """A scene on the pixels of one sensor; what does not change from day to day is computed once."""

    def __init__(self, scene: Scene, sensor: str):
        self.scene, self.sensor = scene, sensor
        self.grid = sensor_grid(scene.grid, GSDS[sensor])
        fine = self.grid.at_gsd(GSDS[sensor] / _OVERSAMPLING[sensor])
        self.x, self.y = _centres(fine)
        bounds = scene.grid.bounds
        self.parcels = Parcels.of(bounds, scene.random("parcels"))
        self.land = self.parcels.index(self.x, self.y)
        broad, close = (Noise(bounds, metres, scene.random("texture", int(metres))) for metres in (90, 12))
        self.texture = 1 + 0.035 * broad.at(self.x, self.y) + 0.03 * close.at(self.x, self.y)
        patches = _patches(scene)
        self.looks = [look for _, look in patches]
        self.patch = _burnt([outline for outline, _ in patches], fine)

    def image(self, shot: Acquisition) -> Image:
        """What the sensor delivers for ``shot``."""
        bounds, southern = self.scene.grid.bounds, self.scene.place.southern
        seen, cover = sky.over(self._ground(shot.day), shot, self.x, self.y, bounds, southern)
        seen, cover = self._coarse(seen), self._coarse(cover)
        x, y = _centres(self.grid)
        lost = sky.missing(shot, x, y, bounds)
        grain = np.random.default_rng([shot.seed, 0]).normal(0, _GRAIN[self.sensor], seen.shape)
        pixels = np.clip(np.rint(seen * _CALIBRATION[self.sensor] + grain), 1, 16000).astype(np.int16)
        pixels[lost] = NODATA
        return Image(np.moveaxis(pixels, -1, 0), lost | (cover >= sky.OPAQUE), self.grid)

    def _ground(self, day: date) -> np.ndarray:
        """Reflectances times 10,000 without a sky, (h, w, 4) on the fine grid."""
        table = np.zeros((len(self.looks) + 1, 4))
        shown = np.zeros(len(table), dtype=bool)
        for number, look in enumerate(self.looks, start=1):
            reflectance = look(day)
            if reflectance is not None:
                table[number], shown[number] = reflectance, True
        ground = self.parcels.spectra(day, self.scene.place.southern)[self.land]
        patched = shown[self.patch]
        ground[patched] = table[self.patch[patched]]
        return ground * self.texture[..., None]

    def _coarse(self, fine: np.ndarray) -> np.ndarray:
        """Means over the sensor's pixels."""
        step = _OVERSAMPLING[self.sensor]
        if step == 1:
            return fine
        rest = fine.shape[2:]
        return fine.reshape(self.grid.height, step, self.grid.width, step, *rest).mean(axis=(1, 3))


def _centres(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """x and y (h, w) of the pixels' centres."""
    a, _, c, _, e, f = grid.transform
    x, y = np.meshgrid(c + a * (np.arange(grid.width) + 0.5), f + e * (np.arange(grid.height) + 0.5))
    return x, y


def _burnt(outlines: list[BaseGeometry], grid: Grid) -> np.ndarray:
    """Number from 1 of the last outline that holds each pixel's centre, 0 where none does: int (h, w)."""
    from rasterio.features import rasterize

    shapes = [(outline, number) for number, outline in enumerate(outlines, start=1) if not outline.is_empty]
    return rasterize(shapes, (grid.height, grid.width), transform=grid.affine, dtype="int32")


def _patches(scene: Scene) -> list[tuple[BaseGeometry, Look]]:
    """Outline and look of everything that stands in the scene, what covers others last."""
    southern = scene.place.southern
    patches = [(item.outline, _distractor_look(item, southern)) for item in scene.distractors]
    for site in scene.sites:
        patches.append((site.outline, _site_look(site, southern)))
        for building in site.buildings:
            shadow = _shadow(building, southern).intersection(site.outline)
            patches.append((shadow, _shadow_look(site, building, southern)))
        for building in site.buildings:
            patches.append((building.outline, _building_look(site, building, southern)))
    return patches


def _distractor_look(item: Distractor, southern: bool) -> Look:
    if item.kind == "seasonal":
        return lambda day: _field(day, item.level, southern)
    if item.kind == "lake":
        water = spectrum("water")
        # Silt in the wet season: a lake is not the same all year round either.
        return lambda day: water * item.level * (1 + 0.3 * float(greenness(day, 60.0, southern)))
    fixed = spectrum({"bright": "yard", "house": "roof", "road": "asphalt"}[item.kind]) * item.level
    return lambda day: fixed


def _field(day: date, harvest: float, southern: bool) -> np.ndarray:
    """A field that lies bare for some three months after its harvest, dull as moist soil is, then greens."""
    since = (day.timetuple().tm_yday - 182.5 * southern - harvest) % 365.25
    if since < 95:
        return spectrum("soil") * 0.72
    growth = np.sin(np.pi * (since - 95) / (365.25 - 95)) ** 0.7
    return mixed("crop green", "crop bare", float(growth))


def _site_look(site: Site, southern: bool) -> Look:
    """Nothing of its own, then bare soil, then lawn between the buildings."""

    def look(day: date) -> np.ndarray | None:
        phase = site.phase(day)
        if phase == NO_ACTIVITY:
            return None
        if phase == POST_CONSTRUCTION:
            lawn = mixed("grass green", "grass dry", float(greenness(day, 190.0, southern)))
            return 0.55 * spectrum("asphalt") + 0.45 * lawn
        worn = 0.93 if phase == ACTIVE_CONSTRUCTION else 1.0
        return spectrum("soil") * site.soil * worn

    return look


def _building_look(site: Site, building: Building, southern: bool) -> Look:
    """The site's ground, then a slab, then a roof."""
    ground = _site_look(site, southern)

    def look(day: date) -> np.ndarray | None:
        age = site.progress(day) - building.since
        if age < 0:
            return ground(day)
        return spectrum("slab" if age < _SLAB else "roof") * building.brightness

    return look


def _shadow(building: Building, southern: bool) -> BaseGeometry:
    """On the side away from the sun, for a height of about 8 m."""
    return affinity.translate(building.outline, -3.0, -6.0 if southern else 6.0)


def _shadow_look(site: Site, building: Building, southern: bool) -> Look:
    """The site's ground, darker once the building has walls."""
    ground = _site_look(site, southern)

    def look(day: date) -> np.ndarray | None:
        reflectance = ground(day)
        if reflectance is None or site.progress(day) < building.since + _SLAB:
            return reflectance
        return reflectance * 0.5

    return look
