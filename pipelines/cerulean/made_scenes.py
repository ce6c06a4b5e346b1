"""A made-up scene in memory: where its land, platforms, ships and slicks lie, and how the radar sees them.

Shapes belong to slicks.py and lookalikes.py, files to scene_files.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from pipelines.cerulean import lookalikes, sea, slicks
from pipelines.cerulean.swath import PIXEL, Swath

Array = np.ndarray[Any, Any]

_ROOM = 24_000  # pixels of a scene for each of its slicks
_GAP = 16  # pixels between slicks, and from land: more than the 1,000 m over which polygons are joined
_OFFSHORE = 8_800 / PIXEL  # pixels that vessels keep from platforms
_ABOVE_WATER = 0.55  # share of infrastructure that the radar sees: the rest are wellheads on the ground
_TRIES = 60
_ORDER = (
    "infra_slick", "recent_vessel", "natural_seep", "old_vessel", "infra_slick", "coincident_vessel",
    "natural_seep", "recent_vessel", "infra_slick", "ambiguous", "old_vessel",
)  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A slick in a scene: its class, its head (row, column), the pixels an annotator would paint.

    Attributes:
        mask: those pixels, in the part of the scene whose upper left pixel is ``corner``.
    """

    name: str
    head: tuple[float, float]
    corner: tuple[int, int]
    mask: Array

    def within(self, shape: tuple[int, ...]) -> Array:
        """Its pixels in a scene of that (height, width), bool."""
        whole = np.zeros(shape[:2], bool)
        (top, left), (height, width) = self.corner, self.mask.shape
        whole[top : top + height, left : left + width] = self.mask
        return whole


@dataclass(frozen=True)
class MadeScene:
    """A scene with its truth. Places are rows and columns in pixels.

    Attributes:
        id: a Sentinel-1 name.
        picture: (height, width) uint8 VV, 0 where there is no data.
        platforms, ships: (n, 2); vessels that left a slick are among the ships.
        land: rings (n, 2) of land.
    """

    id: str
    swath: Swath
    picture: Array
    drawn: tuple[Drawn, ...]
    platforms: Array
    ships: Array
    land: tuple[Array, ...]

    @property
    def month(self) -> int:
        """1 to 12, when it was taken."""
        return int(self.id.split("_")[4][4:6])


@dataclass
class _Draft:
    """What is known of a scene while slicks are laid into it."""

    shape: tuple[int, int]
    rng: np.random.Generator
    taken: Array  # where no slick may lie
    platforms: Array
    heads: Array  # platforms of no slick yet
    decibels: Array = field(init=False)  # that slicks take off
    drawn: list[Drawn] = field(default_factory=list)
    targets: list[tuple[float, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.decibels = np.zeros(self.shape)


def make(index: int, swath: Swath, seed: int) -> MadeScene:
    """Scene number ``index``, from 0; the same arguments give the same scene.

    Of every four three have platforms; of every three one has land, one a border without data.
    """
    rng = np.random.default_rng([seed, index])
    shape = (swath.height, swath.width)
    wind, calm = sea.wind_texture(rng, shape), lookalikes.calm_water(rng, shape, _count(shape, 180_000))
    rings = (lookalikes.coast(rng, shape),) if index % 3 == 1 else ()
    land = np.logical_or.reduce([np.zeros(shape, bool), *(lookalikes.filled(ring, shape) for ring in rings)])
    nodata = _border(rng, shape) if index % 3 == 2 else np.zeros(shape, bool)
    blocked = _grown(land | nodata, _GAP) | (calm > 1.5)
    platforms = _platforms(rng, blocked) if index % 4 != 3 else np.zeros((0, 2))
    draft = _Draft(shape, rng, blocked, platforms, platforms)
    for number in range(_count(shape, _ROOM)):
        _lay(draft, _ORDER[(number + 3 * index) % len(_ORDER)])
    seen = rng.random(len(platforms)) < _ABOVE_WATER
    draft.targets += [(*place, rng.uniform(-1, 6)) for place in platforms[seen].tolist()]
    idle = _ships(rng, blocked, draft.platforms)
    draft.targets += [(*place, rng.uniform(-3, 6)) for place in idle.tolist()]
    surface = wind - np.maximum(calm, draft.decibels)
    surface = np.where(land, lookalikes.land_texture(rng, shape), surface) + sea.speckle(rng, shape)
    lookalikes.glow(surface, draft.targets)
    picture = np.where(nodata, 0, sea.grey(surface)).astype(np.uint8)
    vessels = [one.head for one in draft.drawn if one.name.endswith("_vessel")]
    ships = np.vstack([idle, np.reshape(vessels, (-1, 2))])
    name = _name(np.random.default_rng([seed, index, *shape]))
    return MadeScene(name, swath, picture, tuple(draft.drawn), platforms, ships, rings)


def _lay(draft: _Draft, name: str) -> None:
    """Lay a slick where there is room; none after `_TRIES` tries."""
    for _ in range(_TRIES):
        slick = slicks.made(name, draft.rng)
        head = _head(draft, name)
        if head is None:
            return
        placed = _placed(draft, slick, head)
        if placed is None:
            continue
        mask, cover, window = placed
        corner = (window[0].start, window[1].start)
        damping = draft.decibels[window]
        np.maximum(damping, slick.damping * cover, out=damping)
        _take(draft.taken, mask, window)
        draft.drawn.append(Drawn(name, head, corner, mask))
        draft.heads = draft.heads[(draft.heads != head).any(1)]
        if slick.ship:
            draft.targets.append((*head, draft.rng.uniform(-1, 6)))
        return


def _head(draft: _Draft, name: str) -> tuple[float, float] | None:
    """Where a slick of that class could begin; none where all platforms have theirs."""
    if name != "infra_slick":
        row, col = draft.rng.uniform(0, 1, 2) * draft.shape
        return float(row), float(col)
    if not len(draft.heads):
        return None
    row, col = draft.heads[draft.rng.integers(len(draft.heads))]
    return float(row), float(col)


def _placed(
    draft: _Draft, slick: slicks.Slick, head: tuple[float, float]
) -> tuple[Array, Array, tuple[slice, slice]] | None:
    """The mask, the cover and its window of a slick with its head there, or none where it may not lie."""
    top, left, bottom, right = slick.box()
    first = int(np.floor(head[0] + top)), int(np.floor(head[1] + left))
    last = int(np.ceil(head[0] + bottom)), int(np.ceil(head[1] + right))
    if min(first) < 2 or last[0] > draft.shape[0] - 2 or last[1] > draft.shape[1] - 2:
        return None
    window = (slice(first[0], last[0]), slice(first[1], last[1]))
    rows, cols = np.mgrid[window] + 0.5
    ragged = sea.smooth_noise(draft.rng, rows.shape, 5.0)
    cover = slick.cover(rows - head[0], cols - head[1], ragged)
    part = cover >= 0.5
    if part.sum() < 20 or (part & draft.taken[window]).any():
        return None
    if slick.name.endswith("_vessel") and len(draft.platforms):
        spots = np.column_stack([rows[part], cols[part]])
        if np.hypot(*(spots[:, None] - draft.platforms[None]).T).min() < _OFFSHORE:
            return None
    return part, cover, window


def _platforms(rng: np.random.Generator, blocked: Array) -> Array:
    """(n, 2) fields of three to five platforms, a few kilometres apart, in open water."""
    places: list[Array] = []
    for _ in range(_count(blocked.shape, 260_000)):
        middle = rng.uniform(0.15, 0.85, 2) * blocked.shape
        for _ in range(int(rng.integers(3, 6))):
            places.append(middle + rng.normal(0, 34, 2))
    kept: list[Array] = []
    for place in places:
        row, col = np.rint(place).astype(int)
        inside = 8 <= row < blocked.shape[0] - 8 and 8 <= col < blocked.shape[1] - 8
        if inside and not blocked[row, col] and all(np.hypot(*(place - one)) > 24 for one in kept):
            kept.append(place)
    return np.reshape(kept, (-1, 2))


def _ships(rng: np.random.Generator, blocked: Array, platforms: Array) -> Array:
    """(n, 2) ships of no slick, a platform's length or more from any platform."""
    places = rng.uniform(0.02, 0.98, (_count(blocked.shape, 45_000), 2)) * blocked.shape
    free = [not blocked[int(row), int(col)] for row, col in places]
    far = [not len(platforms) or np.hypot(*(place - platforms).T).min() > _GAP for place in places]
    return places[np.logical_and(free, far)]


def _border(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Where the swath has no data: a slanted strip along the left or the right edge."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    edge = shape[1] * (rng.uniform(0.02, 0.05) + rng.uniform(0.01, 0.04) * rows / shape[0])
    strip = cols < edge
    return strip[:, ::-1] if rng.random() < 0.5 else strip


def _take(taken: Array, mask: Array, window: tuple[slice, slice]) -> None:
    """Keep other slicks `_GAP` pixels away from one whose ``mask`` lies in ``window``."""
    wide = tuple(
        slice(max(side.start - _GAP, 0), min(side.stop + _GAP, whole))
        for side, whole in zip(window, taken.shape, strict=True)
    )
    edges = [(side.start - now.start, now.stop - side.stop) for side, now in zip(window, wide, strict=True)]
    taken[wide] |= _grown(np.pad(mask, edges), _GAP)


def _grown(mask: Array, by: int) -> Array:
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(~mask) <= by) if mask.any() else mask


def _count(shape: tuple[int, ...], room: int) -> int:
    return max(round(shape[0] * shape[1] / room), 1)


def _name(rng: np.random.Generator) -> str:
    """A Sentinel-1 name: two times 25 seconds apart, orbit, take and check numbers."""
    start = datetime(2020, 1, 1) + timedelta(seconds=int(rng.integers(2 * 365 * 86400)))
    times = [f"{one:%Y%m%dT%H%M%S}" for one in (start, start + timedelta(seconds=25))]
    satellite, orbit, take = "AB"[rng.integers(2)], rng.integers(20000, 40000), rng.integers(0x20000, 0x50000)
    return f"S1{satellite}_IW_GRDH_1SDV_{'_'.join(times)}_{orbit:06d}_{take:06X}_{rng.integers(0x10000):04X}"
