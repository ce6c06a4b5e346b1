"""What a sampler is: a choice among annotation tasks.

Samplers themselves stand beside it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from pipelines.esrun.annotations import AnnotationTask


class SamplerInterface(ABC):
    """Base of samplers, the user's own among them; named in esrun.yaml by `window_prep.sampler`."""

    @abstractmethod
    def sample(self, annotation_tasks: list[AnnotationTask]) -> list[AnnotationTask]:
        """The tasks to make windows of, in the order in which they came."""
