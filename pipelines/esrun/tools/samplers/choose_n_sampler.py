"""Some of the tasks, by chance that comes out the same every time.

Choices by what a task holds do not belong here.
"""

from __future__ import annotations

from pipelines.esrun.annotations import AnnotationTask
from pipelines.esrun.proportions import fraction
from pipelines.esrun.tools.samplers.sampler_interface import SamplerInterface


class ChooseNSampler(SamplerInterface):
    """Keeps ``n`` tasks, all where there are fewer.

    The choice depends on the seed and the tasks' ids alone, so that it is the same on a re-run and hardly
    moves when tasks are added.

    Raises:
        ValueError: ``n`` below 1.
    """

    def __init__(self, n: int, seed: int = 0):
        if n < 1:
            raise ValueError(f"n: {n} is not above 0")
        self.n, self.seed = n, seed

    def sample(self, annotation_tasks: list[AnnotationTask]) -> list[AnnotationTask]:
        def draw(task: AnnotationTask) -> tuple[float, str]:
            return fraction(f"{self.seed} {task.task_id}"), task.task_id

        chosen = {task.task_id for task in sorted(annotation_tasks, key=draw)[: self.n]}
        return [task for task in annotation_tasks if task.task_id in chosen]
