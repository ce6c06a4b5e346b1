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

from pipelines.cerulean import options
from pipelines.cerulean.merge_files import Source, read_record
from pipelines.cerulean.merging import COUNTED, Rules
from pipelines.cerulean.records import carried
from pipelines.errors import BadInput
from pipelines.program import run, staged, write_json

if TYPE_CHECKING:
    from pipelines.cerulean.scenes import Scene

RECORD = "merge.json"


@click.command()
@click.option("--polygons", required=True, help="Folder that `postprocess` wrote.")
@click.option("--dst", required=True, help="Folder to write <scene>.geojson and merge.json to.")
@options.AUX
@options.metres("join_distance", 1000, "Polygons of one class within so many metres are one slick.")
@options.metres("closing", 500, "Metres by which slicks are widened and narrowed again.")
@options.threshold(
    "poly_nms_thresh",
    0.2,
    "Of two with a higher IoU, or one half inside the other, the less sure one goes; none: all stay.",
)
@options.metres("nodata_margin", 500, "Nothing is reported in nodata and so many metres around it.")
@options.metres("land_margin", 1000, "Nothing is reported on land and so many metres around it.")
@options.threshold("strong_thresh", None, "A region needs a pixel as probable.")
@options.threshold("trim_thresh", None, "Less probable pixels of it go.")
@click.option("--across_classes", type=bool, default=False, show_default=True, help="Join classes, too.")
@options.GEOREFERENCE
@options.workers()
def command(polygons: str, dst: str, aux: str | None, georeference: str, workers: int, **how: Any) -> None:
    """Merge the polygons of tiles into slicks of scenes.

    What touches is one region; hysteresis drops it without a strong pixel, and trims it. Regions that lie
    mostly outside the scene, in nodata or on land go, others lose what lies there. Those within a distance
    are joined: median score, commonest class. Of copies the surest stays.

    \b
    Example:
      python -m pipelines.cerulean.merge --polygons=polygons --aux=sea/aux --dst=merged \\
        --join_distance=1000 --closing=500 --poly_nms_thresh=0.2
    """
    from pipelines.processes import each

    record, sources = read_record(Path(polygons))
    scenes = [_scene(source, Path(polygons)) for source in sources]
    rules, land = Rules(**how), options.auxiliary_data(aux).land
    target = Path(dst).resolve()
    if target == Path(polygons).resolve():
        raise BadInput("is the folder of the polygons to merge", where=dst, hint="name another one")
    with staged(target, last=target / RECORD) as folder:
        job = partial(_merge, Job(tuple(record["classes"]), rules, land, georeference, folder))
        counts = each(job, list(zip(sources, scenes, strict=True)), workers, "merge", "scene")
        write_json(folder / RECORD, _record(record, sources, counts, rules, georeference, target))
    total = sum(one["polygons"] for one in counts)
    click.echo(f"wrote {total} slicks of {len(sources)} scenes: {dst}")


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


def _record(
    record: dict[str, Any],
    sources: Sequence[Source],
    counts: Sequence[dict[str, int]],
    rules: Rules,
    georeference: str,
    target: Path,
) -> dict[str, Any]:
    return {
        **carried(record),
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
