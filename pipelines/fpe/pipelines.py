"""The named pipelines of Flow Photo Explorer: which nodes, and what of one feeds the other.

A params document names one as `pipelines.fpe.pipelines.fpe()`; what the nodes are says nodes.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from kwdag import Pipeline, ProcessNode
from kwdag.ports import Port
from pipelines.fpe import nodes

#: Which output is whose input.
READS = (
    ("rank_dataset.dst", "rank_input.src"),
    *(
        ("rank_input.dst", f"{node}.input")
        for node in (
            "run_train", "run_transform", "run_transform_merge", "run_transform_predictions", "evaluate",
            "report",
        )
    ),
    *(("run_train.dst", f"{node}.train") for node in ("run_transform", "evaluate", "report")),
    ("run_transform.dst", "run_transform_merge.transform"),
    ("run_transform_merge.dst", "run_transform_predictions.merged"),
    *(("run_transform_predictions.dst", f"{node}.predictions") for node in ("evaluate", "report")),
)  # fmt: skip

#: Which parameters are the same.
SHARES = (
    *((f"rank_dataset.{name}", f"deploy.{name}")
      for name in ("station_id", "variable", "directory", "database", "storage")),
    ("report.model_code", "deploy.model_code"),
)  # fmt: skip

#: All models of one dataset come together, in one order.
GATHERS = (
    ("run_transform_predictions.dst", "deploy.predictions"),
    ("report.dst", "deploy.report"),
    ("evaluate.dst", "deploy.evaluation"),
)
GATHER = {"group_by": ["rank_dataset"], "order_by": ["run_transform_predictions"]}

ALL: tuple[type[ProcessNode], ...] = (
    nodes.RankDataset, nodes.RankInput, nodes.RunTrain, nodes.RunTransform, nodes.RunTransformMerge,
    nodes.RunTransformPredictions, nodes.Evaluate, nodes.Report, nodes.Deploy,
)  # fmt: skip


def fpe() -> Pipeline:
    """From a station in the database to its best model, deployed there: a chain of jobs for each row."""
    found: dict[str, ProcessNode] = {node.name: node() for node in ALL}
    for source, target in READS:
        _output(found, source).connect(_input(found, target))
    for source, target in SHARES:
        _param(found, source).connect(_param(found, target))
    for source, target in GATHERS:
        _output(found, source).connect(_input(found, target), gather=GATHER)
    return Pipeline(found)


def _output(found: Mapping[str, ProcessNode], name: str) -> Port:
    node, _, port = name.partition(".")
    return found[node].outputs[port]


def _input(found: Mapping[str, ProcessNode], name: str) -> Port:
    node, _, port = name.partition(".")
    return found[node].inputs[port]


def _param(found: Mapping[str, ProcessNode], name: str) -> Port:
    node, _, port = name.partition(".")
    return found[node].params[port]
