"""The program `evaluate`: merged polygons against the layers of their scenes, in numbers and pictures.

Reads by `evaluation_scenes`; what is counted how stands in the modules that it imports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines import program
from pipelines.cerulean import options
from pipelines.cerulean.confusions import MEASURES, Confusion, mean
from pipelines.cerulean.instance_metrics import THRESHOLDS, Case, Compared, compare, confusion, likeness
from pipelines.option_types import Finite

if TYPE_CHECKING:
    from pipelines.cerulean.evaluation_scenes import Merged
    from pipelines.cerulean.scenes import Scene

RESULT = "evaluation.json"
OF_SLICKS = ("precision", "recall", "f1")  # a count of slicks has no area
_HALF = THRESHOLDS.index(0.5)


@dataclass
class Scored:
    """What is kept of the scenes that were read: no whole pictures.

    Attributes:
        pixels: (classes, classes), counts of all scenes.
        placed: counts of polygons, summed; by scene in ``scenes``.
    """

    pixels: Any
    cases: list[Case] = field(default_factory=list)
    placed: Counter[str] = field(default_factory=Counter)
    scenes: dict[str, dict[str, Any]] = field(default_factory=dict)


@click.command()
@click.option("--polygons", required=True, help="Folder that `merge` wrote.")
@click.option("--dst", required=True, help="Folder to write tables, pictures and evaluation.json to.")
@click.option(
    "--list",
    "scene_list",
    help="List of scenes to compare, or a folder of them.  [default: all, where they were]",
)
@options.AUX
@click.option(
    "--iou_thresh", type=Finite(0, 1), default=0.5, show_default=True,
    help="From which IoU a slick is found, for the confusion of slicks.",
)  # fmt: skip
@click.option(
    "--dropped", type=click.Choice(["ignore", "background"]), default="ignore", show_default=True,
    help="What true slicks are whose class the model leaves out.",
)  # fmt: skip
@options.metres("nodata_margin", 500, "Metres around nodata that belong to it.")
@options.metres("land_margin", 1000, "Metres around land that belong to it.")
@click.option("--draw", type=bool, default=True, show_default=True, help="Draw the confusion matrices.")
def command(
    polygons: str, dst: str, scene_list: str | None, aux: str | None, iou_thresh: float, dropped: str,
    draw: bool, **margins: float,
) -> None:  # fmt: skip
    """Compare slicks that were found to those that were annotated, pixel by pixel and slick by slick.

    Pixels and slicks of classes that the model leaves out count neither for nor against it, unless --dropped
    says background. Scores that would divide by zero are null. Average precision, and the scores in
    thresholds.csv, are over IoU from 0.05 to 0.95.

    \b
    Example:
      python -m pipelines.cerulean.evaluate --polygons=merged --aux=sea/aux --dst=evaluation
    """
    from pipelines.cerulean.evaluation_scenes import chosen, read_merged

    merged = read_merged(polygons, ignore_dropped=dropped == "ignore")
    land = options.auxiliary_data(aux).land
    scored = score(merged, chosen(merged, scene_list), land, margins)
    compared = [compare(case) for case in scored.cases]
    pixels = Confusion(merged.classes, scored.pixels)
    slicks = confusion(compared, merged.classes, iou_thresh)
    result = {**report(scored, compared, pixels, slicks), "merge": merged.counts}
    info = {
        "program": "pipelines.cerulean.evaluate", "iou_thresh": iou_thresh, "dropped": dropped, **margins,
    }  # fmt: skip
    with program.staged(dst, Path(dst) / RESULT) as hidden:
        _write_tables(hidden, pixels, slicks, result)
        if draw:
            _draw(hidden, pixels, slicks, iou_thresh)
        program.write_json(hidden / RESULT, {"info": [info], "result": result})
    click.echo(f"wrote {Path(dst) / RESULT}: {_said(result['metrics'])}")


def score(merged: Merged, scenes: Sequence[Scene], land: Path | None, margins: Mapping[str, float]) -> Scored:
    """Read the scenes one by one and count their pixels and polygons, those on ``land`` if there is any."""
    import numpy as np
    from tqdm import tqdm

    from pipelines.cerulean import pixel_metrics, placement
    from pipelines.cerulean.evaluation_scenes import read_case, read_polygons

    classes = len(merged.classes)
    scored = Scored(np.zeros((classes, classes), np.int64))
    for scene in tqdm(scenes, desc="evaluate", unit="scene", disable=None):
        polygons = read_polygons(merged, scene.id)
        case = read_case(merged, scene, polygons)
        counts = pixel_metrics.count_case(case, classes)
        placed = {
            "polygons": len(polygons),
            **placement.misplaced(polygons, scene, merged.georeference, land, **margins),
            "polygons_duplicated": placement.duplicated(polygons),
        }
        scored.pixels += counts
        scored.cases.append(case)
        scored.placed.update({name: number for name, number in placed.items() if number is not None})
        pixel_f1 = Confusion(merged.classes, counts).slick()["f1"]
        scored.scenes[scene.id] = {"true": len(case.truths), "pixel_f1_slick": pixel_f1, **placed}
    return scored


def report(
    scored: Scored, compared: Sequence[Compared], pixels: Confusion, slicks: Confusion
) -> dict[str, Any]:
    """Metrics of everything, of each class, at each threshold and of each scene."""
    from pipelines.cerulean.average_precision import average_precision, averages

    names = pixels.names
    masks, boxes = (average_precision(scored.cases, names, kind) for kind in ("segm", "bbox"))
    over_classes, over_boxes = averages(masks), averages(boxes)
    placed = {name: scored.placed.get(name) for name in next(iter(scored.scenes.values()))
              if name.startswith("polygons")}  # fmt: skip
    metrics = {
        **_named("pixel", pixels, MEASURES), **_named("instance", slicks, OF_SLICKS), **likeness(compared),
        "ap": mean(over_classes), "ap_50": over_classes[_HALF], "ap_boxes": mean(over_boxes), **placed,
    }  # fmt: skip
    return {
        "metrics": metrics,
        "classes": _classes(pixels, slicks, masks, boxes),
        "thresholds": [
            {
                "iou_thresh": iou,
                **_slick(confusion(compared, names, iou)),
                "ap": over_classes[place],
                "ap_boxes": over_boxes[place],
                **{f"ap_{name}": values[place] for name, values in masks.items()},
            }
            for place, iou in enumerate(THRESHOLDS)
        ],
        "scenes": scored.scenes,
    }


def _named(what: str, found: Confusion, measures: Sequence[str]) -> dict[str, float | None]:
    slick, macro = found.slick(), found.macro()
    return {
        **{f"{what}_{measure}_slick": slick[measure] for measure in measures},
        **{f"{what}_{measure}_macro": macro[measure] for measure in measures},
    }


def _slick(found: Confusion) -> dict[str, float | None]:
    scores = found.slick()
    return {measure: scores[measure] for measure in OF_SLICKS}


def _classes(
    pixels: Confusion,
    slicks: Confusion,
    masks: Mapping[str, Sequence[float | None]],
    boxes: Mapping[str, Sequence[float | None]],
) -> list[dict[str, Any]]:
    """A row for each class; background has no slicks."""
    by_pixel, by_slick = pixels.per_class(), slicks.per_class()
    return [
        {
            "class": name,
            **{f"pixel_{measure}": value for measure, value in by_pixel[name].items()},
            **{
                f"instance_{measure}": by_slick[name][measure] if name in masks else None
                for measure in (*OF_SLICKS, "true", "found")
            },
            "ap": mean(masks.get(name, ())),
            "ap_boxes": mean(boxes.get(name, ())),
        }
        for name in pixels.names
    ]


def _said(metrics: Mapping[str, Any]) -> str:
    """The F1 of pixels for whoever waits at the screen."""
    shown = ((name, metrics[f"pixel_f1_{name}"]) for name in ("slick", "macro"))
    return "F1 of pixels " + ", ".join(f"{name} {'-' if f1 is None else f'{f1:.3f}'}" for name, f1 in shown)


def _draw(folder: Path, pixels: Confusion, slicks: Confusion, iou_thresh: float) -> None:
    from pipelines.cerulean import confusion_pictures

    confusion_pictures.draw(folder / "confusion_pixels.png", pixels, "pixels")
    confusion_pictures.draw(folder / "confusion_instances.png", slicks, f"slicks at IoU {iou_thresh:g}")


def _write_tables(folder: Path, pixels: Confusion, slicks: Confusion, result: Mapping[str, Any]) -> None:
    from pipelines.cerulean import evaluation_tables as tables

    tables.write_confusion(folder, "pixels", pixels)
    tables.write_confusion(folder, "instances", slicks)
    tables.write_mappings(folder / "classes.csv", result["classes"])
    tables.write_mappings(folder / "thresholds.csv", result["thresholds"])
    tables.write_mappings(
        folder / "scenes.csv", [{"scene": name, **row} for name, row in result["scenes"].items()]
    )


if __name__ == "__main__":
    program.run(command)
