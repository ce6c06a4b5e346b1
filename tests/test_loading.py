"""What a program's result file says, as a flat mapping."""

from __future__ import annotations

import json

import pytest

from kwdag.errors import ResultError
from kwdag.loading import dotted, flatten, load_result, process_info
from kwdag.node import ProcessNode


@pytest.fixture
def load(tmp_path):
    """Load a result file as the node `e` would."""

    def read(data, **fields):
        (tmp_path / "out.json").write_text(data if isinstance(data, str) else json.dumps(data))
        node = ProcessNode(name="e", executable="e", out_paths={"out": "out.json"}, **fields)
        return load_result(node, tmp_path)

    return read


CASES = [
    ({"metrics": {"acc": 1, "by": {"cat": 2}}}, {"metrics.e.acc": 1, "metrics.e.by.cat": 2}),
    ({"result": {"metrics": {"acc": 1}}, "metrics": {"acc": 2}}, {"metrics.e.acc": 1}),
    ({"other": 1}, {}),
    ({"metrics": [1]}, {}),
    ([1, 2], {}),
    ({"info": [], "metrics": {}}, {}),
]


@pytest.mark.parametrize(("data", "expected"), CASES)
def test_where_metrics_are_found(load, data, expected):
    assert load(data) == expected


def test_a_node_may_say_where_they_are(load):
    assert load({"a": {"b": {"acc": 1}}, "metrics": {"x": 2}}, result={"metrics": "a.b"}) == {
        "metrics.e.acc": 1
    }


def test_a_node_with_dots_in_its_name_keeps_it(tmp_path):
    (tmp_path / "out.json").write_text('{"metrics": {"acc": 1}}')
    node = ProcessNode(name="x.y", executable="e", out_paths={"out": "out.json"})
    assert load_result(node, tmp_path) == {"metrics.x.y.acc": 1}


PROCESS = {
    "type": "process",
    "properties": {
        "name": "prog", "uuid": "u", "start_timestamp": "s", "end_timestamp": "t", "duration": 3,
        "config": {"x": 1}, "machine": {"host": "h"}, "emissions": {"co2": {"kg": 1}},
    },
}  # fmt: skip


def test_the_last_process_is_the_program_itself(load):
    found = load(
        {"info": [{"type": "process", "properties": {"name": "earlier"}}, PROCESS], "metrics": {"a": 1}}
    )
    assert found == {
        "context.e.task": "prog", "context.e.uuid": "u", "context.e.start_timestamp": "s",
        "context.e.stop_timestamp": "t", "resolved_params.e.x": 1, "resources.e.co2.kg": 1,
        "resources.e.duration": 3, "machine.e.host": "h", "metrics.e.a": 1,
    }  # fmt: skip


def test_a_process_that_says_little():
    assert process_info({"properties": {}})["resources"] == {}


def test_what_cannot_be_loaded(load, tmp_path):
    with pytest.raises(ValueError):
        load("[1,")
    with pytest.raises(ResultError, match="no output"):
        load_result(ProcessNode(name="e", executable="e"), tmp_path)
    (tmp_path / "out.json").unlink()
    with pytest.raises(OSError):
        load_result(ProcessNode(name="e", executable="e", out_paths={"out": "out.json"}), tmp_path)


def test_a_loader_named_by_its_path(load, tmp_path, monkeypatch):
    (tmp_path / "my_loader.py").write_text(
        "def load(node, dpath):\n    return {f'metrics.{node.name}.n': len(list(dpath.iterdir()))}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert load({}, load_result="my_loader.load")["metrics.e.n"] >= 2


def test_flatten_and_dotted_are_opposites():
    nested = {"a": {"b": {"c": 1}}, "d": [2]}
    for key, value in flatten(nested):
        assert dotted(nested, key) == value
    assert dotted(nested, "a.x.y") is None and dotted(nested, None) is None and dotted(3, "a") is None
