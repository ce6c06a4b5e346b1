"""The classes of a project's results: values, labels and colours, from `inference_results_config`.

How results are written, and how classes are predicted, does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kwdag.errors import did_you_mean
from pipelines.errors import BadInput
from pipelines.esrun.project import Project

Colour = tuple[int, int, int, int]
SECTION = "inference_results_config"
KEYS = ("data_type", "classification_fields", "regression_fields", "detection_objects")
FIELD_KEYS = (
    "property_name", "band_index", "allowed_values", "confidence_property_name", "confidence_band_index",
)  # fmt: skip
VALUE_KEYS = ("value", "label", "color")
# Okabe and Ito (2008), told apart by the colour-blind, too.
PALETTE = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0),
    (204, 121, 167),
)  # fmt: skip


@dataclass(frozen=True)
class Legend:
    """What the classes of a result are called, in the order of the network's scores.

    Attributes:
        property_name: of the class in vector results; of the band in rasters.
        values: as they stand in rasters and label rasters.
        vector: whether results are GeoJSON.
        confidence: the property that holds a vector result's probability.
    """

    values: tuple[int | str, ...]
    labels: tuple[str, ...]
    colours: tuple[Colour, ...]
    property_name: str = "label"
    vector: bool = False
    confidence: str = "probability"

    @property
    def nodata(self) -> int:
        """The byte that says that there is no class: 0, else 255, else the smallest that no class takes."""
        return next(value for value in (0, 255, *range(257)) if value not in self.values)

    def colormap(self) -> dict[int, Colour]:
        """Value -> red, green, blue, alpha; nodata is transparent."""
        found = {int(value): colour for value, colour in zip(self.values, self.colours, strict=True)}
        return {**found, self.nodata: (0, 0, 0, 0)}

    def css(self, number: int) -> str:
        """The colour of class ``number`` as `#rrggbb`."""
        return "#{:02x}{:02x}{:02x}".format(*self.colours[number][:3])

    def index(self, value: Any) -> int | None:
        """The number of the class that a value or a label names; None if none does."""
        for names in (self.values, self.labels):
            if value in names and not isinstance(value, bool):
                return names.index(value)
        return next((number for number, name in enumerate(self.values) if str(name) == str(value)), None)


def legend(project: Project, classes: Sequence[str] = (), otherwise: Sequence[str] = ()) -> Legend:
    """The legend of a project's results.

    Args:
        classes: labels that model.yaml names. Where the project has no `classification_fields` their values
            count from 0, as those of labels do then, and nodata is 255.
        otherwise: labels to use where neither names any.

    Raises:
        BadInput: no classes anywhere, other ones than ``classes``, or a config that cannot be.
    """
    config = project.section(SECTION)
    _known(config, KEYS, SECTION, project)
    kind = config.get("data_type", "RASTER")
    if kind not in ("RASTER", "VECTOR"):
        raise _fault(project, f"data_type: must be RASTER or VECTOR, not {kind!r}")
    for key in ("regression_fields", "detection_objects"):
        if config.get(key):
            raise _fault(project, f"{key}: only classification_fields can be predicted")
    fields = config.get("classification_fields") or []
    if not isinstance(fields, list) or len(fields) > 1:
        raise _fault(project, "classification_fields: must be a list of one field")
    if fields:
        found = _field(fields[0], project, vector=kind == "VECTOR")
        _check_same(found, classes, project)
        return found
    if not classes and not otherwise:
        raise _fault(project, "classification_fields: names no classes, and model.yaml neither")
    return replace(plain(classes or otherwise), vector=kind == "VECTOR")


def plain(classes: Sequence[str]) -> Legend:
    """Classes with values from 0 on and colours of our own."""
    numbers = range(len(classes))
    return Legend(tuple(numbers), tuple(classes), tuple(map(_own_colour, numbers)))


def _field(field: Any, project: Project, vector: bool) -> Legend:
    key = "classification_fields[0]"
    if not isinstance(field, Mapping) or not isinstance(field.get("allowed_values"), list):
        raise _fault(project, f"{key}: needs property_name and allowed_values")
    _known(field, FIELD_KEYS, f"{SECTION}.{key}", project)
    if field.get("band_index") not in (None, 0):
        raise _fault(project, f"{key}.band_index: results have one band, so it must be 0")
    if field.get("confidence_band_index") is not None:
        raise _fault(project, f"{key}.confidence_band_index: rasters hold the class alone")
    name = field.get("property_name", "label")
    if not isinstance(name, str) or not name or "/" in name or name.startswith("."):  # it names a folder
        raise _fault(project, f"{key}.property_name: {name!r} is no name")
    rows = [
        _value(row, f"{key}.allowed_values[{number}]", number, project, vector)
        for number, row in enumerate(field["allowed_values"])
    ]
    values, labels = tuple(row[0] for row in rows), tuple(row[1] for row in rows)
    if not rows or len(set(values)) < len(rows) or len(set(labels)) < len(rows):
        raise _fault(project, f"{key}.allowed_values: needs classes, each with a value and label of its own")
    if not vector and len(rows) > 255:
        raise _fault(project, f"{key}.allowed_values: a byte holds 255 classes and nodata, not {len(rows)}")
    confidence = field.get("confidence_property_name") or "probability"
    return Legend(values, labels, tuple(row[2] for row in rows), name, vector, str(confidence))


def _value(row: Any, key: str, number: int, project: Project, vector: bool) -> tuple[int | str, str, Colour]:
    if not isinstance(row, Mapping) or "value" not in row:
        raise _fault(project, f"{key}: needs value, label and color")
    _known(row, VALUE_KEYS, f"{SECTION}.{key}", project)
    value = row["value"]
    if isinstance(value, bool) or not isinstance(value, int if not vector else int | str):
        raise _fault(project, f"{key}.value: {value!r} is no {'whole number' if not vector else 'name'}")
    if not vector and not 0 <= value <= 255:
        raise _fault(project, f"{key}.value: {value} does not fit into a byte (0 to 255)")
    label = row.get("label", value)
    return value, str(label), _colour(row.get("color"), f"{key}.color", number, project)


def _colour(value: Any, key: str, number: int, project: Project) -> Colour:
    if value is None:
        return _own_colour(number)
    if (
        not isinstance(value, list)
        or len(value) not in (3, 4)
        or not all(isinstance(part, int) and 0 <= part <= 255 for part in value)
    ):
        raise _fault(project, f"{key}: must be [red, green, blue] of 0 to 255, not {value!r}")
    red, green, blue, alpha = (*value, 255)[:4]
    return red, green, blue, alpha


def _own_colour(number: int) -> Colour:
    red, green, blue = PALETTE[number % len(PALETTE)]
    return red, green, blue, 255


def _check_same(found: Legend, classes: Sequence[str], project: Project) -> None:
    if classes and tuple(classes) != found.labels:
        raise BadInput(
            f"classes: {', '.join(classes)} are not those of {SECTION} ({', '.join(found.labels)})",
            where=project.model_config,
        )


def _known(data: Mapping[str, Any], names: Sequence[str], key: str, project: Project) -> None:
    for name in data:
        if name not in names:
            hint = did_you_mean(str(name), names)
            raise BadInput(f"{key}: no key {name!r}", where=project.config_fpath, hint=hint)


def _fault(project: Project, text: str) -> BadInput:
    return BadInput(f"{SECTION}.{text}", where=project.config_fpath)
