"""The program `evaluate`: a combined result against labels, and how much of the request it answers.

What is counted how stands in confusion.py, coverage.py and seams.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.errors import BadInput
from pipelines.esrun import confusion, coverage, seams
from pipelines.esrun.class_maps import NONE, Labels, blocks, burnt, numbers, opened, read_labels
from pipelines.esrun.colours import Legend
from pipelines.esrun.confusion import Confusion
from pipelines.esrun.features import FeatureCollection, read_features
from pipelines.esrun.project import Project, load_project
from pipelines.esrun.scratch import OUTPUT_LAYER, Part, Results
from pipelines.program import run, write_json

if TYPE_CHECKING:
    from pipelines.esrun.confusion import Matrix

EPILOG = """\b
Example:
  python -m pipelines.esrun.evaluate --project_path=my_project --results=scratch/results \\
      --labels_fpath=truth.tif --partitions_dpath=scratch/partitions --outputs=scratch/dataset_0 \\
      --eval_fpath=evaluation.json --confusion_fpath=confusion_matrix.json"""


@click.command(name="evaluate", epilog=EPILOG)
@click.option("--project_path", required=True, help="For the classes and, by default, the request.")
@click.option("--request_geometry_path", help="GeoJSON.  [default: the project's]")
@click.option("--results", required=True, help="Folder of the combined result.")
@click.option("--labels_fpath", required=True, help="GeoTIFF of class values, or GeoJSON features.")
@click.option("--label_property", help="That holds a feature's class.  [default: the result's, or oe_label]")
@click.option("--partitions_dpath", help="Folder of the partitions, to count their windows.")
@click.option("--outputs", multiple=True,
              help="Datasets with the outputs of windows, or a text file that lists them.")  # fmt: skip
@click.option("--eval_fpath", required=True, help="JSON file of metrics to write.")
@click.option("--confusion_fpath", help="JSON file of the confusion matrix to write.")
def command(
    project_path: str,
    request_geometry_path: str | None,
    results: str,
    labels_fpath: str,
    label_property: str | None,
    partitions_dpath: str | None,
    outputs: Sequence[str],
    eval_fpath: str,
    confusion_fpath: str | None,
) -> None:
    """Compare a combined result to labels, class by class.

    Pixels count where both the result and the labels have a class. `seam_disagreement` is the share of the
    pixels of overlapping windows on which they differ, `coverage` that of the request which has a result,
    `window_success_rate` that of the windows which have an output.
    """
    project = load_project(project_path)
    legend = classes_of(project)
    labels = read_labels(labels_fpath, legend, label_property)
    request = read_features(project.request(request_geometry_path))
    found = Results(Path(results))
    datasets = listed(outputs)
    measured = measure(found, labels, request)
    metrics = {
        "macro_f1": measured.macro_f1(),
        "overall_accuracy": measured.accuracy(),
        "miou": measured.mean_iou(),
        "coverage": coverage_of(found, request),
    }
    seam = seams.overlap(_rasters(datasets))
    if seam.share is not None:
        metrics["seam_disagreement"] = seam.share
    if partitions_dpath is not None and datasets:
        metrics["window_success_rate"] = success_rate(Path(partitions_dpath), datasets)
    more = {"compared": measured.total, "overlapping_pixels": seam.pixels, "differing_pixels": seam.different}
    if confusion_fpath is not None:
        write_json(confusion_fpath, measured.to_json())
    info = {"program": "pipelines.esrun.evaluate", "label_property": labels.property_name}
    write_json(eval_fpath, {"info": [info], "result": {"metrics": metrics, **more}})


def classes_of(project: Project) -> Legend:
    """The classes of results: those of esrun.yaml, else of model.yaml."""
    from pipelines.esrun.colours import legend
    from pipelines.esrun.model_config import load_model_config

    fields = project.section("inference_results_config").get("classification_fields")
    return legend(project, () if fields else load_model_config(project, project.path).classes)


def measure(results: Results, labels: Labels, request: FeatureCollection) -> Confusion:
    """Predicted classes against true ones.

    Rasters are compared pixel by pixel; features of a result to a raster of labels on its grid; features to
    features label by label, each with the first result that meets it.

    Raises:
        BadInput: no result, or none that meets a label.
    """
    size = len(labels.legend.labels)
    tiles = rasters(results)
    if tiles:
        matrix = sum((_tile(path, labels) for path in tiles), start=_zero(size))
    elif not results.vector.is_file():
        raise BadInput("holds neither results_raster/*.tif nor result.geojson", where=results.path)
    elif labels.features is None:
        matrix = _features_on_raster(read_features(results.vector, need=False), labels)
    else:
        matrix = _features(read_features(results.vector, need=False), labels)
    if matrix.sum() == 0:
        raise BadInput(f"meets no result in {results.path}", where=labels.path)
    return Confusion(labels.legend.labels, matrix)


def coverage_of(results: Results, request: FeatureCollection) -> float:
    tiles = rasters(results)
    if tiles:
        return coverage.of_rasters(tiles, request)
    return coverage.of_features(read_features(results.vector, need=False), request)


def success_rate(partitions: Path, datasets: Sequence[Path]) -> float:
    """The share of the windows asked for whose output is complete.

    Raises:
        BadInput: no partition has any window.
    """
    wanted = {
        (Part(path.parent).group, feature.properties["oe_window_name"])
        for path in sorted(partitions.glob("*/windows.geojson"))
        for feature in read_features(path, need=False)
    }
    if not wanted:
        raise BadInput("holds no windows", where=partitions)
    done = {
        mark.parts[-5:-3]
        for dataset in datasets
        for mark in dataset.glob(f"windows/*/*/layers/{OUTPUT_LAYER}/completed")
    }
    return len(wanted & done) / len(wanted)


def rasters(results: Results) -> list[Path]:
    return sorted(results.rasters.glob("*.tif"))


def listed(texts: Sequence[str]) -> list[Path]:
    """Folders, each given by itself or in a text file with one a line."""
    found: list[Path] = []
    for path in map(Path, texts):
        if path.is_file():
            found += [Path(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
        else:
            found.append(path)
    for path in found:
        if not path.is_dir():
            raise BadInput("no such folder", where=path)
    return found


def _rasters(datasets: Sequence[Path]) -> list[Path]:
    """The outputs of all windows; a window that two partitions have counts once."""
    found: dict[str, Path] = {}
    for dataset in datasets:
        for path in sorted(dataset.glob(f"windows/*/*/layers/{OUTPUT_LAYER}/*/*.tif")):
            found.setdefault(path.parts[-5], path)
    return list(found.values())


def _tile(path: Path, labels: Labels) -> Matrix:
    matrix = _zero(len(labels.legend.labels))
    with opened(path) as image:
        for window, block in blocks(image):
            valid = image.read_masks(1, window=window) > 0
            predicted = numbers(image.read(1, window=window), valid, labels.legend)
            matrix += confusion.count(predicted, labels.numbers(block), len(labels.legend.labels))
    return matrix


def _features_on_raster(results: FeatureCollection, labels: Labels) -> Matrix:
    """On the grid of the labels; where results overlap the later one counts."""
    shapes = [(one.geometry, _predicted(one.properties, labels)) for one in results]
    matrix = _zero(len(labels.legend.labels))
    with opened(labels.path) as image:
        for _, block in blocks(image):
            predicted = burnt([pair for pair in shapes if pair[1] != NONE], block)
            matrix += confusion.count(predicted, labels.numbers(block), len(labels.legend.labels))
    return matrix


def _features(results: FeatureCollection, labels: Labels) -> Matrix:
    import numpy as np
    import shapely

    assert labels.features is not None
    tree = shapely.STRtree([one.geometry for one in results])
    pairs = []
    for label in labels.features:
        met = tree.query(label.geometry, predicate="dwithin", distance=coverage.NEAR)
        if len(met):
            first = results.features[int(met.min())]
            pairs.append((_predicted(first.properties, labels), labels.number(label.properties)))
    predicted, actual = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return confusion.count(predicted, actual, len(labels.legend.labels))


def _predicted(properties: Any, labels: Labels) -> int:
    found = labels.legend.index(properties.get(labels.legend.property_name))
    return NONE if found is None else found


def _zero(size: int) -> Matrix:
    import numpy as np

    return np.zeros((size, size), dtype=np.int64)


if __name__ == "__main__":
    run(command)
