"""What a preparer of labelled windows is: a task in, windows with labels out.

Preparers themselves stand beside it; how windows are written stands in pipelines/esrun/labelled.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from pipelines.esrun.annotations import AnnotationTask
from pipelines.esrun.labelled_windows import LabeledWindow


class LabeledWindowPreparer(ABC):
    """Base of preparers; derive from one of the two below.

    Several threads may call one object at once: keep no state between calls.
    """

    def check(self, annotation_task: AnnotationTask) -> None:  # noqa: B027 - most need none
        """Raise BadInput for a task that cannot be prepared; all are checked before anything is written."""

    @abstractmethod
    def prepare_labeled_windows(self, annotation_task: AnnotationTask) -> list[LabeledWindow]:
        """The windows of one task, each with at least one label, in an order that stays."""


class RasterLabelsWindowPreparer(LabeledWindowPreparer):
    """Base of preparers whose windows have a `RasterLabel`.

    Attributes:
        label_dtype: type of its values, as written to the dataset's config.
    """

    label_dtype: str = "uint8"


class VectorLabelsWindowPreparer(LabeledWindowPreparer):
    """Base of preparers whose windows have annotations as labels."""
