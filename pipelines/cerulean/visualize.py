"""The program `visualize`: a picture of each scene with the slicks that are there and those found.

How a picture is drawn is in scene_pictures.py.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cerulean import options, records
from pipelines.errors import BadInput
from pipelines.program import read_json, run, staged, write_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipelines.cerulean.scene_pictures import Slick
    from pipelines.cerulean.scenes import Scene

RECORDS = ("merge.json", "postprocess.json")


@dataclass(frozen=True)
class View:
    """A scene as it is drawn: ``factor`` of its pixels make one, or (below 1) one makes several."""

    scene: Scene
    factor: float


def view(scene: Scene, side: int) -> View:
    """As large as fits ``side``, by a whole number of pixels in one, or of pixels for one."""
    longest = max(scene.size())
    if longest > side:
        return View(scene, -(-longest // side))
    return View(scene, 1 / max(side // longest, 1))


def radar(shown: View) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Mean of the pixels with data that make one, and where there are some; (height, width) each.

    The scene is read in strips of rows.
    """
    import numpy as np

    from pipelines.cerulean.scenes import opened

    height, width = shown.scene.size()
    step = max(int(shown.factor), 1)
    sums: list[NDArray[np.float32]] = []
    counts: list[NDArray[np.float32]] = []
    strip = step * max(512 // step, 1)
    columns = np.arange(0, width, step)
    with opened(shown.scene) as vv:
        for top in range(0, height, strip):
            pixels = vv.read(slice(top, min(top + strip, height)), slice(0, width)).astype(np.float32)
            rows = np.arange(0, len(pixels), step)
            for made, of in ((sums, pixels), (counts, (pixels > 0).astype(np.float32))):
                made.append(np.add.reduceat(np.add.reduceat(of, rows, axis=0), columns, axis=1))
    total, count = np.concatenate(sums), np.concatenate(counts)
    known = count > 0
    mean: NDArray[np.float32] = (total / np.maximum(count, 1)).astype(np.float32)
    larger = round(1 / shown.factor) if shown.factor < 1 else 1
    return (mean.repeat(larger, 0).repeat(larger, 1), known.repeat(larger, 0).repeat(larger, 1))


def annotated(shown: View) -> list[Slick]:
    """The slicks of the scene's layers, in order of the layers.

    Where several pixels make one, a slick has that one if it has any of them: thin ones stay to be seen.
    """
    from pipelines.cerulean.classes import BACKGROUND, NAMES
    from pipelines.cerulean.layers import read_cropped
    from pipelines.cerulean.polygons import outline
    from pipelines.cerulean.scene_pictures import Slick

    shape = shown.scene.size()
    step = max(int(shown.factor), 1)
    found = []
    for path in shown.scene.layers:
        layer = read_cropped(path, shape)
        name = NAMES[layer.number]
        if name != BACKGROUND:
            mask = _coarser(_coarser(layer.mask, layer.row, step).T, layer.col, step).T
            placed = _larger(outline(mask, layer.row // step, layer.col // step), shown)
            found.append(Slick(placed, name, name.replace("_", " ")))
    return found


def _coarser(mask: NDArray[np.bool_], start: int, step: int) -> NDArray[np.bool_]:
    """Rows of a mask that begins in row ``start``, each of ``step`` rows, where any of them is marked."""
    import numpy as np

    first = (-start) % step or step
    return np.logical_or.reduceat(mask, [0, *range(first, len(mask), step)], axis=0)


def predicted(shown: View, path: Path) -> list[Slick]:
    """The polygons of `merge` or `postprocess`, the surest first.

    Raises:
        BadInput: no such file, or a feature without pixels, class or score.
    """
    from shapely import errors
    from shapely.geometry import shape

    from pipelines.cerulean.scene_pictures import Slick

    found: list[tuple[float, Slick]] = []
    for number, feature in enumerate(records.read_features(path), 1):
        try:
            name, score, pixels = _said(feature)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadInput(f"feature {number} has no pixels, class and score", where=path) from None
        try:
            placed = _scaled(shape(pixels), shown)
        except (ValueError, TypeError, KeyError, AttributeError, errors.ShapelyError):
            raise BadInput(f"the pixels of feature {number} are no polygon", where=path) from None
        found.append((score, Slick(placed, name, f"{name.replace('_', ' ')} {score:.2f}")))
    return [slick for _, slick in sorted(found, key=lambda pair: -pair[0])]


def _said(feature: Mapping[str, Any]) -> tuple[str, float, Any]:
    """The class of a polygon, how sure it is, and its outline in pixels of the scene."""
    return str(feature["properties"]["class"]), float(feature["properties"]["score"]), feature["pixels"]


def _scaled(geometry: Any, shown: View) -> Any:
    """A geometry in pixels of the scene in those of the picture."""
    from shapely.affinity import scale

    return scale(geometry, 1 / shown.factor, 1 / shown.factor, origin=(0, 0))


def _larger(geometry: Any, shown: View) -> Any:
    """The same of one that has been made coarser, if the picture is."""
    return geometry if shown.factor > 1 else _scaled(geometry, shown)


def draw(line: str, pred: Path | None, side: int, folder: Path) -> dict[str, Any]:
    """Write `<scene id>.png`; what visualize.json says of the scene.

    Args:
        line: the scene, as in a list of scenes.
    """
    from pipelines.cerulean import scene_pictures
    from pipelines.cerulean.scenes import from_line

    scene = from_line(line)
    shown = view(scene, side)
    true = annotated(shown)
    found = predicted(shown, pred / f"{scene.id}.geojson") if pred is not None else None
    height, width = scene.size()
    scale = f"{shown.factor:g} x {shown.factor:g} pixels in one" if shown.factor > 1 else ""
    title = "   ".join(filter(None, (scene.id, f"{width} x {height} pixels", scale)))
    picture = scene_pictures.page(title, scene_pictures.grey(*radar(shown)), true, found)
    picture.save(folder / f"{scene.id}.png")
    counts = {"annotated": len(true), "found": None if found is None else len(found)}
    return {"id": scene.id, "picture": f"{scene.id}.png", **counts}


def scene_lines(pred: Path | None, list_path: str | None) -> list[str]:
    """The scenes to draw: those of the list, and without one those that were searched.

    Raises:
        BadInput: neither is there; a folder of neither `merge` nor `postprocess`; no scene.
    """
    from pipelines.cerulean.scenes import read_list

    if list_path:
        return [scene.line for scene in read_list(Path(list_path))]
    if pred is None:
        raise BadInput("draw what?", hint="name --polygons or --list")
    for name in RECORDS:
        if (pred / name).is_file():
            record = read_json(pred / name)
            return [scene["folder"] for scene in records.scenes(record, pred / name, {"folder": str})]
    raise BadInput(f"holds neither {' nor '.join(RECORDS)}", where=pred)


@click.command()
@click.option("--polygons", help="Folder that `merge` (or `postprocess`) wrote.")
@click.option(
    "--list", "list_path", help="List of scenes to draw, or a folder of them.  [default: those of --polygons]"
)
@click.option("--dst", required=True, help="Folder to write <scene>.png and visualize.json to.")
@click.option("--side", type=click.IntRange(64, 8000), default=1024, show_default=True,
              help="Pixels of a panel's longer side.")  # fmt: skip
@options.workers()
def command(polygons: str | None, list_path: str | None, dst: str, side: int, workers: int) -> None:
    """Draw each scene twice: with its annotated slicks, and with those found.

    Colours are of classes, by a palette that colour-blind readers tell apart; where slicks were found, the
    annotated ones are dashed. Writes <scene>.png for each, and last visualize.json, which lists them.

    \b
    Example:
      python -m pipelines.cerulean.visualize --polygons=merged --dst=pictures
    """
    from pipelines.processes import each

    where = Path(polygons) if polygons else None
    lines = scene_lines(where, list_path)
    folder = Path(dst)
    with staged(folder, last=folder / "visualize.json") as hidden:
        job = functools.partial(draw, pred=where, side=side, folder=hidden)
        drawn = list(each(job, lines, workers, "draw", "scene"))
        write_json(hidden / "visualize.json", {"scenes": drawn})
    click.echo(f"wrote {len(drawn)} pictures: {folder}")


if __name__ == "__main__":
    run(command)
