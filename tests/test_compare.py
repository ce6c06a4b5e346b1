from __future__ import annotations

import json

from kwdag.compare import compare
from kwdag.find_job import Found


def jobs(lab, node, key):
    """The jobs of a node in the order of a parameter."""
    dpaths = sorted(
        (lab.root / node).iterdir(), key=lambda d: str(json.loads((d / "job_config.json").read_text())[key])
    )
    return [Found(str(lab.root), dpath.name) for dpath in dpaths]


def test_only_what_differs(lab):
    lab.node("a", "echo --x={x} > {dst}", algo_params={"x": 1, "z": 0})
    lab.node("b", """echo '{{"metrics": {{"acc": {y}, "same": 1}}}}' > {out}""", ins=["src"],
             outs={"out": "b.json"}, algo_params={"y": 0})  # fmt: skip
    lab.edge("a.dst -> b.src")
    lab.schedule({"a.x": [1, 2], "b.y": 5})
    (one, two) = jobs(lab, "b", "a.x")
    found = compare(one, two)
    (up1, up2) = jobs(lab, "a", "a.x")
    assert found.params == {"a.x": {"a": 1, "b": 2}}
    assert found.ancestors == {"a": {"a": (up1.job_id,), "b": (up2.job_id,)}}
    assert not found.state and not found.command and not found.metrics


def test_command_metrics_and_state(lab):
    lab.node("a", """echo '{{"metrics": {{"acc": {x}}}}}' > {out}; [ {x} != 3 ]""", outs={"out": "a.json"},
             algo_params=["x"])  # fmt: skip
    lab.schedule({"a.x": [1, 2, 3]})
    (one, two, three) = jobs(lab, "a", "a.x")
    found = compare(one, two)
    assert found.metrics == {"acc": {"a": 1, "b": 2}}
    assert list(found.sections) == ["params", "command", "metrics"]
    (lines,) = found.command.values()
    assert "[ 1 != 3 ]" in lines["a"][0] and "[ 2 != 3 ]" in lines["b"][0]
    assert compare(one, three).state == {"state": {"a": "done", "b": "failed: exit code 1"}}


def test_one_and_one_point_zero_and_true_are_three_values(lab):
    lab.node("a", algo_params=["x"])
    lab.schedule({"a.x": [1, 1.0, True]})
    (one, other, _) = jobs(lab, "a", "a.x")
    assert compare(one, other).params == {"a.x": {"a": 1, "b": 1.0}}


def test_a_job_against_itself(chain):
    chain.schedule({"a.src": "in.txt"})
    job = Found(str(chain.root), chain.job("b").name)
    assert compare(job, job).sections == {}
