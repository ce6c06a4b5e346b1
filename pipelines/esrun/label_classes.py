"""The classes of labels: which number stands for which text.

Where labels are read and written does not belong here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kwdag.errors import did_you_mean
from pipelines.errors import BadInput

if TYPE_CHECKING:
    from pipelines.esrun.project import Project

Label = int | float


@dataclass(frozen=True)
class Classes:
    """Numbers of label texts.

    Attributes:
        names: text of a class -> its number.
        closed: whether a number or a text that is not listed is an error.
    """

    names: Mapping[str, Label] = field(default_factory=dict)
    closed: bool = False

    def value(self, label: Any, place: str) -> Label:
        """The number of a label, which is a number itself or the text of a class.

        Raises:
            BadInput: it is neither, or no listed one.
        """
        if isinstance(label, str) and label in self.names:
            return self.names[label]
        number = _number(label)
        if number is None or (self.closed and number not in self.names.values()):
            allowed = ", ".join(f"{name!r} ({value})" for name, value in self.names.items())
            hint = did_you_mean(str(label), self.names)
            wanted = f"none of {allowed}" if allowed else "no number"
            raise BadInput(f"{place}: label {label!r} is {wanted}", hint=hint)
        return number

    def to_json(self) -> list[dict[str, Any]]:
        return [{"label": name, "value": value} for name, value in self.names.items()]


def classes_for(project: Project, label_property: str, labels: Iterable[Any]) -> Classes:
    """The classes of a project's labels.

    Those of `inference_results_config.classification_fields` with this property name, or of its only field:
    `allowed_values` gives value and label. Without them, numbers are what they are (so are texts that are
    numbers), and any other texts are counted from 0 in sorted order.
    """
    listed = _allowed(project, label_property)
    if listed:
        return Classes(listed, closed=True)
    texts = {label for label in labels if isinstance(label, str)}
    if all(_number(text) is not None for text in texts):
        return Classes()
    return Classes({text: number for number, text in enumerate(sorted(texts))}, closed=True)


def _allowed(project: Project, label_property: str) -> dict[str, Label]:
    key = "inference_results_config.classification_fields"
    fields = project.section("inference_results_config").get("classification_fields") or []
    if not isinstance(fields, Sequence) or not all(isinstance(one, Mapping) for one in fields):
        raise BadInput(f"{key}: must be a list of mappings", where=project.config_fpath)
    named = [one for one in fields if one.get("property_name") == label_property]
    meant = named or (fields if len(fields) == 1 else [])
    found: dict[str, Label] = {}
    rows = (meant[0].get("allowed_values") or []) if meant else []
    if not isinstance(rows, list):
        raise BadInput(f"{key}: allowed_values must be a list, not {rows!r}", where=project.config_fpath)
    for row in rows:
        value = _number(row.get("value")) if isinstance(row, Mapping) else None
        if value is None:
            raise BadInput(f"{key}: {row!r} of allowed_values has no value", where=project.config_fpath)
        found[str(row.get("label", value))] = value
    return found


def _number(label: Any) -> Label | None:
    """The number that a label is or spells; whole ones as int."""
    if isinstance(label, bool) or not isinstance(label, int | float | str):
        return None
    try:
        number = float(label)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number == int(number) else number
