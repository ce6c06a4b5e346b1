"""The program `merge`: the polygons of tiles become those of scenes, each slick once.

The steps stand in merging.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cerulean.merge_files import CARRIED, Source, read_record
from pipelines.cerulean.merging import COUNTED, Rules
from pipelines.errors import BadInput
from pipelines.program import run, staged, write_json

if TYPE_CHECKING:
    from pipelines.cerulean.scenes import Scene

NONE = ("none", "null", "")
MODELS = ("affine", "polynomial", "tps")
RECORD = "merge.json"


class Share(click.ParamType):
    """A number from 0 to 1, or none."""

    name = "number|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        if value is None or str(value).strip().lower() in NONE:
            return None
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            self.fail(f"{value!r} is neither a number from 0 to 1 nor none", param, ctx)
        return number


def _metres(name: str, default: int, text: str) -> Any:
    kind = click.FloatRange(0, 100_000)  # beyond that, metres around a scene's middle are none
    return click.option(f"--{name}", type=kind, default=default, show_default=True, help=text)


@click.command()
@click.option("--polygons", required=True, help="Folder that `postprocess` wrote.")
@click.option("--dst", required=True, help="Folder to write: <scene>.geojson and merge.json.")
@click.option("--aux", default=None, help="Folder of auxiliary data; its land is looked at.")
@_metres("join_distance", 1000, "Polygons of one class within so many metres are one slick.")
@_metres("closing", 500, "Metres by which slicks are widened and narrowed again.")
@click.option(
    "--poly_nms_thresh",
    type=Share(),
    default="0.2",
    show_default=True,
    help="Of two with a higher IoU, or one half inside the other, the less sure one goes; none: all stay.",
)
@_metres("nodata_margin", 500, "Nothing is reported in nodata and so many metres around it.")
@_metres("land_margin", 1000, "Nothing is reported on land and so many metres around it.")
@click.option("--strong_thresh", type=Share(), default="none", help="A region needs a pixel as probable.")
@click.option("--trim_thresh", type=Share(), default="none", help="Less probable pixels of it go.")
@click.option("--across_classes", type=bool, default=False, show_default=True, help="Join classes, too.")
@click.option("--georeference", type=click.Choice(MODELS), default="polynomial", show_default=True)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
def command(polygons: str, dst: str, aux: str | None, georeference: str, workers: int, **how: Any) -> None:
    """Merge the polygons of tiles into slicks of scenes.

    What touches is one region; hysteresis drops it without a strong pixel, and trims it. Regions that lie
    mostly outside the scene, in nodata or on land go, others lose what lies there. Those within a distance
    are joined: median score, commonest class. Of copies the surest stays.

    \b
    Example:
      python -m pipelines.cerulean.merge --polygons=polygons --aux=aux --dst=merged \\
        --join_distance=1000 --closing=500 --poly_nms_thresh=0.2
    """
    from pipelines.cerulean.processes import each

    record, sources = read_record(Path(polygons))
    scenes = [_scene(source, Path(polygons)) for source in sources]
    rules, land = Rules(**how), _land(aux)
    target = Path(dst).resolve()
    with staged(target, last=target / RECORD) as folder:
        job = partial(_merge, Job(tuple(record["classes"]), rules, land, georeference, folder))
        counts = each(job, list(zip(sources, scenes, strict=True)), workers, "merge", "scene")
        write_json(folder / RECORD, _record(record, sources, counts, rules, georeference, target))


@dataclass(frozen=True)
class Job:
    """What is the same for every scene."""

    classes: tuple[str, ...]
    rules: Rules
    land: Path | None
    georeference: str
    folder: Path


def _merge(job: Job, one: tuple[Source, Scene]) -> dict[str, int]:
    """Write the slicks of a scene; what was counted."""
    from pipelines.cerulean import georeference
    from pipelines.cerulean.exclusions import zones_of
    from pipelines.cerulean.merge_files import read_slicks, write_slicks
    from pipelines.cerulean.merging import Chances, merged
    from pipelines.cerulean.planes import Plane

    source, scene = one
    height, width = scene.size()
    plane = Plane.of(georeference.read(scene.background, job.georeference), (height, width))
    found = read_slicks(source.polygons, job.classes, plane)
    zones = zones_of(scene, plane, job.land, job.rules.nodata_margin, job.rules.land_margin)
    chances = Chances(Path(source.record.get("raster", "")), job.classes)
    slicks, counts = merged(found, plane, zones, job.rules, chances)
    head = {"scene": source.id, "height": height, "width": width, "georeference": job.georeference}
    write_slicks(job.folder / f"{source.id}.geojson", head, slicks, job.classes, plane)
    return counts


def _scene(source: Source, folder: Path) -> Scene:
    from pipelines.cerulean.scenes import from_line

    scene = from_line(source.record["folder"], folder)
    if scene.id != source.id:
        raise BadInput(f"is not the folder of {source.id}", where=scene.folder)
    if not source.polygons.is_file():
        raise BadInput("no such file of polygons", where=source.polygons)
    return scene


def _land(aux: str | None) -> Path | None:
    """The file of land; without one, nothing counts as land."""
    from pipelines.cerulean import auxiliary

    if aux is None or aux.strip().lower() in NONE:
        return None
    return auxiliary.load(aux).land


def _record(
    record: dict[str, Any],
    sources: Sequence[Source],
    counts: Sequence[dict[str, int]],
    rules: Rules,
    georeference: str,
    target: Path,
) -> dict[str, Any]:
    return {
        **{key: record[key] for key in (*CARRIED, "channels") if key in record},
        "scenes": [
            {**source.record, "polygons": str(target / f"{source.id}.geojson"), "counts": one}
            for source, one in zip(sources, counts, strict=True)
        ],
        "counts": {name: sum(one[name] for one in counts) for name in COUNTED},
        "thresholds": asdict(rules),
        "georeference": georeference,
    }


if __name__ == "__main__":
    run(command)
