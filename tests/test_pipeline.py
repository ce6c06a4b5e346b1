from __future__ import annotations

import pytest

from kwdag import Pipeline, ProcessNode
from kwdag.draw import draw
from kwdag.errors import PipelineError


def node(name: str, **fields) -> ProcessNode:
    fields = {
        "in_paths": ["a", "b"],
        "out_paths": {"x": "x.txt", "y": "y.txt"},
        "algo_params": ["p"],
    } | fields
    return ProcessNode(name=name, executable=name, **fields)


def chain(*names: str) -> list[ProcessNode]:
    nodes = [node(name) for name in names]
    for one, two in zip(nodes, nodes[1:], strict=False):
        one.outputs["x"].connect(two.inputs["a"])
    return nodes


def test_nodes_are_ordered_upstream_first_whatever_the_order_given():
    nodes = chain("one", "two", "three")
    assert list(Pipeline(nodes[::-1]).wiring().nodes) == ["one", "two", "three"]
    assert list(Pipeline({"k": nodes[1], "l": nodes[0], "m": nodes[2]}).nodes) == ["two", "one", "three"]


def test_ancestors_and_sources():
    one, two, three = chain("one", "two", "three")
    one.inputs["b"].connect(three.inputs["b"])
    one.params["p"].connect(two.params["p"])
    wiring = Pipeline([one, two, three]).wiring()
    assert wiring.ancestors == {"one": frozenset(), "two": {"one"}, "three": {"one", "two"}}
    assert {target: edge.src for target, edge in wiring.sources.items()} == {
        ("two", "a"): "one.x",
        ("three", "a"): "two.x",
        ("three", "b"): "one.b",
        ("two", "p"): "one.p",
    }


def test_fan_out_and_connecting_all_ports_of_one_name():
    source = node("source", in_paths=[], out_paths={"a": "a.txt", "b": "b.txt"})
    sinks = [node("s1"), node("s2")]
    source.connect(*sinks)
    assert sorted(map(str, Pipeline([source, *sinks]).wiring().edges)) == [
        "source.a -> s1.a", "source.a -> s2.a", "source.b -> s1.b", "source.b -> s2.b",
    ]  # fmt: skip
    mapped = node("mapped")
    sinks[0].connect(mapped, src_map={"x": "a"})
    assert [str(edge) for edge in sinks[0].edges] == ["s1.x -> mapped.a"]


def test_the_owner_of_a_key_is_the_longest_node_name():
    wiring = Pipeline([node("trk"), node("trk.pxl")]).wiring()
    assert wiring.owner("trk.pxl.data.test") == ("trk.pxl", "data.test")
    assert wiring.owner("trk.poly.thresh") == ("trk", "poly.thresh")
    assert wiring.owner("trkk.a") is None


def cycle() -> Pipeline:
    one, two, three = chain("one", "two", "three")
    three.outputs["x"].connect(one.inputs["a"])
    return Pipeline([one, two, three])


def own_output() -> Pipeline:
    (one,) = chain("one")
    one.outputs["x"].connect(one.inputs["a"])
    return Pipeline([one])


def two_sources() -> Pipeline:
    one, two = chain("one", "two")
    one.outputs["y"].connect(two.inputs["a"])
    return Pipeline([one, two])


def stranger() -> Pipeline:
    return Pipeline(chain("one", "two")[:1])


def gathered_scatter() -> Pipeline:
    one, two = node("one", scatter="x"), node("two")
    one.outputs["x"].connect(two.inputs["a"], gather=True)
    return Pipeline([one, two])


WRONG = {
    cycle: "the pipeline has a cycle: one -> two -> three -> one",
    own_output: "the pipeline has a cycle: one -> one",
    two_sources: "two.a has two sources: one.x and one.y",
    stranger: "one.x -> two.a: node 'two' is connected, but not in the pipeline",
    gathered_scatter: "one.x -> two.a: the list of a scatter cannot be gathered",
    lambda: Pipeline([node("one"), node("one")]): "two nodes are named 'one'",
    lambda: Pipeline(["one"]): "a pipeline is made of ProcessNodes, not of 'one'",
    lambda: node("one").inputs["c"]: "node 'one' has no input 'c'; known: a, b",
    lambda: node("one").outputs["xx"]: "node 'one' has no output 'xx'; did you mean 'x'?",
    lambda: node("one").params["q"]: "node 'one' has no param 'q'; known: p",
    lambda: node("one").outputs["x"].connect(node("two").outputs["x"]):
        "cannot connect output one.x to output two.x",
    lambda: node("one").inputs["a"].connect(node("two").inputs["a"], gather=True):
        "only an output can be gathered, one.a is an input",
}  # fmt: skip


@pytest.mark.parametrize(("make", "message"), WRONG.items(), ids=WRONG.values())
def test_a_pipeline_that_is_wrong(make, message):
    with pytest.raises(PipelineError) as caught:
        made = make()
        made.wiring()
    assert str(caught.value) == message


def test_networkx_graphs():
    pipeline = Pipeline(chain("one", "two"))
    pipeline.build_nx_graphs()
    assert list(pipeline.proc_graph.edges) == [("one", "two")]
    assert ("one.x", "two.a") in pipeline.io_graph.edges
    assert ("one", "one.x") in pipeline.io_graph.edges


def test_the_drawing_shows_each_node_once(capsys):
    one, two, three = chain("one", "two", "three")
    one.outputs["y"].connect(three.inputs["b"])  # is implied by the way over two
    pipeline = Pipeline([one, two, three])
    assert draw(pipeline.wiring(), {"two": "5 jobs"}) == "╙── one\n    ╽\n    two  5 jobs\n    ╽\n    three"
    pipeline.print_graphs()
    assert capsys.readouterr().out == "╙── one\n    ╽\n    two\n    ╽\n    three\n"


def test_the_drawing_of_a_diamond():
    a, b, c, d = (node(name) for name in "abcd")
    a.outputs["x"].connect(b.inputs["a"], c.inputs["a"])
    b.outputs["x"].connect(d.inputs["a"])
    c.outputs["x"].connect(d.inputs["b"])
    drawing = draw(Pipeline([a, b, c, d]).wiring())
    assert all(drawing.count(name) >= 1 for name in "abcd")
    assert drawing.splitlines()[0] == "╙── a"
