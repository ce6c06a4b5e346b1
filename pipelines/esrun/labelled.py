"""Labelled windows: annotation tasks of a project become windows of a dataset, with labels and a split.

Choosing, preparing and splitting are done by the tools of `window_prep`; images are fetched elsewhere.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from pipelines.errors import BadInput
from pipelines.esrun.annotations import AnnotationTask, read_tasks
from pipelines.esrun.dataset import Dataset, Window
from pipelines.esrun.label_classes import Classes
from pipelines.esrun.label_layers import LabelLayer, with_label_layer
from pipelines.esrun.labelled_windows import LabeledWindow, RasterLabel
from pipelines.esrun.project import Project
from pipelines.esrun.proportions import SPLITS
from pipelines.esrun.tools.labeled_window_preparers.labeled_window_preparer import (
    RasterLabelsWindowPreparer,
    VectorLabelsWindowPreparer,
)
from pipelines.esrun.window_prep import WindowPrep, window_prep
from pipelines.program import read_json, write_json

T = TypeVar("T")
SUMMARY = "labelled_windows.json"
TASK = "annotations_task_id"  # option of a window that was made here


def prepare_labeled_windows(project: Project, dataset: Dataset, workers: int = 0) -> int:
    """Make the labelled windows of a project's annotations; how many there are now.

    Written: config.json with the label layer, windows with their split in the options and a completed label
    layer, and last `labelled_windows.json`, which counts windows by split, lists the classes, and counts
    labels (of rasters: pixels). A second run changes nothing; changed annotations replace their windows'
    labels, and windows of annotations that are gone go. Other layers of a window stay while its place does.

    Args:
        workers: threads; the outcome is the same for any number of them.

    Raises:
        BadInput: something is wrong with esrun.yaml, dataset.json or an annotation, no annotation makes a
            window, or the dataset was made with another dataset.json; nothing is written then.
    """
    prep = window_prep(project)
    tasks, classes = read_tasks(project, prep.names.label_property)
    config, layer = _layer(project, prep)
    _check_same(dataset, config, layer)
    tasks = list(prep.sampler.sample(tasks))
    for task in tasks:
        prep.preparer.check(task)
    tally = _Tally(classes)
    for windows in _prepared(prep, tasks, dataset, layer, workers):
        for labelled, split in windows:
            tally.add(labelled, split, project)
    if not tally.names:
        raise BadInput("none of the annotations makes a window", where=project.path)
    _remove_others(dataset, prep.names.group_name, tally.names)
    write_json(dataset.path / "config.json", config)
    write_json(dataset.path / SUMMARY, tally.to_json())
    return len(tally.names)


Split = tuple[LabeledWindow, str]


def _prepared(
    prep: WindowPrep, tasks: list[AnnotationTask], dataset: Dataset, layer: LabelLayer, workers: int
) -> Iterator[list[Split]]:
    """Windows, written, of some tasks after others, so that not all labels are in memory at once."""
    from rasterio.errors import NotGeoreferencedWarning
    from tqdm import tqdm

    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(max(1, workers)) as pool,
        tqdm(total=len(tasks), unit="task", desc="prepare", disable=None) as bar,
    ):
        # of rasterizing; rasterio silences it itself, but not among threads
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        for some in _batches(tasks, 8 * max(1, workers)):
            found = [one for made in pool.map(prep.preparer.prepare_labeled_windows, some) for one in made]
            # not in the threads: a user's splitter may draw from a sequence
            chosen = [(one, _checked(prep.splitter.choose_split_for_window(one), one)) for one in found]
            if chosen:  # it would speak of windows that are being replaced
                (dataset.path / SUMMARY).unlink(missing_ok=True)
            list(pool.map(lambda pair: _write(dataset, prep, layer, *pair), chosen))
            bar.update(len(some))
            yield chosen


def _write(
    dataset: Dataset, prep: WindowPrep, layer: LabelLayer, labelled: LabeledWindow, split: str
) -> None:
    options = {prep.names.split_property: split, TASK: labelled.task_id}
    window = Window(
        prep.names.group_name,
        labelled.name,
        labelled.projection,
        labelled.bounds,
        labelled.time_range,
        options,
    )
    place = dataset.window_dpath(window)
    if (place / "metadata.json").exists():
        old = dataset.window(window.group, window.name)
        if (old.projection, old.bounds, old.time_range) != (
            window.projection,
            window.bounds,
            window.time_range,
        ):
            shutil.rmtree(place)  # its images show another place or time
    dataset.add(window)
    layer.write(dataset, window, labelled.labels)


def _checked(split: Any, window: LabeledWindow) -> str:
    found = getattr(split, "value", split)  # of an enumeration
    if found not in SPLITS:
        raise BadInput(
            f"the data_splitter gave window {window.name} split {found!r}, not one of {', '.join(SPLITS)}"
        )
    return str(found)


def _layer(project: Project, prep: WindowPrep) -> tuple[dict[str, Any], LabelLayer]:
    preparer, names = prep.preparer, prep.names
    if not isinstance(preparer, RasterLabelsWindowPreparer | VectorLabelsWindowPreparer):
        raise BadInput("window_prep.labeled_window_preparer: must derive from RasterLabelsWindowPreparer or "
                       "VectorLabelsWindowPreparer", where=project.config_fpath)  # fmt: skip
    dtype = preparer.label_dtype if isinstance(preparer, RasterLabelsWindowPreparer) else None
    path = project.dataset_config
    data = read_json(path)
    try:
        json.dumps(data, allow_nan=False)
    except ValueError:
        raise BadInput("holds a number that is none (NaN or Infinity)", where=path) from None
    return with_label_layer(data, path, names.label_layer, names.label_property, dtype)


def _check_same(dataset: Dataset, config: dict[str, Any], layer: LabelLayer) -> None:
    """Raise BadInput where another dataset.json made the images that are there."""
    place = dataset.path / "config.json"
    if place.exists():
        old, new = (
            {name: spec for name, spec in (one.get("layers") or {}).items() if name != layer.name}
            for one in (read_json(place), config)
        )
        if old != new:
            raise BadInput("was made with another dataset.json", where=place,
                           hint="use another scratch directory, or delete this dataset")  # fmt: skip


class _Tally:
    """Counts of what was written."""

    def __init__(self, classes: Classes):
        self.classes = classes
        self.names: set[str] = set()
        self.splits = Counter[str]()
        self.labels = {split: Counter[str]() for split in SPLITS}

    def add(self, labelled: LabeledWindow, split: str, project: Project) -> None:
        if labelled.name in self.names:
            raise BadInput(f"two labelled windows are named {labelled.name}", where=project.path)
        self.names.add(labelled.name)
        self.splits[split] += 1
        if isinstance(labelled.labels, RasterLabel):
            values, counts = np.unique(labelled.labels.values, return_counts=True)
            pairs = zip(values.tolist(), counts.tolist(), strict=True)
            self.labels[split].update({f"{v:g}": n for v, n in pairs if v != labelled.labels.nodata_value})
        else:
            self.labels[split].update(f"{one.label:g}" for one in labelled.labels)

    def to_json(self) -> dict[str, Any]:
        return {
            "classes": self.classes.to_json(),
            "labels": {split: dict(found) for split, found in self.labels.items()},
            "windows": len(self.names),
            "windows_by_split": {split: self.splits[split] for split in SPLITS},
        }


def _remove_others(dataset: Dataset, group: str, names: set[str]) -> None:
    """Remove windows that an earlier run made of annotations that are gone."""
    for window in list(dataset.windows([group])):
        if window.name not in names and TASK in window.options:
            shutil.rmtree(dataset.window_dpath(window))


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
