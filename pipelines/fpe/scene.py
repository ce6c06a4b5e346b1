"""Pictures of a stream: banks, rocks that drown as the water rises, light, seasons and weather.

When they are taken, and how high the water stands, is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from pipelines.fpe.weather import Sky

NIGHT = -4.0  # degrees of the sun below which the camera turns to infrared
_MARGIN = 0.12  # of the width, around the picture: a camera that moves sees other parts of the scene
_WET = 0.05  # of the stage: how far above the water stones are dark
_LEAVES = np.array(  # red, green, blue over the year from the middle of winter
    [[96, 84, 70], [104, 96, 70], [92, 132, 58], [62, 112, 48], [70, 108, 46], [176, 118, 44], [112, 88, 64]]
) / np.array(255.0)


@dataclass(frozen=True)
class Shot:
    """One picture to take."""

    stage: float  # 0 dry to 1 full
    sky: Sky
    shift: tuple[float, float]  # of the camera, right and down, in widths of the picture
    seed: tuple[int, ...]
    person: bool = False


class Scene:
    """The stream before one camera; the same ``seed`` gives the same banks and rocks."""

    def __init__(self, width: int, height: int, seed: tuple[int, ...]):
        rng = np.random.default_rng(seed)
        self.width, self.height = width, height
        self.margin = round(_MARGIN * width)
        shape = (height + 2 * self.margin, width + 2 * self.margin)
        self.y = (np.arange(shape[0])[:, None] - self.margin) / height
        self.x = (np.arange(shape[1])[None, :] - self.margin) / width
        self.texture = noise(rng, shape, 2.5, 2.5)
        self.patches = noise(rng, shape, width / 14, height / 14)
        # Twice as large as the picture, so that each picture can have ripples from another part of it.
        self.ripples = noise(rng, (2 * height, 2 * width), width / 22, 1.6)
        self.horizon = 0.27 + 0.02 * noise(rng, (1, shape[1]), width / 6, 1)
        self.elevation, self.rock = self._ground(rng, shape)

    def _ground(self, rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Height of the ground above the channel's bed, in stages, and which of it is rock."""
        middle = (
            0.60 + rng.uniform(-0.12, 0.12) * (self.x - 0.5) + 0.03 * np.sin(5 * self.x + rng.uniform(0, 6))
        )
        from_middle = self.y - middle
        # The far bank is steeper in the picture, as perspective has it.
        slope = np.where(from_middle < 0, 1.02 / 0.27, 1.02 / 0.34)
        ground = slope * np.abs(from_middle) + 0.035 * self.patches + 0.012 * self.texture
        rock = np.zeros(shape, dtype=bool)
        for _ in range(14):
            across, down = rng.uniform(-0.1, 1.1), 0.60 + rng.normal(0, 0.13)
            size = rng.uniform(0.02, 0.06) * (0.5 + down)
            near = ((self.x - across) / size) ** 2 + ((self.y - down) / (0.75 * size)) ** 2
            top = rng.uniform(0.2, 0.85) * np.sqrt(np.clip(1 - near, 0, None)) + 0.01 * self.texture
            rock |= (near < 1) & (top > ground)
            ground = np.where(near < 1, np.maximum(ground, top), ground)
        return np.where(self.y < self.horizon, np.inf, ground), rock

    def render(self, shot: Shot) -> np.ndarray:
        """The picture as bytes (height, width, 3)."""
        rng = np.random.default_rng(shot.seed)
        sky, view = shot.sky, self._view(shot.shift)
        x, y = self.x[:, view[1]], self.y[view[0]]
        ground = self.elevation[view]
        depth = np.maximum(shot.stage, 0.01) - ground
        picture = self._land(view, depth, ground, y, sky)
        picture = self._water(picture, depth, shot, rng)
        if shot.person:
            picture = _with_person(picture, x, y, rng)
        picture = _lit(picture, sky, y) if sky.sun > NIGHT else _infrared(picture, x, y, rng)
        picture = _through_air(picture, sky, y, rng)
        picture = picture + rng.normal(0, 0.012 if sky.sun > 5 else 0.022, (*depth.shape, 1))
        return (255 * np.clip(picture, 0, 1) + 0.5).astype(np.uint8)

    def _view(self, shift: tuple[float, float]) -> tuple[slice, slice]:
        right, down = (
            int(np.clip(round(part * self.width), -self.margin, self.margin)) + self.margin for part in shift
        )
        return slice(down, down + self.height), slice(right, right + self.width)

    def _land(
        self, view: tuple[slice, slice], depth: np.ndarray, ground: np.ndarray, y: np.ndarray, sky: Sky
    ) -> np.ndarray:
        """Sky, trees, grass and stones without light, snow on them where it lies."""
        texture, patches = self.texture[view][..., None], self.patches[view][..., None]
        leaves = leaf_colour(sky.phase)
        stones = np.array([0.50, 0.45, 0.39]) * (1 + 0.16 * texture + 0.07 * patches)
        stones = np.where(
            self.rock[view][..., None], np.array([0.53, 0.53, 0.52]) * (1 + 0.12 * texture), stones
        )
        stones = stones * np.where((depth > -_WET) & (depth <= 0), 0.72, 1.0)[..., None]
        grass = leaves * (0.95 + 0.22 * texture + 0.12 * patches)
        green = np.clip((ground - 0.92 - 0.10 * self.patches[view]) / 0.12, 0, 1)[..., None]
        land = stones + np.where(np.isfinite(ground), green[..., 0], 1)[..., None] * (grass - stones)
        white = np.clip((sky.snow * 1.6 - 0.5 + 0.3 * patches) * 1.5, 0, 1) * (depth < -0.02)[..., None]
        land = land + white * (0.9 + 0.04 * texture - land)
        trees = leaves * (0.75 + 0.2 * texture + 0.16 * patches)
        above = np.array([0.58, 0.70, 0.86]) + sky.cloud * np.array([0.20, 0.10, -0.04])
        open_sky = np.clip((0.10 + 0.05 * self.patches[view] - y) / 0.03, 0, 1)[..., None]
        behind = trees + open_sky * (above - trees)
        return np.where((y < self.horizon[:, view[1]])[..., None], behind, land)

    def _water(self, land: np.ndarray, depth: np.ndarray, shot: Shot, rng: np.random.Generator) -> np.ndarray:
        """``land`` under water where ``depth`` is positive: brown when high, white where it breaks."""
        down, right = int(rng.integers(self.height)), int(rng.integers(self.width))
        ripples = self.ripples[down : down + self.height, right : right + self.width, None]
        clear, muddy = np.array([0.20, 0.27, 0.27]), np.array([0.34, 0.27, 0.17])
        mud = np.clip(1.6 * shot.stage - 0.6, 0, 1)
        water = clear + mud * (muddy - clear) + (0.035 + 0.03 * shot.stage) * ripples
        water = water + (0.10 - 0.06 * mud) * (1 - shot.sky.cloud)  # the sky, mirrored
        foam = (depth > 0) & (depth < 0.05) & (ripples[..., 0] > 1.2 - shot.stage)
        water = np.where(foam[..., None], 0.82, water)
        frozen = shot.sky.ice * (depth < 0.25 * shot.sky.ice)
        water = water + 0.9 * frozen[..., None] * (np.array([0.80, 0.84, 0.88]) - water)
        cover = np.clip(0.45 + depth / 0.12, 0.45, 1) * (depth > 0)
        return land + cover[..., None] * (water - land)


def noise(rng: np.random.Generator, shape: tuple[int, int], across: float, down: float) -> np.ndarray:
    """Smooth random values of mean 0 and deviation 1 over ``shape``, alike over so many pixels."""
    rows, columns = (max(2, round(n / size) + 1) for n, size in zip(shape, (down, across), strict=True))
    coarse = Image.fromarray(rng.normal(0, 1, (rows, columns)).astype(np.float32))
    fine = np.asarray(coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), dtype=float)
    return (fine - fine.mean()) / (fine.std() + 1e-9)


def leaf_colour(phase: float) -> np.ndarray:
    """Red, green and blue, 0 to 1, of leaves at ``phase`` of the year, 0 to 1 from the middle of winter."""
    at = np.linspace(0, 1, len(_LEAVES) + 1)
    around = np.vstack([_LEAVES, _LEAVES[:1]])
    return np.array([np.interp(phase % 1, at, around[:, band]) for band in range(3)])


def _lit(picture: np.ndarray, sky: Sky, y: np.ndarray) -> np.ndarray:
    """By the sun: dim and warm when it is low; flat under clouds; shaded by the trees when it is clear."""
    strength = 0.25 + 0.85 * np.clip((sky.sun - NIGHT) / 20, 0, 1) ** 0.7
    warm = np.clip(1 - sky.sun / 14, 0, 1) * (1 - sky.cloud)
    light = strength * (1 - 0.18 * sky.cloud) * (1 + warm * np.array([0.16, 0.0, -0.20]))
    shade = 1 - 0.22 * (1 - sky.cloud) * np.clip((0.52 - y) / 0.2, 0, 1)[..., None] * (y > 0.2)[..., None]
    return picture * light * shade


def _infrared(picture: np.ndarray, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By the camera's own lamp at night: grey, a weak spot in front that reaches hardly to the water."""
    grey = picture.mean(axis=-1, keepdims=True)
    reach = np.exp(-(((x - 0.5) / 0.35) ** 2) - ((y - 0.95) / 0.30) ** 2)[..., None]
    lamp = rng.uniform(0.08, 0.30)
    return np.repeat(0.025 + lamp * reach * (0.6 + 0.08 * grey), 3, axis=-1)


def _through_air(picture: np.ndarray, sky: Sky, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fog, thicker with distance; rain as drops on the glass, or snow when there is some on the ground."""
    bright = picture.mean() + (0.25 if sky.sun > 0 else 0.03)
    veil = sky.fog * np.clip(1.15 - 0.8 * y, 0, 1)[..., None]
    picture = picture + veil * (bright - picture)
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    for _ in range(int(6 * sky.rain)):
        row, column, size = rng.uniform(0, height), rng.uniform(0, width), width * rng.uniform(0.012, 0.035)
        drop = np.clip(1.3 - ((rows - row) ** 2 + (columns - column) ** 2) / size**2, 0, 1)[..., None]
        picture = picture + 0.75 * drop * (picture[int(row), int(column)] * 0.7 + 0.3 * bright - picture)
    if sky.rain > 0 and sky.snow > 0.2:
        flakes = rng.random((height, width)) < 0.004
        picture = np.where(flakes[..., None], picture + 0.35 * bright + 0.2, picture)
    return picture


def _with_person(picture: np.ndarray, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Somebody in waders and an orange jacket, who measures."""
    at = rng.uniform(0.25, 0.75)
    body = (np.abs(x - at) < 0.045) & (np.abs(y - 0.55) < 0.11)
    legs = (np.abs(np.abs(x - at) - 0.022) < 0.014) & (np.abs(y - 0.74) < 0.09)
    head = ((x - at) / 0.026) ** 2 + ((y - 0.40) / 0.042) ** 2 < 1
    for part, colour in ((body, (0.85, 0.42, 0.10)), (legs, (0.20, 0.24, 0.18)), (head, (0.72, 0.55, 0.45))):
        picture = np.where(part[..., None], np.array(colour), picture)
    return picture
