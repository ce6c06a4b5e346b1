from __future__ import annotations

import pytest
import yaml

from kwdag import Pipeline, ProcessNode
from kwdag.errors import PipelineError
from kwdag.ports import Gather
from kwdag.yaml_pipeline import from_spec, import_dotted, to_spec
from pipelines.demo import my_demo_pipeline

FULL = {
    "__doc__": "Everything that a node may say.",
    "nodes": {
        "tile": {
            "executable": "tile", "in_paths": ["scene"], "out_paths": {"tiles": "tiles.json"},
            "scatter": "tiles",
        },
        "predict": {
            "command_template": "predict {model} -o {dst} {flags}", "flag_style": "--key value",
            "flags": ["verbose"], "in_paths": {"model": "m.pt", "tile": None}, "optional": ["tile"],
            "out_paths": {"log": "log.txt", "dst": "pred.json"}, "primary_out_key": "dst",
            "algo_params": {"threshold": 0.5, "augment": "none", "options": {},
                            "classes": ["a", "b"], "verbose": False},
            "perf_params": {"workers": 0},
            "tags": {"model": "model", "tile": "dataset", "verbose": "volatile"},
            "neutral": {"augment": "none"}, "renamed": {"thresh": "threshold"}, "extra_params": True,
            "metrics": [{"metric": "acc", "objective": "maximize", "type": "float", "range": [0, 1]}],
            "vantage_points": [{"metric1": "acc", "metric2": "acc"}], "result": {"metrics": "scores"},
            "resources": {"cpus": 2, "gpus": 1, "mem": "4G", "time": "2h"}, "slurm_options": {"qos": "low"},
            "setup": ["module load cuda"], "teardown": ["rm -rf tmp"], "group": "heavy",
        },
        "collect": {
            "executable": "collect", "in_paths": ["preds"], "out_paths": {"best": "best.json"},
            "partial_gather": True,
        },
    },
    "edges": [
        "tile.tiles -> predict.tile",
        {
            "src": "predict.dst", "dst": "collect.preds",
            "gather": {"group_by": [
                "tile.scene", {"src": "threshold", "dst": "limit"}], "order_by": ["model"]},
        },
    ],
}  # fmt: skip


def test_what_is_read_is_written_again():
    spec = to_spec(from_spec(FULL))
    assert {**spec["nodes"]["predict"], "primary_out_key": "dst"} == {
        **FULL["nodes"]["predict"], "primary_out_key": "dst",
    }  # fmt: skip
    assert (spec["__doc__"], spec["edges"]) == (FULL["__doc__"], FULL["edges"])


@pytest.mark.parametrize("spec", [FULL, to_spec(my_demo_pipeline())], ids=["yaml", "python"])
def test_a_round_trip_through_yaml_text_is_stable(spec):
    once = to_spec(from_spec(spec))
    again = to_spec(from_spec(yaml.safe_load(yaml.safe_dump(once, sort_keys=False))))
    assert again == once


def test_a_python_pipeline_and_its_yaml_are_equal():
    python = my_demo_pipeline()
    copy = from_spec(to_spec(python))
    assert list(copy.wiring().nodes) == list(python.wiring().nodes)
    assert copy.wiring().edges == python.wiring().edges
    for name, node in python.nodes.items():
        other = copy.nodes[name]
        assert [metric["metric"] for metric in other.metrics] == [metric["metric"] for metric in node.metrics]
        assert other.out_paths == node.out_paths
        assert type(other) is type(node)


def test_nodes_made_of_arguments_need_no_class():
    a = ProcessNode(name="a", executable="a", out_paths={"dst": "a.txt"})
    b = ProcessNode(name="b", executable="b", in_paths=["srcs"])
    a.outputs["dst"].connect(b.inputs["srcs"], gather=Gather(group_by=(("x", "x"),)))
    assert to_spec(Pipeline([a, b])) == {
        "nodes": {
            "a": {"executable": "a", "out_paths": {"dst": "a.txt"}, "primary_out_key": "dst"},
            "b": {"executable": "b", "in_paths": ["srcs"]},
        },
        "edges": [{"src": "a.dst", "dst": "b.srcs", "gather": {"group_by": ["x"]}}],
    }


def test_a_class_that_cannot_be_named_cannot_be_written():
    class Local(ProcessNode):
        name = "a"
        executable = "a"

    with pytest.raises(PipelineError, match="its class .*Local cannot be imported by name"):
        to_spec(Pipeline([Local()]))


def test_dots_in_names_of_nodes():
    spec = {
        "nodes": {
            "trk": {"executable": "x", "out_paths": {"pxl.dst": "x"}},
            "trk.pxl": {"executable": "x", "out_paths": {"dst": "x"}},
            "eval": {"executable": "x", "in_paths": ["src"]},
        },
        "edges": ["trk.pxl.dst -> eval.src"],
    }
    # the longest name of a node that prefixes the end owns it
    assert from_spec(spec).wiring().edges[0].src_node == "trk.pxl"


def test_what_a_dotted_path_names():
    assert import_dotted("pipelines.demo.my_demo_pipeline") is my_demo_pipeline
    assert import_dotted("kwdag.node.ProcessNode.load_result") is ProcessNode.load_result
    wrong = {
        "kwdag.node.ProcesNode": "did you mean 'ProcessNode'",
        "kwdag.nod.ProcessNode": "nothing named 'nod' in kwdag; did you mean 'node'",
        "kwdag.node.ProcessNode.load_reslt": "did you mean 'load_result'",
        "word": "not of the form",
    }
    for path, message in wrong.items():
        with pytest.raises(PipelineError, match=message):
            import_dotted(path)
