"""What stands where and when in a generated region: sites with their phases, distractors, acquisitions.

All of it is vectors and dates in the region's CRS; how it looks from above is rendering.py's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from shapely import affinity
from shapely.geometry import LineString, Polygon, box
from shapely.geometry.base import BaseGeometry

from pipelines.geowatch.grids import Grid
from pipelines.geowatch.iarpa import PHASES
from pipelines.geowatch.places import Place, place, video_grid

NO_ACTIVITY, SITE_PREPARATION, ACTIVE_CONSTRUCTION, POST_CONSTRUCTION = PHASES
GSDS = {"S2": 10.0, "PD": 3.0}  # metres per pixel of the sensors
FIRST_DAY = date(2018, 1, 1)
DAYS = 730  # two years: two vegetation cycles, so that a season is told from a change
_SQUARE = 1280.0**2  # square metres that hold the objects counted below
_SITES, _BRIGHT, _LAKES, _SEASONAL, _HOUSES = 4, 2, 1, 3, 10
_GAP = 40.0  # metres between any two objects: four pixels of S2


@dataclass(frozen=True)
class Building:
    """A structure of a site, begun when the share ``since`` (0 to 1) of active construction is over."""

    outline: Polygon
    since: float
    brightness: float


@dataclass(frozen=True)
class Site:
    """A construction site, its outline in metres of the region's CRS.

    The first day of each phase: `prepared`, `built`, `finished`; before `prepared` there is no activity.
    `finished` may lie beyond the last image.
    """

    site_id: str
    outline: Polygon
    prepared: date
    built: date
    finished: date
    buildings: tuple[Building, ...]
    soil: float  # brightness of the bare ground, about 1

    def phase(self, day: date) -> str:
        """One of PHASES."""
        return PHASES[sum(day >= first for first in (self.prepared, self.built, self.finished))]

    def progress(self, day: date) -> float:
        """The share of active construction that is over: below 0 before it, above 1 after."""
        return (day - self.built) / (self.finished - self.built)


@dataclass(frozen=True)
class Distractor:
    """What is bright, bare or changing and yet no site.

    `kind`: `bright` (a yard or quarry, always), `lake`, `seasonal` (a field that is ploughed every year),
    `house`, `road`. `level` is a brightness, for a seasonal field the day of the year of its harvest.
    """

    kind: str
    outline: BaseGeometry
    level: float


@dataclass(frozen=True)
class Acquisition:
    """One image to be: a sensor on a day, and what the sky did."""

    sensor: str
    day: date
    clouds: float  # share of the region
    swath: float  # share of the region beyond the edge of the swath
    stripes: bool
    seed: int


@dataclass(frozen=True)
class Scene:
    """A region over the whole period; `acquisitions` in order of time."""

    place: Place
    grid: Grid
    seed: tuple[int, int]
    sites: tuple[Site, ...]
    distractors: tuple[Distractor, ...]
    acquisitions: tuple[Acquisition, ...]

    @property
    def region_id(self) -> str:
        """Such as `KR_R001`."""
        return self.place.region_id

    def random(self, purpose: str, number: int = 0) -> np.random.Generator:
        """A stream of its own for each purpose: more of one thing does not move another."""
        return _random(self.seed, purpose, number)


def _random(seed: tuple[int, int], purpose: str, number: int = 0) -> np.random.Generator:
    return np.random.default_rng([*seed, number, *purpose.encode()])


def plan(seed: int, index: int, frames: int, size: int, sensors: tuple[str, ...] = ("S2", "PD")) -> Scene:
    """The region ``index`` (from 0) of a data set.

    Args:
        frames: images of each sensor, spread over two years.
        size: of the region, in pixels of 10 m.
    """
    key = (seed, index)
    where = place(index)
    grid = video_grid(where, size, _random(key, "grid"))
    ground = _Ground(grid, _random(key, "ground"))
    sites = _sites(ground, where.region_id, _random(key, "sites"))
    distractors = _distractors(ground, _random(key, "distractors"))
    acquisitions = [
        shot
        for sensor in sensors
        for shot in _acquisitions(sensor, frames, _random(key, f"acquisitions {sensor}"))
    ]
    acquisitions.sort(key=lambda shot: (shot.day, shot.sensor))
    return Scene(where, grid, key, sites, distractors, tuple(acquisitions))


class _Ground:
    """Free ground: hands out outlines that keep clear of each other and of the region's edge."""

    def __init__(self, grid: Grid, rng: np.random.Generator):
        self.area = box(*grid.bounds)
        self.scale = self.area.area / _SQUARE
        self.rng = rng
        self.taken: list[BaseGeometry] = []
        self.roads = self._roads()

    def count(self, per_square: float) -> int:
        """How many of a kind of object this region holds."""
        return max(1, round(per_square * self.scale))

    def _roads(self) -> list[BaseGeometry]:
        west, south, east, north = self.area.bounds
        roads = []
        for _ in range(round(self.scale**0.5)):  # none in a small region, where a site needs the room
            left, right = self.rng.uniform(south, north, 2)
            bend = (self.rng.uniform(west, east), (left + right) / 2 + self.rng.normal(0, 60))
            road = LineString([(west, left), bend, (east, right)]).buffer(self.rng.uniform(5, 8))
            roads.append(road.intersection(self.area))
        self.taken += roads
        return roads

    def place(self, shape: Polygon) -> Polygon | None:
        """``shape`` (around 0, 0) turned and moved to free ground; None when there is none left."""
        for _ in range(200):
            turned = affinity.rotate(shape, self.rng.uniform(0, 90), origin=(0, 0))
            west, south, east, north = turned.bounds
            low = np.array(self.area.bounds[:2]) - (west, south) + _GAP
            high = np.array(self.area.bounds[2:]) - (east, north) - _GAP
            if (low >= high).any():
                continue
            moved = affinity.translate(turned, *np.round(self.rng.uniform(low, high), 1))
            if all(moved.distance(other) >= _GAP for other in self.taken):
                self.taken.append(moved)
                return moved
        return None


def _sites(ground: _Ground, region_id: str, rng: np.random.Generator) -> tuple[Site, ...]:
    sites: list[Site] = []
    for _ in range(ground.count(_SITES)):
        width, height = np.sort(rng.uniform(130, 230, 2))[::-1]
        shape = box(-width / 2, -height / 2, width / 2, height / 2)
        if rng.random() < 0.5:  # the neighbour did not sell: an L
            kept = rng.uniform(0.45, 0.65, 2) * (width, height)
            shape = shape.difference(box(kept[0] - width / 2, kept[1] - height / 2, width, height))
        blocks = _blocks(shape, rng)
        outline = ground.place(shape)
        if outline is not None:
            sites.append(_site(f"{region_id}_{len(sites) + 1:04d}", shape, outline, blocks, rng))
    return tuple(sites)


def _blocks(shape: Polygon, rng: np.random.Generator) -> list[Polygon]:
    """Buildings in rows within ``shape``, those that fit whole."""
    pitch = rng.uniform(48, 62)
    west, south, east, north = shape.bounds
    blocks = []
    for x in np.arange(west + 8, east - pitch + 12, pitch):
        for y in np.arange(south + 8, north - pitch + 12, pitch):
            block = box(x, y, x + pitch - rng.uniform(12, 20), y + pitch - rng.uniform(12, 24))
            if shape.buffer(-4).contains(block):
                blocks.append(block)
    return blocks


def _site(
    site_id: str, shape: Polygon, outline: Polygon, blocks: list[Polygon], rng: np.random.Generator
) -> Site:
    prepared = FIRST_DAY + timedelta(int(rng.uniform(0.14, 0.42) * DAYS))
    built = prepared + timedelta(int(rng.uniform(0.16, 0.24) * DAYS))
    finished = built + timedelta(int(rng.uniform(0.22, 0.36) * DAYS))
    order = rng.permutation(len(blocks))
    buildings = tuple(
        Building(
            _like(shape, outline, blocks[block]), 0.8 * rank / len(blocks), float(rng.uniform(0.85, 1.2))
        )
        for rank, block in enumerate(order)
    )
    return Site(site_id, outline, prepared, built, finished, buildings, float(rng.uniform(0.9, 1.15)))


def _like(shape: Polygon, placed: Polygon, part: Polygon) -> Polygon:
    """``part`` of ``shape``, turned and moved as ``shape`` was to become ``placed``."""
    (x0, y0), (x1, y1) = shape.exterior.coords[:2]
    (u0, v0), (u1, v1) = placed.exterior.coords[:2]
    turn = complex(u1 - u0, v1 - v0) / complex(x1 - x0, y1 - y0)
    a, b = turn.real, turn.imag
    return affinity.affine_transform(part, [a, -b, b, a, u0 - a * x0 + b * y0, v0 - b * x0 - a * y0])


def _distractors(ground: _Ground, rng: np.random.Generator) -> tuple[Distractor, ...]:
    found = [Distractor("road", road, float(rng.uniform(0.9, 1.1))) for road in ground.roads]
    for kind, number in (("bright", _BRIGHT), ("lake", _LAKES), ("seasonal", _SEASONAL), ("house", _HOUSES)):
        for _ in range(ground.count(number)):
            outline = ground.place(_shape(kind, rng))
            level = rng.uniform(60, 330) if kind == "seasonal" else rng.uniform(0.85, 1.15)
            if outline is not None:
                found.append(Distractor(kind, outline, float(level)))
    return tuple(found)


def _shape(kind: str, rng: np.random.Generator) -> Polygon:
    if kind == "lake":
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        waves = (
            1 + 0.25 * np.sin(2 * angles + rng.uniform(0, 6)) + 0.12 * np.sin(3 * angles + rng.uniform(0, 6))
        )
        return Polygon(
            np.column_stack([np.cos(angles), np.sin(angles)]) * (rng.uniform(50, 90) * waves)[:, None]
        )
    low, high = {"house": (9, 20), "bright": (60, 130), "seasonal": (90, 190)}[kind]
    width, height = rng.uniform(low, high, 2)
    return box(-width / 2, -height / 2, width / 2, height / 2)


def _cover(weather: float, more: float) -> float:
    """Share of clouds: half of all days are clear, one in eight is half lost."""
    if weather < 0.5:
        return 0.0
    return 0.03 + 0.12 * more if weather < 0.875 else 0.2 + 0.25 * more


def _acquisitions(sensor: str, frames: int, rng: np.random.Generator) -> list[Acquisition]:
    step = DAYS / frames
    shift = 0.15 if sensor == "PD" else 0.0  # the sensors never share a day when frames are few
    shots, last = [], -1
    for frame in range(frames):
        last = max(last + 1, int((frame + 0.35 + shift + rng.uniform(-0.15, 0.15)) * step))
        weather, edge = rng.random(), rng.random()
        clouds = _cover(weather, rng.random())
        swath = rng.uniform(0.05, 0.35) if edge < 0.2 else 0.0
        seed = int(rng.integers(2**31))
        day = FIRST_DAY + timedelta(last)
        shots.append(Acquisition(sensor, day, float(clouds), float(swath), 0.2 <= edge < 0.3, seed))
    return shots
