from __future__ import annotations

from pathlib import Path

import pytest

from kwdag import ProcessNode
from kwdag.errors import PipelineError
from kwdag.node import REQUIRED
from kwdag.ports import Gather


def make(**fields) -> ProcessNode:
    return ProcessNode(**{"name": "n", "executable": "x", **fields})


def test_class_attributes_and_arguments_are_equivalent():
    class Predict(ProcessNode):
        name = "predict"
        executable = "python predict.py"
        in_paths = {"b", "a"}
        out_paths = {"dst": "pred.json"}
        algo_params = {"thresh": 0.5}

    other = ProcessNode(name="predict", executable="python predict.py", in_paths=["a", "b"],
                        out_paths={"dst": "pred.json"}, algo_params={"thresh": 0.5})  # fmt: skip
    one = Predict()
    assert [one.in_paths, one.out_paths, one.algo_params] == [
        other.in_paths,
        other.out_paths,
        other.algo_params,
    ]
    assert (one.name, one.command(), one.primary_out_key) == ("predict", "python predict.py", "dst")


def test_a_class_is_left_as_it_is_by_its_instances():
    class Predict(ProcessNode):
        executable = "x"
        algo_params = {"a": 1}

    Predict().algo_params["a"] = 2
    assert Predict().algo_params == {"a": 1}
    assert Predict(name="other").name == "other"
    assert Predict().name == "Predict"


def test_defaults():
    node = make(in_paths=["src"], algo_params={"a": None, "b": 2}, perf_params=["w"])
    assert [node.default(name) for name in ("src", "a", "b", "w", "z")] == [
        REQUIRED,
        None,
        2,
        REQUIRED,
        REQUIRED,
    ]


def test_what_a_matrix_may_give():
    node = make(in_paths=["src"], algo_params=["new"], renamed={"old": "new"}, out_paths={"dst": "d"})
    assert [name for name in ("src", "new", "old", "dst", "other") if node.accepts(name)] == [
        "src",
        "new",
        "old",
    ]
    assert make(extra_params=True).accepts("anything")


def test_hooks_of_metrics():
    node = make(metrics=["acc", {"metric": "loss", "objective": "minimize"}],
                vantage_points=[{"metric1": "acc", "metric2": "loss"}])  # fmt: skip
    assert node.default_metrics() == [{"metric": "acc"}, {"metric": "loss", "objective": "minimize"}]
    assert node.default_vantage_points == [{"metric1": "acc", "metric2": "loss"}]


RESULTS = {
    '{"metrics": {"acc": 1}}': {"metrics.n.acc": 1},
    '{"result": {"metrics": {"a": {"b": 2}}}}': {"metrics.n.a.b": 2},
    '{"other": 1}': {},
}


@pytest.mark.parametrize(("text", "expected"), RESULTS.items())
def test_the_default_result_is_the_primary_outputs_metrics(tmp_path, text, expected):
    (tmp_path / "d.json").write_text(text)
    assert make(out_paths={"dst": "d.json"}).load_result(tmp_path) == expected


def test_paths_may_be_path_objects():
    assert make(out_paths={"dst": Path("a") / "b.json"}).out_paths == {"dst": "a/b.json"}
    assert make(out_paths={"dst": "."}).out_paths == {"dst": "."}


def test_gather_is_read_and_written():
    spec = {"group_by": ["a", {"src": "b", "dst": "c"}], "order_by": ["d"]}
    assert Gather.coerce(spec).group_by == (("a", "a"), ("b", "c"))
    assert Gather.coerce(spec).to_spec() == spec
    assert Gather.coerce(True) == Gather()


WRONG = {
    "node 'n' has no executable": {"executable": None},
    "node name 'a b' is not made of letters, digits, '_', '-', '+', '.'": {"name": "a b"},
    "node name '../a' is not made of letters, digits, '_', '-', '+', '.'": {"name": "../a"},
    "unknown key 'algo_param' in node 'n'; did you mean 'algo_params'?": {"algo_param": {}},
    "in_paths of node 'n' must be a list or a mapping, not 'src'": {"in_paths": "src"},
    "algo_params of node 'n' must be a list or a mapping, not 3": {"algo_params": 3},
    "out_paths of node 'n' must be a mapping, not 'dst'": {"out_paths": "dst"},
    "output 'd' of node 'n' escapes the job directory: '../x'": {"out_paths": {"d": "../x"}},
    "output 'd' of node 'n' escapes the job directory: 'a/../../x'": {"out_paths": {"d": "a/../../x"}},
    "output 'd' of node 'n' escapes the job directory: '/x'": {"out_paths": {"d": "/x"}},
    "output 'd' of node 'n' must be a file name, not 3": {"out_paths": {"d": 3}},
    "output 'd' of node 'n' must be a file name, not ''": {"out_paths": {"d": ""}},
    "output 'd' of node 'n' would overwrite the job's own 'job_status.json'; choose another name":
        {"out_paths": {"d": "job_status.json"}},
    "node 'n' declares 'a' twice": {"in_paths": ["a"], "algo_params": ["a"]},
    "tags of node 'n' names 'b', which it does not declare; known: a":
        {"in_paths": ["a"], "tags": {"b": "model"}},
    "tag of n.a is 'modle'; did you mean 'model'?": {"in_paths": ["a"], "tags": {"a": "modle"}},
    "optional of node 'n' names 'b', which it does not declare; known: a":
        {"in_paths": ["a"], "optional": "b"},
    "renamed of node 'n' is 'b'; known: a": {"algo_params": ["a"], "renamed": {"c": "b"}},
    "resources of node 'n' is 'cpu'; did you mean 'cpus'?": {"resources": {"cpu": 2}},
    "flag_style of node 'n' is '--key:value'; did you mean '--key=value'?": {"flag_style": "--key:value"},
    "primary_out_key of node 'n' is 'e'; known: d": {"out_paths": {"d": "d"}, "primary_out_key": "e"},
    "scatter of node 'n' is 'e'; known: d": {"out_paths": {"d": "d"}, "scatter": "e"},
    "metrics of node 'n': unknown key 'objectiv'; did you mean 'objective'?":
        {"metrics": [{"metric": "a", "objectiv": "minimize"}]},
    "metrics of node 'n': range of 'a' is [lowest, highest], not 3":
        {"metrics": [{"metric": "a", "range": 3}]},
    "metrics of node 'n' must be a list, not {'metric': 'a'}": {"metrics": {"metric": "a"}},
    "setup of node 'n' must be a list of names, not 3": {"setup": 3},
}  # fmt: skip


@pytest.mark.parametrize(("message", "fields"), WRONG.items(), ids=WRONG)
def test_a_wrong_declaration(message, fields):
    with pytest.raises(PipelineError) as caught:
        make(**fields)
    assert str(caught.value) == message
