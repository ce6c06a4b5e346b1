"""The named pipelines of Cerulean: which nodes, and what of one feeds the other.

A params document names one as `pipelines.cerulean.pipelines.cerulean()`; what the nodes are says nodes.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kwdag import Pipeline, ProcessNode
from pipelines.cerulean import nodes

#: Which output is whose input, where both nodes are in a pipeline.
READS = (
    ("split_scenes.train_list", "make_train.list"),
    ("split_scenes.val_list", "make_val.list"),
    ("split_scenes.test_list", "predict.list"),
    ("make_train.dst", "train.train"),
    ("make_val.dst", "train.val"),
    ("train.model", "predict.model"),
    ("predict.dst", "postprocess.pred"),
    ("postprocess.dst", "merge.polygons"),
    ("merge.dst", "evaluate.polygons"),
    ("merge.dst", "visualize.polygons"),
)

#: Inputs and parameters that are the same in both nodes.
SAME_INPUTS = (
    ("make_train.aux", "make_val.aux"),
    ("make_train.aux", "predict.aux"),
    ("predict.aux", "merge.aux"),
    ("predict.aux", "evaluate.aux"),
)
SAME_PARAMS = (
    *((f"make_train.{name}", f"make_val.{name}") for name in ("tile_length", "georeference", "min_valid")),
    ("make_train.georeference", "predict.georeference"),
    ("make_train.georeference", "postprocess.georeference"),
    ("postprocess.georeference", "merge.georeference"),
)

SPLIT: tuple[type[ProcessNode], ...] = (nodes.SplitScenes,)
LEARN: tuple[type[ProcessNode], ...] = (nodes.MakeTrain, nodes.MakeVal, nodes.Train)
FIND: tuple[type[ProcessNode], ...] = (
    nodes.Predict, nodes.Postprocess, nodes.Merge, nodes.Evaluate, nodes.Visualize,
)  # fmt: skip


def cerulean() -> Pipeline:
    """From a list of annotated scenes to slicks in the test scenes, evaluated and drawn."""
    return connected(node() for node in (*SPLIT, *LEARN, *FIND))


def cerulean_train() -> Pipeline:
    """Datasets and a model, without a look at the test scenes."""
    return connected(node() for node in (*SPLIT, *LEARN))


def cerulean_predict() -> Pipeline:
    """Slicks in the test scenes by a model that is there."""
    return connected(node() for node in FIND)


def connected(given: Iterable[ProcessNode]) -> Pipeline:
    """A pipeline of some of these nodes."""
    found = {node.name: node for node in given}
    for (source, port), (target, into) in _within(found, READS):
        source.outputs[port].connect(target.inputs[into])
    for (source, port), (target, into) in _within(found, SAME_INPUTS):
        source.inputs[port].connect(target.inputs[into])
    for (source, port), (target, into) in _within(found, SAME_PARAMS):
        source.params[port].connect(target.params[into])
    return Pipeline(found)


_End = tuple[ProcessNode, str]


def _within(
    found: Mapping[str, ProcessNode], pairs: Iterable[tuple[str, str]]
) -> Iterable[tuple[_End, _End]]:
    """The pairs whose nodes are both there, as node and port."""
    for source, target in pairs:
        (one, port), (other, into) = source.split("."), target.split(".")
        if one in found and other in found:
            yield (found[one], port), (found[other], into)
