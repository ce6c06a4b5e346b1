"""The program `visualize`: a picture of a combined result over its request, with labels beside if any.

What is right or wrong in it evaluate.py says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.errors import BadInput
from pipelines.esrun.class_maps import NONE, Block, Labels, burnt, read_labels
from pipelines.esrun.colours import Legend
from pipelines.esrun.evaluate import classes_of
from pipelines.esrun.features import FeatureCollection, read_features
from pipelines.esrun.project import load_project
from pipelines.esrun.projection import LONLAT
from pipelines.esrun.scratch import Results
from pipelines.esrun.tiles import classes_on, tiles_of
from pipelines.program import run, writing

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from shapely.geometry.base import BaseGeometry

LONGER = 900  # pixels of a panel's longer side
MARGIN = 0.03  # of the extent, on each side
DOT = 5  # pixels: a feature without area is drawn as wide
EMPTY = 245  # grey of no data

EPILOG = """\b
Example:
  python -m pipelines.esrun.visualize --project_path=my_project --results=scratch/results \\
      --labels_fpath=truth.tif --partitions_dpath=scratch/partitions --picture_fpath=result.png"""


@dataclass(frozen=True)
class Canvas:
    """A grid in lon/lat.

    Attributes:
        bounds: west, south, east, north in degrees.
        shape: height and width in pixels.
    """

    bounds: tuple[float, float, float, float]
    shape: tuple[int, int]

    def block(self) -> Block:
        from rasterio.crs import CRS
        from rasterio.transform import from_bounds

        return Block(
            CRS.from_user_input(LONLAT), from_bounds(*self.bounds, self.shape[1], self.shape[0]), self.shape
        )

    @property
    def aspect(self) -> float:
        """How much longer a degree of latitude is than one of longitude."""
        return _aspect(self.bounds)


@click.command(name="visualize", epilog=EPILOG)
@click.option("--project_path", required=True, help="For the classes and, by default, the request.")
@click.option("--request_geometry_path", help="GeoJSON.  [default: the project's]")
@click.option("--results", required=True, help="Folder of the combined result.")
@click.option("--labels_fpath", help="GeoTIFF of class values or GeoJSON features, drawn beside.")
@click.option("--label_property", help="That holds a feature's class.  [default: the result's, or oe_label]")
@click.option("--partitions_dpath", help="Folder of the partitions, for their outlines.")
@click.option("--picture_fpath", required=True, help="PNG to write.")
def command(
    project_path: str,
    request_geometry_path: str | None,
    results: str,
    labels_fpath: str | None,
    label_property: str | None,
    partitions_dpath: str | None,
    picture_fpath: str,
) -> None:
    """Draw the combined result with its classes' colours, the request and the outlines of the partitions."""
    project = load_project(project_path)
    legend = classes_of(project)
    request = read_features(project.request(request_geometry_path))
    labels = None if labels_fpath is None else read_labels(labels_fpath, legend, label_property)
    canvas = around(request)
    panels = {"Result": drawn(Results(Path(results)), legend, canvas)}
    if labels is not None:
        panels["Labels"] = _labels(labels, canvas)
    lines = _outlines(request), _partitions(partitions_dpath)
    with writing(picture_fpath) as temporary:
        draw(temporary, canvas, panels, legend, *lines)


def around(request: FeatureCollection) -> Canvas:
    """The request with a margin, its longer side LONGER pixels long."""
    import shapely

    west, south, east, north = shapely.total_bounds([one.geometry for one in request])
    margin = max(east - west, north - south, 0.01) * MARGIN
    bounds = (float(west - margin), float(max(-90, south - margin)),
              float(east + margin), float(min(90, north + margin)))  # fmt: skip
    width, height = bounds[2] - bounds[0], (bounds[3] - bounds[1]) * _aspect(bounds)
    scale = LONGER / max(width, height)
    return Canvas(bounds, (max(1, round(height * scale)), max(1, round(width * scale))))


def drawn(results: Results, legend: Legend, canvas: Canvas) -> np.ndarray[Any, Any]:
    """Class numbers of a result on a canvas, (H, W).

    Raises:
        BadInput: the folder holds no result.
    """
    block, tiles = canvas.block(), tiles_of(results)
    if tiles:
        return classes_on(tiles, block, legend)
    if not results.vector.is_file():
        raise BadInput("holds neither results_raster/*.tif nor result.geojson", where=results.path)
    shapes = ((one.geometry, legend.index(one.properties.get(legend.property_name)))
              for one in read_features(results.vector, need=False))  # fmt: skip
    return burnt(_visible([(shape, number) for shape, number in shapes if number is not None], canvas), block)


def _labels(labels: Labels, canvas: Canvas) -> np.ndarray[Any, Any]:
    if labels.features is None:
        return labels.numbers(canvas.block())
    shapes = [(one.geometry, labels.number(one.properties)) for one in labels.features]
    return burnt(_visible([pair for pair in shapes if pair[1] != NONE], canvas), canvas.block())


def _visible(shapes: Sequence[tuple[BaseGeometry, int]], canvas: Canvas) -> list[tuple[BaseGeometry, int]]:
    """Features without area, or with next to none, as dots."""
    dot = (canvas.bounds[2] - canvas.bounds[0]) / canvas.shape[1] * DOT
    return [(shape.buffer(dot) if shape.area < dot**2 else shape, number) for shape, number in shapes]


def draw(
    path: Path,
    canvas: Canvas,
    panels: dict[str, np.ndarray[Any, Any]],
    legend: Legend,
    request: Sequence[Any],
    partitions: Sequence[Any],
) -> None:
    """Write a PNG with a panel for each map of class numbers."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ratio = canvas.shape[0] / canvas.shape[1]
    width = max(3.0, min(6.0, 9 / ratio))  # inches
    size = width * len(panels) + 0.6, max(1.5, min(12.0, width * ratio)) + 1.3
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axis, (title, classes) in zip(axes, panels.items(), strict=True):
        axis.imshow(_coloured(classes, legend), extent=_extent(canvas), interpolation="nearest")
        _lines(axis, partitions, color="0.35", linewidth=0.8, linestyle=(0, (4, 2)))
        _lines(axis, request, color="black", linewidth=1.2)
        axis.set(title=title, xlabel="longitude (degrees)", aspect=canvas.aspect,
                 xlim=_extent(canvas)[:2], ylim=_extent(canvas)[2:])  # fmt: skip
        axis.ticklabel_format(useOffset=False)
        axis.locator_params(nbins=6)
    axes[0].set_ylabel("latitude (degrees)")
    handles = _handles(legend, bool(request), bool(partitions))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), frameon=False)
    figure.savefig(path, format="png", metadata={"Software": None})


def _handles(legend: Legend, request: bool, partitions: bool) -> list[Any]:
    """What stands in the legend, with the lines that are drawn."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Patch(facecolor=legend.css(number), edgecolor="0.5", label=name)
        for number, name in enumerate(legend.labels)
    ]
    handles.append(Patch(facecolor=str(EMPTY / 255), edgecolor="0.5", label="no data"))
    if request:
        handles.append(Line2D([], [], color="black", linewidth=1.2, label="request"))
    if partitions:
        handles.append(Line2D([], [], color="0.35", linewidth=0.8, linestyle="--", label="partitions"))
    return handles


def _aspect(bounds: tuple[float, float, float, float]) -> float:
    return 1 / max(0.05, math.cos(math.radians((bounds[1] + bounds[3]) / 2)))


def _extent(canvas: Canvas) -> tuple[float, float, float, float]:
    west, south, east, north = canvas.bounds
    return west, east, south, north


def _coloured(classes: np.ndarray[Any, Any], legend: Legend) -> np.ndarray[Any, Any]:
    """(H, W, 3) uint8; NONE, the last of the table, is empty."""
    import numpy as np

    table = np.array([*(colour[:3] for colour in legend.colours), [EMPTY] * 3], dtype=np.uint8)
    coloured: np.ndarray[Any, Any] = table[classes]
    return coloured


def _outlines(features: FeatureCollection) -> list[Any]:
    """Coordinates of the rings and lines of features, (N, 2) each; points have none."""
    return [line for one in features for line in _rings(one.geometry)]


def _rings(shape: BaseGeometry) -> Iterator[Any]:
    import shapely

    for part in shapely.get_parts(shapely.boundary(shape) if shape.area else shape):
        if part.geom_type in ("LineString", "LinearRing"):
            yield shapely.get_coordinates(part)


def _partitions(folder: str | None) -> list[Any]:
    if folder is None:
        return []
    paths = sorted(Path(folder).glob("*/request.geojson"))
    return [line for path in paths for line in _outlines(read_features(path))]


def _lines(axis: Axes, lines: Sequence[Any], **style: Any) -> None:
    for line in lines:
        axis.plot(line[:, 0], line[:, 1], **style)


if __name__ == "__main__":
    run(command)
