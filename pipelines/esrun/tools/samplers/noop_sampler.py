"""All tasks.

Any choice among them does not belong here.
"""

from __future__ import annotations

from pipelines.esrun.annotations import AnnotationTask
from pipelines.esrun.tools.samplers.sampler_interface import SamplerInterface


class NoopSampler(SamplerInterface):
    """Keeps every task."""

    def sample(self, annotation_tasks: list[AnnotationTask]) -> list[AnnotationTask]:
        return list(annotation_tasks)
