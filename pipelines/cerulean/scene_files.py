"""A made-up data set on disk: scene folders with layers, the list of them, and the auxiliary data.

What is in a scene belongs to made_scenes.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import program
from pipelines.cerulean import made_scenes
from pipelines.cerulean.classes import CLASSES, IDS
from pipelines.cerulean.made_scenes import Drawn, MadeScene
from pipelines.cerulean.swath import PIXEL, Swath
from pipelines.errors import BadInput

Array = np.ndarray[Any, Any]

_DEGREE = 111_195.0  # metres of latitude
_APART = 70_000.0  # metres between scenes: farther than the distance channel looks
_CELL = 0.02  # degrees of a cell of ship density
_MIDDLE = (-38.0, 8.0)  # longitude and latitude of a wide sea


def write(
    dst: Path, scenes: int, size: tuple[int, int], seed: int, step: Callable[[int], object] = lambda _: None
) -> Path:
    """Make ``scenes`` scenes of ``size`` (height, width), and write them and their auxiliary data to ``dst``.

    All files appear when everything is made, the list of scenes last.

    Args:
        step: called with 1 after each scene.

    Returns:
        The list of scenes.

    Raises:
        BadInput: ``dst`` cannot be written in; that many scenes of that size find no room on the sea.
    """
    path = dst / "scenes.txt"
    swaths = _swaths(scenes, size, seed)
    with program.staged(dst, path) as hidden:
        made = []
        for index, swath in enumerate(swaths):
            scene = made_scenes.make(index, swath, seed)
            _write_scene(hidden / "scenes" / scene.id, scene)
            made.append(_without_pixels(scene))
            step(1)
        _write_points(hidden / "aux" / "infrastructure.geojson", made)
        _write_land(hidden / "aux" / "land.geojson", made)
        _write_density(hidden / "aux" / "ship_density.tif", made, seed)
        lines = sorted(f"scenes/{scene.id}\n" for scene in made)
        (hidden / path.name).write_text("".join(lines), encoding="utf-8")
    return path


def _swaths(scenes: int, size: tuple[int, int], seed: int) -> list[Swath]:
    """A swath for each scene, on a grid so wide that none is near another."""
    height, width = size
    apart = (np.hypot(height, width) * PIXEL + _APART) / _DEGREE
    columns = int(np.ceil(np.sqrt(scenes)))
    if apart * columns > 60:
        raise BadInput(
            f"{scenes} scenes of {width}x{height} find no room", where="size", hint="make fewer or smaller"
        )
    rng = np.random.default_rng([seed, 10**6])
    found = []
    for index in range(scenes):
        row, col = divmod(index, columns)
        lat = _MIDDLE[1] + (row - (columns - 1) / 2) * apart
        lon = _MIDDLE[0] + (col - (columns - 1) / 2) * apart / np.cos(np.radians(lat))
        heading = np.radians(rng.uniform(-14, -10) + 180 * rng.integers(2))
        found.append(Swath(height, width, float(lon), float(lat), float(heading)))
    return found


def _write_scene(folder: Path, scene: MadeScene) -> None:
    folder.mkdir(parents=True)
    _write_background(folder / "Background.png", scene)
    counts: dict[str, int] = {}
    for one in scene.drawn:
        counts[one.name] = counts.get(one.name, 0) + 1
        number = counts[one.name]
        path = folder / f"{one.name}_{number}.png"
        _write_layer(path, one, scene.picture.shape, grey=number % 2 == 0)


def _write_background(path: Path, scene: MadeScene) -> None:
    """The VV picture; GDAL keeps the ground control points in `Background.png.aux.xml`."""
    import rasterio
    from rasterio.control import GroundControlPoint

    points = [
        GroundControlPoint(row, col, lon, lat, 0.0, id=str(number + 1), info="")
        for number, (row, col, lon, lat) in enumerate(scene.swath.control_points())
    ]
    height, width = scene.picture.shape
    profile = {"driver": "PNG", "height": height, "width": width, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, gcps=points, crs="EPSG:4326") as file:
        file.write(scene.picture, 1)


def _write_layer(path: Path, one: Drawn, shape: tuple[int, ...], grey: bool) -> None:
    """A layer as annotators save it; of the ambiguous ones some as ``grey`` pictures."""
    from PIL import Image

    colour = CLASSES[IDS[one.name]].colour
    values = np.zeros((*shape, 4), np.uint8)
    values[one.within(shape)] = (*colour, 255)
    picture = Image.fromarray(values)
    if grey and one.name == "ambiguous":
        picture = picture.convert("LA")
    picture.save(path)


def _without_pixels(scene: MadeScene) -> MadeScene:
    """What the auxiliary data need of a scene; its pictures would fill the memory."""
    nothing = np.zeros((0, 0), np.uint8)
    return replace(scene, picture=nothing, drawn=())


def _write_points(path: Path, scenes: Sequence[MadeScene]) -> None:
    places = [place for scene in scenes for place in _lonlat(scene, scene.platforms)]
    _write_features(path, ({"type": "Point", "coordinates": place} for place in places))


def _write_land(path: Path, scenes: Sequence[MadeScene]) -> None:
    rings = [_lonlat(scene, ring) for scene in scenes for ring in scene.land]
    _write_features(path, ({"type": "Polygon", "coordinates": [[*ring, ring[0]]]} for ring in rings))


def _write_features(path: Path, geometries: Iterable[dict[str, Any]]) -> None:
    rows = [{"type": "Feature", "properties": {"id": n}, "geometry": one} for n, one in enumerate(geometries)]
    program.write_json(path, {"type": "FeatureCollection", "features": rows})


def _lonlat(scene: MadeScene, places: Array) -> list[list[float]]:
    """Rows and columns (n, 2) as pairs of longitude and latitude, to a tenth of a metre."""
    lon, lat = scene.swath.to_lonlat(places[:, 0], places[:, 1])
    return np.round(np.column_stack([lon, lat]), 6).tolist()


def _write_density(path: Path, scenes: Sequence[MadeScene], seed: int) -> None:
    """Ships of each month (band), 0 to 100: dense around the ships of the scenes of that month."""
    import rasterio
    from rasterio.transform import from_origin
    from scipy.ndimage import gaussian_filter

    from pipelines.cerulean.sea import smooth_noise

    corners = np.vstack([_corners(scene) for scene in scenes])
    west, south = np.floor(corners.min(0)) - 0.5
    east, north = np.ceil(corners.max(0)) + 0.5
    shape = (round((north - south) / _CELL), round((east - west) / _CELL))
    profile = {"driver": "GTiff", "height": shape[0], "width": shape[1], "count": 12, "dtype": "float32"}
    profile |= {"compress": "deflate", "predictor": 3, "tiled": True, "crs": "EPSG:4326"}
    with rasterio.open(path, "w", **profile, transform=from_origin(west, north, _CELL, _CELL)) as file:
        for month in range(1, 13):
            ships = np.zeros(shape)
            for scene in scenes:
                if scene.month == month:
                    lon, lat = np.reshape(_lonlat(scene, scene.ships), (-1, 2)).T
                    np.add.at(
                        ships, (((north - lat) / _CELL).astype(int), ((lon - west) / _CELL).astype(int)), 1
                    )
            noise = smooth_noise(np.random.default_rng([seed, 10**6, month]), shape, 12.0)
            dense = 4000 * gaussian_filter(ships, 3.5) + 8 + 6 * noise
            file.write(np.clip(np.rint(dense), 0, 100).astype(np.float32), month)
            file.set_band_description(month, f"month {month}")


def _corners(scene: MadeScene) -> Array:
    rows, cols = np.array([0, 0, 1, 1]) * scene.swath.height, np.array([0, 1, 0, 1]) * scene.swath.width
    return np.column_stack(scene.swath.to_lonlat(rows, cols))
