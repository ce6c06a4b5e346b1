"""From rows to jobs: where each value comes from, what makes two rows share a job, what is refused."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwdag.errors import PlanError
from kwdag.node import ProcessNode
from kwdag.pipeline import Pipeline
from kwdag.plan import External, Output
from kwdag.resolve import build_plan, check_keys
from kwdag.yaml_pipeline import from_spec

SRC = {"a.src": "in.txt"}


def ids(plan):
    return list(plan.jobs)


def by_node(plan):
    """The one job of each node."""
    return {job.node.name: job for job in plan.jobs.values()}


# --- identity


def test_rows_that_agree_share_a_job(chain):
    plan = chain.plan([{**SRC, "a.x": x, "b.y": y} for x in (1, 2) for y in (1, 2, 3)])
    assert {name: len(jobs) for name, jobs in plan.by_node().items()} == {"a": 2, "b": 6}


SAME = [
    ("the order of keys", {**SRC, "a.x": 1, "b.y": 2}, {"b.y": 2, "a.x": 1, **SRC}),
    ("1 and '1'", {**SRC, "a.x": 1}, {**SRC, "a.x": "1"}),
    ("a default given and left out", {**SRC, "a.x": 1}, SRC),
    ("a path in other words", SRC, {"a.src": "./sub/../in.txt"}),
    ("a relative and an absolute path", SRC, {"a.src": "/work/in.txt"}),
    ("a list and a tuple", {**SRC, "a.x": [1, 2]}, {**SRC, "a.x": (1, "2")}),
    ("a key of another tool's", SRC, {**SRC, "__slurm_options__": {"mem": 1}}),
    ("switches", SRC, {**SRC, "a.__enabled__": "redo", "b.__enabled__": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "one", "two"), SAME, ids=[case[0] for case in SAME])
def test_one_job(chain, what, one, two):
    assert ids(chain.plan([one])) == ids(chain.plan([two])) == ids(chain.plan([one, two]))


DIFFERENT = [
    ("1, 1.0, True", [1, 1.0, True]),
    ("a scalar and a list of one", [1, [1]]),
    ("a list and its text", [[1, 2], "[1, 2]", "1 2"]),
    ("nothing, an empty text, the word None", [None, "", "None"]),
    ("text that looks like the code's own words", ["REQUIRED", "default"]),
    ("signs and case", [-1, "+1", "a", "A"]),
]


@pytest.mark.parametrize(("what", "values"), DIFFERENT, ids=[case[0] for case in DIFFERENT])
def test_different_jobs(chain, what, values):
    plan = chain.plan([{**SRC, "a.x": value} for value in values])
    assert len(plan.by_node()["a"]) == len(values)


def test_a_value_that_is_spelled_like_a_sentinel_is_not_taken_for_a_missing_one(chain):
    assert len(chain.plan([SRC, {**SRC, "a.x": "REQUIRED"}]).by_node()["a"]) == 2


def test_the_same_relative_input_in_two_folders_gives_two_jobs(chain):
    assert not {*chain.plan([SRC], workdir="/one").jobs} & {*chain.plan([SRC], workdir="/two").jobs}


def test_a_path_below_the_root_counts_from_the_root(chain):
    def at(root, path):
        return ids(chain.plan([{"a.src": path}], root=root))

    assert at("/r1", "/r1/data/x") == at("/r2", "/r2/data/x") != at("/r1", "/r2/data/x")
    assert at("/r1", ["/r1/x", "/y"]) == at("/r2", ["/r2/x", "/y"])
    assert at("/r1", "/r1") == at("/r2", "/r2") != at("/r1", "/r2")
    assert at("/r1", "/r10/x") == at("/r2", "/r10/x")


def test_the_root_does_not_enter(chain):
    assert ids(chain.plan([SRC], root="/r1")) == ids(chain.plan([SRC], root="/somewhere else"))


def changed(lab, rows=(SRC,), **fields):
    """The ids before and after node `a` got other declarations."""
    before = ids(lab.plan(rows))
    lab.spec["nodes"]["a"] |= fields
    return before, ids(lab.plan(rows))


UNHASHED = [
    {"command_template": "something else {src} {dst}"},
    {"command_template": None, "executable": "python -m x"},
    {"out_paths": {"dst": "other/name.txt", "more": "m"}},
    {"perf_params": {"workers": 3}},
    {"algo_params": {"x": 1, "seen": 5}, "tags": {"seen": "volatile"}},
    {"algo_params": {"x": 1, "augment": "none"}, "neutral": {"augment": "none"}},
    {"algo_params": {"z": 1}, "renamed": {"x": "z"}},
    {"tags": {"src": "dataset", "x": "model"}},
    {"resources": {"cpus": 3}, "slurm_options": {"mem": "1G"}, "setup": ["true"], "metrics": ["m"]},
]


@pytest.mark.parametrize("fields", UNHASHED)
def test_an_evolving_node_keeps_its_ids(chain, fields):
    before, after = changed(chain, **fields)
    assert before == after


def test_perf_and_volatile_values_do_not_enter(chain):
    chain.spec["nodes"]["a"] |= {"perf_params": ["n"], "algo_params": {"v": 0}, "tags": {"v": "volatile"}}
    assert ids(chain.plan([{**SRC, "a.n": 1, "a.v": 1}])) == ids(chain.plan([{**SRC, "a.n": 2, "a.v": 2}]))


def test_a_neutral_parameter_enters_at_any_other_value(chain):
    before, after = changed(chain, algo_params={"x": 1, "k": "none"}, neutral={"k": "none"})
    assert before == after
    assert not {*before} & {*chain.plan([{**SRC, "a.k": "flip"}]).jobs}


def test_a_renamed_parameter_may_be_given_by_either_name(chain):
    old = ids(chain.plan([{**SRC, "a.x": 7}]))
    chain.spec["nodes"]["a"] |= {"algo_params": {"z": 1}, "renamed": {"x": "z"}}
    assert old == ids(chain.plan([{**SRC, "a.x": 7}])) == ids(chain.plan([{**SRC, "a.z": 7}]))
    assert by_node(chain.plan([{**SRC, "a.x": 7}]))["a"].params["z"] == 7


def test_the_name_of_the_port_enters(lab):
    lab.node("a", ins=["p", "q"], optional=["p", "q"])
    assert len(lab.plan([{"a.p": "x"}, {"a.q": "x"}]).jobs) == 2


def test_a_collision_of_ids_is_detected(chain, monkeypatch):
    monkeypatch.setattr("kwdag.hashing.ID_CHARS", 0)
    with pytest.raises(PlanError, match="share the id"):
        chain.plan([{**SRC, "a.x": x} for x in (1, 2)])


# --- where values come from


def test_a_connected_input_reads_from_the_upstream_job(chain):
    jobs = by_node(chain.plan([SRC]))
    source = jobs["b"].sources["src"]
    assert isinstance(source, Output) and source.job is jobs["a"] and source.port == "dst"
    assert jobs["b"].upstream == [jobs["a"]]


def test_an_explicit_value_on_a_connected_input_removes_the_dependency(chain):
    jobs = by_node(chain.plan([{**SRC, "b.src": "mine.txt"}]))
    assert jobs["b"].sources["src"] == External("/work/mine.txt") and jobs["b"].upstream == []
    other = by_node(chain.plan([{**SRC, "a.x": 9, "b.src": "mine.txt"}]))
    assert other["b"].id == jobs["b"].id


def test_a_shared_input_and_a_forwarded_parameter_take_the_upstream_value(lab):
    lab.node("a", ins=["src"], algo_params={"x": 5, "fold": 0})
    lab.node("b", ins=["truth"], algo_params={"x": 1, "part": 2})
    lab.edge("a.src -> b.truth", "a.x -> b.x", "a.fold -> b.part")
    b = by_node(lab.plan([{"a.src": "in", "a.fold": 3}]))["b"]
    assert {k: s.value for k, s in b.sources.items()} == {"truth": "/work/in", "x": "5", "part": "3"}
    assert b.upstream == []  # only a value was shared: nothing to wait for
    own = by_node(lab.plan([{"a.src": "in", "b.truth": "t", "b.x": 9}]))["b"]
    assert (own.sources["truth"].value, own.sources["x"].value) == ("/work/t", "9")


def test_sharing_an_input_that_is_produced_makes_the_same_dependency(lab):
    lab.node("a").node("b", ins=["src"]).node("c", ins=["src"])
    lab.edge("a.dst -> b.src", "b.src -> c.src")
    jobs = by_node(lab.plan([{}]))
    assert jobs["c"].upstream == [jobs["a"]]


def test_an_output_may_feed_a_parameter(lab):
    lab.node("a").node("b", algo_params=["weights"]).edge("a.dst -> b.weights")
    jobs = by_node(lab.plan([{}]))
    assert jobs["b"].upstream == [jobs["a"]]


def test_dots_in_the_names_of_nodes_and_parameters(lab):
    lab.node("trk", algo_params=["pxl.other"])
    lab.node("trk.pxl", ins=["data.test_dataset"], algo_params=["pxl", "data"])
    jobs = by_node(lab.plan([{"trk.pxl.data.test_dataset": "d", "trk.pxl.pxl": 1, "trk.pxl.data": 2}]))
    assert jobs["trk.pxl"].params == {"data.test_dataset": "/work/d", "pxl": 1, "data": 2}
    assert jobs["trk"].params == {}


def test_params_record_values_as_given_and_inputs_as_absolute_paths(chain):
    jobs = by_node(chain.plan([{**SRC, "a.x": [1, {"k": 2}]}]))
    assert jobs["a"].params == {"src": "/work/in.txt", "x": [1, {"k": 2}]}
    assert jobs["b"].params == {"y": 1}


def test_null_leaves_a_parameter_out(chain):
    a = by_node(chain.plan([{**SRC, "a.x": None}]))["a"]
    assert a.sources["x"] == External(None) and a.params["x"] is None


def test_an_optional_input_may_be_left_out(lab):
    lab.node("a", ins=["src", "mask"], optional=["mask"])
    assert by_node(lab.plan([{"a.src": "x"}]))["a"].sources == {"src": External("/work/x")}


def test_a_tilde_and_a_url(lab, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    lab.node("a", ins=["p", "q"])
    sources = by_node(lab.plan([{"a.p": "~/x", "a.q": "s3://b//x"}]))["a"].sources
    assert (sources["p"].value, sources["q"].value) == ("/home/me/x", "s3://b//x")


def test_extra_parameters_where_the_node_allows_them(lab):
    lab.node("a", extra_params=True)
    assert by_node(lab.plan([{"a.anything": 1}]))["a"].params == {"anything": 1}


def test_jobs_come_upstream_first_and_in_the_order_of_the_rows(chain):
    plan = chain.plan([{**SRC, "a.x": x} for x in (3, 1, 2)])
    assert [job.params.get("x") for job in plan.by_node()["a"]] == [3, 1, 2]
    seen = set()
    for job in plan.jobs.values():
        assert all(up.id in seen for up in job.predecessors())
        seen.add(job.id)


def test_slurm_options_from_least_to_most_specific(lab):
    lab.node("a", slurm_options={"mem": "node", "gres": "node"}).node("b")
    row = {"__slurm_options__": {"mem": "row", "time": "row"}, "a.__slurm_options__": {"gres": "own"}}
    plan = lab.plan([row])
    options = {plan.jobs[job].node.name: found for job, found in plan.slurm_options.items()}
    assert options["a"] == {"mem": "node", "time": "row", "gres": "own"}
    assert options["b"] == {"mem": "row", "time": "row"}


# --- switches


def test_a_disabled_job_that_can_be_resolved_stays_in_the_plan(chain):
    plan = chain.plan([{**SRC, "a.__enabled__": 0}])
    jobs = by_node(plan)
    assert plan.disabled == {jobs["a"].id} and jobs["b"].upstream == [jobs["a"]]


def test_a_disabled_node_without_its_inputs_is_skipped_and_counted(chain):
    plan = chain.plan([{"a.__enabled__": False, "b.src": "x"}])
    assert list(by_node(plan)) == ["b"] and plan.skipped == {"a": 1}


def test_a_node_behind_one_that_cannot_be_resolved_says_so(chain):
    with pytest.raises(PlanError, match=r"b\.src.*a\.dst is disabled"):
        chain.plan([{"a.__enabled__": 0}])
    assert chain.plan([{"a.__enabled__": 0, "b.__enabled__": 0}]).skipped == {"a": 1, "b": 1}


def test_of_rows_that_share_a_job_the_strongest_wish_counts(chain):
    def flags(*switches):
        plan = chain.plan([{**SRC, "a.__enabled__": switch} for switch in switches])
        a = by_node(plan)["a"].id
        return a in plan.disabled, a in plan.redo

    assert flags(0, 0) == (True, False)
    assert flags(0, 1) == flags("1", "0") == (False, False)
    assert flags(1, "redo", 0) == (False, True)


# --- what is refused


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, r"a\.src.*neither given nor connected"),
        ({"a.src": None}, r"a\.src.*neither given nor connected"),
        ({**SRC, "a.__enabled__": "maybe"}, "known: 0, 1, redo"),
        ({**SRC, "a.x": "nul\0"}, "NUL"),
        ({**SRC, "a.x": ["ok", "nul\0"]}, "NUL"),
    ],
)
def test_a_bad_row(chain, row, words):
    with pytest.raises(PlanError, match=words):
        chain.plan([row])


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("x.src", "no node"),
        ("aa.src", r"did you mean 'a\.src'"),
        ("a.scr", "did you mean 'src'"),
        ("a.dst", "is an output"),
        ("a.__enable__", "did you mean '__enabled__'"),
    ],
)
def test_a_bad_key(chain, key, words):
    with pytest.raises(PlanError, match=words) as caught:
        check_keys(from_spec(chain.spec).wiring(), {key: "params.yaml, line 7"})
    assert caught.value.where == "params.yaml, line 7"


def test_good_keys_pass(chain):
    keys = ["a.src", "a.x", "b.src", "a.__enabled__", "b.__slurm_options__", "__slurm_options__"]
    check_keys(from_spec(chain.spec).wiring(), dict.fromkeys(keys, ""))


def test_planning_reads_and_writes_nothing(chain, monkeypatch):
    for name in ("open", "stat", "lstat", "listdir", "scandir", "mkdir"):
        monkeypatch.setattr(f"os.{name}", lambda *a, **k: pytest.fail("planning touched the disk"))
    chain.plan([SRC])


# --- against a naive resolver: one row at a time, nothing shared, nothing kept

VALUES = st.sampled_from([0, 1, "1", 1.0, True, None, "text", [1, 2], {"k": 1}])
NAMES = ["a", "b", "c"]


@st.composite
def grids(draw):
    """A random pipeline of three nodes, and rows for it."""
    nodes = [
        ProcessNode(
            name=name,
            executable=name,
            in_paths=["i", "j"],
            optional=["i", "j"],
            out_paths={"o": "o"},
            algo_params={"x": draw(VALUES), "y": 0},
            perf_params={"n": 0},
        )
        for name in NAMES
    ]
    for one, two in itertools.combinations(nodes, 2):
        port = two.inputs["i" if one.name == "a" else "j"]
        kind = draw(st.sampled_from(["none", "data", "shared"]))
        if kind == "data":
            one.outputs["o"].connect(port)
        elif kind == "shared":
            one.inputs["i"].connect(port)
    keys = [f"{name}.{param}" for name in NAMES for param in ("i", "x", "y", "n")]
    value = st.one_of(VALUES, st.sampled_from(["/root/p", "q"]))
    rows = draw(st.lists(st.dictionaries(st.sampled_from(keys), value, max_size=5), max_size=4))
    rows = [{k: str(v) if k.endswith(".i") else v for k, v in row.items()} for row in rows]
    return Pipeline(nodes).wiring() if _single_sources(nodes) else None, rows


def _single_sources(nodes):
    targets = [(e.dst_node, e.dst_port) for node in nodes for e in node.edges]
    return len(targets) == len(set(targets))


def naive(wiring, row):
    """Node -> (nested tuples that stand for its identity) for one row."""
    found, shared = {}, {}
    for name, node in wiring.nodes.items():
        parts = []
        for port in ("i", "j", "x", "y"):
            edge = wiring.sources.get((name, port))
            key = f"{name}.{port}"
            if key in row or edge is None:
                value = row.get(key, node.algo_params.get(port))
                if port in "ij" and value is not None:
                    value = ("path", value if value.startswith("/") else f"/work/{value}")
            elif edge.src_kind == "output":
                value = ("job", found[edge.src_node])
            else:
                value = shared[edge.src_node, edge.src_port]
            shared[name, port] = value
            if value is not None:
                parts.append((port, value if isinstance(value, tuple) else repr_of(value)))
        found[name] = (name, tuple(parts))
    return found


def repr_of(value):
    return ("list", *map(str, value)) if isinstance(value, list) else str(value).replace("'", '"')


@given(grids())
def test_against_a_naive_resolver(grid):
    wiring, rows = grid
    if wiring is None:
        return
    plan = build_plan(wiring, rows, "/root", workdir="/work")
    expected = {identity for row in rows for identity in naive(wiring, row).values()}
    assert len(plan.jobs) == len(expected)
    # and each row alone gives the ids that it gives among others
    alone = [build_plan(wiring, [row], "/root", workdir="/work") for row in rows]
    assert {job for one in alone for job in one.jobs} == set(plan.jobs)


def test_cost_grows_with_the_rows_and_stays_small(chain):
    rows = [{**SRC, "a.x": i, "b.y": i % 7} for i in range(20_000)]
    start = time.process_time()
    assert len(chain.plan(rows).jobs) == 40_000
    assert time.process_time() - start < 4  # 0.7 s on the machine it was written on; CI is shared


# --- what a node itself refuses


class Timid(ProcessNode):
    name = "timid"
    executable = "true"
    in_paths = ("src",)
    algo_params = {"x": 1, "many": None}

    def refuse(self, name, value):
        return f"is {value}, which is too much" if name != "src" and value == "9" else None


def test_a_node_refuses_values_that_no_declaration_can():
    wiring = Pipeline([Timid()]).wiring()
    assert len(build_plan(wiring, [{"timid.src": "9", "timid.x": 8}], "/root", workdir="/work").jobs) == 1
    for row, key in (({"timid.x": 9}, "x"), ({"timid.many": [1, 9]}, "many")):
        places = {f"timid.{key}": "params.yaml, line 3"}
        with pytest.raises(PlanError) as caught:
            build_plan(wiring, [{"timid.src": "a", **row}], "/root", workdir="/work", where=places)
        assert str(caught.value) == f"params.yaml, line 3: timid.{key} is 9, which is too much"
