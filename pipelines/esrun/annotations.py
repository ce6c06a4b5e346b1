"""Annotation tasks: the areas that somebody labelled, when, and the shapes with labels in them.

What windows are made of them does not belong here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.errors import BadInput
from pipelines.esrun.features import Feature, TimeRange, read_features
from pipelines.esrun.label_classes import Classes, Label, classes_for

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from pipelines.esrun.project import Project

TASKS = "annotation_task_features.geojson"
ANNOTATIONS = "annotation_features.geojson"


@dataclass(frozen=True)
class Annotation:
    """A labelled shape.

    Attributes:
        geometry: in lon/lat (EPSG:4326).
        label: the value of its class, or a measured number.
        labels: all that its file says, by name; texts as they stand there.
        place: where it stands, for errors, as in "feature 3 of annotation_features.geojson".
    """

    geometry: BaseGeometry
    label: Label
    labels: Mapping[str, Any] = field(default_factory=dict)
    place: str = "an annotation"

    def need(self, *kinds: str) -> None:
        """Raise BadInput unless its geometry is of one of these ``kinds``, such as "Point"."""
        if self.geometry.geom_type not in kinds:
            raise BadInput(f"{self.place} is a {self.geometry.geom_type}; wanted is a {' or '.join(kinds)}")


@dataclass(frozen=True)
class AnnotationTask:
    """An area that was looked over for annotations.

    Attributes:
        geometry: in lon/lat (EPSG:4326).
        annotations: in the order of their file.
    """

    task_id: str
    geometry: BaseGeometry
    time_range: TimeRange | None = None
    annotations: tuple[Annotation, ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)


def read_tasks(project: Project, label_property: str) -> tuple[list[AnnotationTask], Classes]:
    """The tasks of a project in the order of their file, with their annotations, and the classes of these.

    Annotations of tasks that are not in the file are left out, with one line of warning for all of them.

    Args:
        label_property: the label meant where an annotation has several.

    Raises:
        BadInput: a file is missing or no GeoJSON of features; a task or an annotation without a task id; two
            tasks of one id; a start without an end, or after it; no label, or one that is no allowed value.
    """
    tasks = _tasks(project.path / TASKS)
    rows = list(_rows(project.path / ANNOTATIONS, label_property))
    classes = classes_for(project, label_property, (row.label for _, row in rows))
    known: dict[str, list[Annotation]] = {task_id: [] for task_id in tasks}
    strays = [task_id for task_id, _ in rows if task_id not in known]
    if strays:
        click.echo(
            f"warning: {ANNOTATIONS}: {len(strays)} annotations of unknown tasks are left out, the first of "
            f"task {strays[0]}", err=True,
        )  # fmt: skip
    for task_id, row in rows:
        if task_id in known:
            known[task_id].append(replace(row, label=classes.value(row.label, row.place)))
    return [replace(task, annotations=tuple(known[name])) for name, task in tasks.items()], classes


def _tasks(path: Path) -> dict[str, AnnotationTask]:
    found: dict[str, AnnotationTask] = {}
    for number, feature in enumerate(read_features(path)):
        place = f"feature {number}"
        task_id = _task_id(feature, place, path)
        if task_id in found:
            raise BadInput(f"{place}: there is another task {task_id}", where=path)
        if (feature.named("start_time") is None) != (feature.named("end_time") is None):
            raise BadInput(f"{place} has a start or an end, but not both", where=path)
        found[task_id] = AnnotationTask(
            task_id, feature.geometry, feature.time_range, (), dict(feature.properties)
        )
    return found


def _rows(path: Path, label_property: str) -> Iterator[tuple[str, Annotation]]:
    """Task id and annotation, its label as it stands in the file."""
    for number, feature in enumerate(read_features(path)):
        place = f"feature {number}"
        task_id = _task_id(feature, place, path)
        labels = _labels(feature, label_property, place, path)
        label = labels.get(label_property)
        if label is None and len(labels) == 1:
            (label,) = labels.values()
        if label is None:
            raise BadInput(f"{place} has labels {', '.join(labels)}, but no {label_property!r}", where=path,
                           hint="see window_prep.label_property")  # fmt: skip
        yield task_id, Annotation(feature.geometry, label, labels, f"{place} of {path.name}")


def _task_id(feature: Feature, place: str, path: Path) -> str:
    found = feature.named("annotations_task_id")
    if found is None or str(found) == "":
        raise BadInput(f"{place} has no oe_annotations_task_id (or es_annotations_task_id)", where=path)
    return str(found)


def _labels(feature: Feature, label_property: str, place: str, path: Path) -> dict[str, Any]:
    """Labels by name, those without a value left out."""
    named = feature.named("labels")
    if named is None:
        named = {label_property: feature.named("label")}
    if not isinstance(named, Mapping):
        raise BadInput(f"{place}: oe_labels is {named!r}, not a mapping of names to values", where=path)
    found = {str(name): value for name, value in named.items() if value is not None}
    if not found:
        raise BadInput(f"{place} has no label (es_label, or oe_labels with a value)", where=path)
    return found
