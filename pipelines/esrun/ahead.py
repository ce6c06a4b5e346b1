"""What can be known to fail before a prediction begins: its last steps come hours after the first.

What the steps do does not belong here.
"""

from __future__ import annotations

from collections.abc import Container

from pipelines.errors import BadInput
from pipelines.esrun.predict_runner import EsPredictRunner
from pipelines.esrun.project import PARTITIONING, STAGES
from pipelines.esrun.tools.partitioners.partition_interface import PartitionInterface


def check_ahead(runner: EsPredictRunner, steps: Container[str]) -> None:
    """Read what the project says of these steps, and make their tools.

    Raises:
        BadInput: a tool that does not fit, no such checkpoint, a model that is not described.
    """
    if "partition" in steps:
        for name in PARTITIONING:
            runner.project.strategy("partition_strategies", name, PartitionInterface)
    if "dataset_build" in steps:
        from pipelines.esrun.dataset_config import read_config

        read_config(runner.project.dataset_config)
    if "inference" in steps:
        _check_model(runner)
    stages = [*(STAGES[:2] if "postprocess" in steps else ()), *(STAGES[2:] if "combine" in steps else ())]
    if stages:
        _check_postprocessors(runner, stages)


def _check_model(runner: EsPredictRunner) -> None:
    from pipelines.esrun import scoring
    from pipelines.esrun.model_config import load_model_config

    load_model_config(runner.project, runner.dataset.path)
    checkpoint = scoring.checkpoint_of(runner.project, runner.checkpoint)
    if not checkpoint.is_file():
        raise BadInput("no such checkpoint", where=checkpoint, hint="python -m pipelines.esrun.fit makes one")


def _check_postprocessors(runner: EsPredictRunner, stages: list[str]) -> None:
    from pipelines.esrun.result_tools import is_vector, raster_tool, vector_tool

    tool = vector_tool if is_vector(runner.project) else raster_tool
    for stage in stages:
        tool(runner.project, stage)
