"""The program `evaluate`: a combined result against labels, and how much of the request it answers.

What is counted how stands in comparing.py, confusion.py, coverage.py and seams.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from pipelines.errors import BadInput
from pipelines.esrun import coverage, seams
from pipelines.esrun.class_maps import read_labels
from pipelines.esrun.colours import Legend
from pipelines.esrun.comparing import compare
from pipelines.esrun.features import Feature, FeatureCollection, read_features
from pipelines.esrun.project import Project, load_project
from pipelines.esrun.scratch import OUTPUT_LAYER, Part, Results
from pipelines.esrun.seams import Overlap
from pipelines.esrun.tiles import tiles_of
from pipelines.program import run, write_json, writing

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

    All labels within the request count, and one without a prediction is missed. `seam_disagreement` is the
    share of the pixels of overlapping windows on which they differ, `coverage` that of the request which has
    a result, `window_success_rate` that of the windows which have an output.
    """
    project = load_project(project_path)
    legend = classes_of(project)
    labels = read_labels(labels_fpath, legend, label_property)
    request = read_features(project.request(request_geometry_path))
    found, datasets = Results(Path(results)), listed(outputs)
    measured, seam = compare(found, labels, request), seams.overlap(_rasters(datasets))
    partitions = None if partitions_dpath is None else Path(partitions_dpath)
    metrics = {
        "macro_f1": measured.macro_f1(), "overall_accuracy": measured.accuracy(),
        "miou": measured.mean_iou(), "coverage": coverage_of(found, request),
        **of_windows(seam, datasets, partitions),
    }  # fmt: skip
    more = {
        "compared": measured.total, "without_prediction": int(measured.missed.sum()),
        "overlapping_pixels": seam.pixels, "differing_pixels": seam.different,
    }  # fmt: skip
    info = {"program": "pipelines.esrun.evaluate", "label_property": labels.property_name}
    with writing(eval_fpath) as temporary:  # it comes last, and where it cannot be neither is the other
        write_json(temporary, {"info": [info], "result": {"metrics": metrics, **more}})
        if confusion_fpath is not None:
            write_json(confusion_fpath, measured.to_json())


def classes_of(project: Project) -> Legend:
    """The classes of results: those of esrun.yaml, else of model.yaml."""
    from pipelines.esrun.colours import legend
    from pipelines.esrun.model_config import load_model_config

    fields = project.section("inference_results_config").get("classification_fields")
    return legend(project, () if fields else load_model_config(project, project.path).classes)


def coverage_of(results: Results, request: FeatureCollection) -> float:
    tiles = tiles_of(results)
    if tiles:
        return coverage.of_rasters(tiles, request)
    return coverage.of_features(read_features(results.vector, need=False), request)


def of_windows(seam: Overlap, datasets: Sequence[Path], partitions: Path | None) -> dict[str, float]:
    """The metrics of windows, those that there is anything to say of."""
    found = {} if seam.share is None else {"seam_disagreement": seam.share}
    if partitions is not None and datasets:
        found["window_success_rate"] = success_rate(partitions, datasets)
    return found


def success_rate(partitions: Path, datasets: Sequence[Path]) -> float:
    """The share of the windows asked for whose output is complete.

    Raises:
        BadInput: no partition has any window, or one has no name.
    """
    wanted = {
        (Part(path.parent).group, _name(feature, path))
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


def _name(window: Feature, path: Path) -> str:
    name = window.named("window_name")
    if not isinstance(name, str):
        raise BadInput("a feature has no oe_window_name", where=path)
    return name


def listed(texts: Sequence[str]) -> list[Path]:
    """Folders, each given by itself or in a text file with one a line."""
    found: list[Path] = []
    for path in map(Path, texts):
        if path.is_file():
            found += [Path(line) for line in _text(path).splitlines() if line]
        else:
            found.append(path)
    for path in found:
        if not path.is_dir():
            raise BadInput("no such folder", where=path)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise BadInput("is neither a folder nor a text file that lists some", where=path) from None


def _rasters(datasets: Sequence[Path]) -> list[Path]:
    """The outputs of all windows; a window that two partitions have counts once."""
    found: dict[str, Path] = {}
    for dataset in datasets:
        for path in sorted(dataset.glob(f"windows/*/*/layers/{OUTPUT_LAYER}/*/*.tif")):
            found.setdefault(path.parts[-5], path)
    return list(found.values())


if __name__ == "__main__":
    run(command)
