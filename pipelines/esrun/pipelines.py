"""The named pipelines of the earth-system runner: which nodes, and what of one feeds the other.

A params document names one as `pipelines.esrun.pipelines.esrun()`; what the nodes are says nodes.py. Jobs
watch the content of the whole project directory: keep the root of a run outside of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kwdag import Pipeline, ProcessNode
from kwdag.ports import Port
from pipelines.esrun import nodes

#: What feeds what, where both nodes are in a pipeline.
CONNECTIONS = (
    *(
        (f"partition.{port}", f"{node}.{into}")
        for node in ("build_dataset", "run_inference", "postprocess")
        for port, into in (
            ("dst", "branch"), ("partitions_dpath", "partitions_dpath"), ("project_path", "project_path"),
        )
    ),
    ("build_dataset.dst", "run_inference.dataset"),
    ("build_dataset.dst", "postprocess.dataset"),
    ("run_inference.dst", "postprocess.output"),
    *(
        (f"partition.{port}", f"{node}.{port}")
        for node in ("evaluate", "visualize")
        for port in ("project_path", "request_geometry_path", "partitions_dpath")
    ),
    ("partition.project_path", "combine.project_path"),
    ("combine.dst", "evaluate.results"),
    ("combine.dst", "visualize.results"),
    ("evaluate.labels_fpath", "visualize.labels_fpath"),
    ("evaluate.label_property", "visualize.label_property"),
    ("prepare_windows.dataset", "fit.dataset"),
    ("prepare_windows.project_path", "fit.project_path"),
    ("prepare_windows.project_path", "partition.project_path"),
    ("fit.dst", "run_inference.checkpoint_path"),
)  # fmt: skip

#: The partitions of one request that one model has worked on, at one threshold, come together in their order.
GATHERED = (("postprocess.dst", "combine.results"), ("run_inference.dst", "evaluate.outputs"))
GROUP = ("partition", "run_inference.checkpoint_path", "run_inference.threshold")

PREDICT: Sequence[type[ProcessNode]] = (
    nodes.Partition, nodes.BuildDataset, nodes.RunInference, nodes.Postprocess, nodes.Combine,
    nodes.Evaluate, nodes.Visualize,
)  # fmt: skip


def esrun() -> Pipeline:
    """From a project and a request to one result, a chain of jobs a partition; evaluated, and drawn."""
    return connected(node() for node in PREDICT)


def esrun_train() -> Pipeline:
    """Labelled windows, a model fitted on them, and the prediction with that model."""
    train: Sequence[type[ProcessNode]] = (nodes.PrepareWindows, nodes.Fit)
    return connected(node() for node in (*train, *PREDICT))


def connected(nodes: Iterable[ProcessNode]) -> Pipeline:
    """A pipeline of some of these nodes, or of others of their names and ports."""
    found = {node.name: node for node in nodes}
    for source, target in CONNECTIONS:
        if {_node(source), _node(target)} <= set(found):
            _source(found, source).connect(_target(found, target))
    for source, target in GATHERED:
        gather = {"group_by": GROUP, "order_by": ["partition_id"]}
        _source(found, source).connect(_target(found, target), gather=gather)
    return Pipeline(found)


def _node(port: str) -> str:
    return port.partition(".")[0]


def _source(found: dict[str, ProcessNode], name: str) -> Port:
    node, port = found[_node(name)], name.partition(".")[2]
    kind = next(ports for ports in (node.outputs, node.inputs, node.params) if port in ports)
    return kind[port]


def _target(found: dict[str, ProcessNode], name: str) -> Port:
    node, port = found[_node(name)], name.partition(".")[2]
    return node.inputs[port] if port in node.inputs else node.params[port]
