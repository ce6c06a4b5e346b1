"""Gather: which upstream jobs meet in which downstream job, in what order, and what the program reads."""

from __future__ import annotations

import json
import time

import pytest

from kwdag.errors import PlanError

ROWS = [{"a.fold": f, "a.x": x} for f in (1, 2) for x in (3, 10)]


@pytest.fixture
def gathers(lab):
    """`a` has a fold and a parameter; `g` gathers what `a` wrote."""
    lab.node("a", "echo {x} > {dst}", algo_params={"fold": 0, "x": 0})
    return lab.node("g", "xargs cat < {parts} > {dst}", ins=["parts"], algo_params={"fold": None, "part": 0})


def groups(plan, node="g"):
    """For each job of a node, the parameters of its members in their order."""
    return [
        [tuple(member.job.params.values()) for member in job.groups[0].members]
        for job in plan.by_node()[node]
    ]


def sets(plan, node="g"):
    return sorted(sorted(members) for members in groups(plan, node))


FOLDS = [[(1, 3), (1, 10)], [(2, 3), (2, 10)]]


def test_without_keys_all_jobs_come_together(gathers):
    gathers.gather("a.dst", "g.parts")
    assert sets(gathers.plan(ROWS)) == [sorted(FOLDS[0] + FOLDS[1])]


@pytest.mark.parametrize("key", ["fold", "a.fold", {"src": "fold", "dst": "a.fold"}])
def test_a_key_of_the_upstream_node_makes_a_group_for_each_value(gathers, key):
    gathers.gather("a.dst", "g.parts", key if key != "fold" else {"src": "fold", "dst": "a.fold"})
    assert sets(gathers.plan(ROWS)) == FOLDS


def test_a_bare_key_is_looked_up_on_both_sides(gathers):
    gathers.gather("a.dst", "g.parts", "fold")
    assert sets(gathers.plan([{**row, "g.fold": 2} for row in ROWS])) == [FOLDS[1]]


def test_a_bare_key_that_the_downstream_node_lacks_is_that_of_its_row(gathers):
    gathers.gather("a.dst", "g.parts", "x")
    assert sets(gathers.plan(ROWS)) == [[(1, 3), (2, 3)], [(1, 10), (2, 10)]]


def test_keys_of_two_names(gathers):
    gathers.gather("a.dst", "g.parts", {"src": "fold", "dst": "part"})
    assert sets(gathers.plan([{**row, "g.part": "1"} for row in ROWS])) == [FOLDS[0]]


def test_a_group_that_has_no_members_has_no_job(gathers):
    gathers.gather("a.dst", "g.parts", {"src": "fold", "dst": "part"})
    plan = gathers.plan([{**ROWS[0], "g.part": 7}])
    assert plan.by_node()["g"] == [] and plan.skipped == {"g": 1}


def test_a_key_that_is_the_name_of_a_node_means_its_job(lab):
    lab.node("top", algo_params=["k"]).node("a", ins=["src"], algo_params=["x"]).node("g", ins=["parts"])
    lab.edge("top.dst -> a.src").gather("a.dst", "g.parts", "top")
    plan = lab.plan([{"top.k": k, "a.x": x} for k in (1, 2) for x in (1, 2, 3)])
    assert sorted(map(len, groups(plan))) == [3, 3]
    for job in plan.by_node()["g"]:
        assert len({member.job.upstream[0] for member in job.groups[0].members}) == 1


def test_a_key_that_is_an_input_fed_by_another_job(lab):
    lab.node("top", algo_params=["k"]).node("a", ins=["src"], algo_params=["x"])
    lab.node("g", ins=["parts", "src"])
    lab.edge("top.dst -> a.src", "top.dst -> g.src").gather("a.dst", "g.parts", "src")
    plan = lab.plan([{"top.k": k, "a.x": x} for k in (1, 2) for x in (1, 2, 3)])
    assert sorted(map(len, groups(plan))) == [3, 3]


def test_a_key_that_is_a_default_or_given_by_an_earlier_node(lab):
    lab.node("top", algo_params={"k": 5}).node("a", ins=["src"], algo_params=["x"]).node("g", ins=["parts"])
    lab.edge("top.dst -> a.src").gather("a.dst", "g.parts", "top.k")
    plan = lab.plan([{"a.x": 1}, {"a.x": 2, "top.k": 5}, {"a.x": 3, "top.k": "5"}, {"a.x": 3, "top.k": 6}])
    assert sorted(map(len, groups(plan))) == [1, 3]


def test_the_members_are_sorted_by_id_whatever_the_order_of_the_rows(gathers):
    gathers.gather("a.dst", "g.parts")
    one, two = gathers.plan(ROWS), gathers.plan(ROWS[::-1])
    assert groups(one) == groups(two)
    assert [job.id for job in one.by_node()["g"]] == [job.id for job in two.by_node()["g"]]
    ids = [member.job.id for member in one.by_node()["g"][0].groups[0].members]
    assert ids == sorted(ids)


def test_order_by_orders_numbers_as_numbers_and_enters_the_id(gathers):
    plain = gathers.plan
    gathers.gather("a.dst", "g.parts", order_by=["x", "fold"])
    assert groups(plain(ROWS)) == [[(1, 3), (2, 3), (1, 10), (2, 10)]]
    before = [job.id for job in plain(ROWS).by_node()["g"]]
    gathers.spec["edges"][0]["gather"]["order_by"] = ["fold", "x"]
    assert groups(plain(ROWS)) == [[(1, 3), (1, 10), (2, 3), (2, 10)]]
    assert before != [job.id for job in plain(ROWS).by_node()["g"]]


def test_order_by_a_parameter_of_an_ancestor_or_one_that_is_forwarded(lab):
    lab.node("top", algo_params=["k"]).node("a", ins=["src"], algo_params=["k2"]).node("g", ins=["parts"])
    lab.edge("top.dst -> a.src", "top.k -> a.k2").gather("a.dst", "g.parts", order_by=["top.k"])
    rows = [{"top.k": k} for k in (10, 9, 2)]

    def order():
        (job,) = lab.plan(rows).by_node()["g"]
        return [member.job.upstream[0].params["k"] for member in job.groups[0].members]

    assert order() == [2, 9, 10]
    lab.spec["edges"][-1]["gather"]["order_by"] = ["k2"]
    assert order() == [2, 9, 10]


def test_order_by_a_node_gives_gathers_from_several_nodes_one_order(lab):
    lab.node("top", algo_params=["k"]).node("a", ins=["src"]).node("b", ins=["src"])
    lab.node("g", ins=["first", "second"])
    lab.edge("top.dst -> a.src", "top.dst -> b.src")
    lab.gather("a.dst", "g.first", order_by=["top"]).gather("b.dst", "g.second", order_by=["top"])
    (job,) = lab.plan([{"top.k": k} for k in range(8)]).by_node()["g"]
    first, second = ([member.job.upstream[0].id for member in group.members] for group in job.groups)
    assert first == second == sorted(first)
    assert len(first) == 8


def test_order_by_a_node_that_is_not_upstream_is_an_error(lab):
    lab.node("a", algo_params=["k"]).node("g", ins=["parts"])
    lab.gather("a.dst", "g.parts", order_by=["g"])
    with pytest.raises(PlanError, match="order_by names node 'g', which is not upstream"):
        lab.plan([{"a.k": 1}])


@pytest.mark.parametrize("field", ["group_by", "order_by"])
@pytest.mark.parametrize("key", ["flod", "a.flod", "z.fold"])
def test_an_unknown_key_is_refused(gathers, field, key):
    gathers.gather("a.dst", "g.parts")
    gathers.spec["edges"][0]["gather"][field] = [key]
    with pytest.raises(PlanError, match=f"{field} names '{key}'"):
        gathers.plan(ROWS)


def test_a_node_that_is_not_upstream_cannot_be_a_key(gathers):
    gathers.node("later").gather("a.dst", "g.parts", "later")
    with pytest.raises(PlanError, match="'later', which is not upstream"):
        gathers.plan(ROWS)


def test_a_gathered_input_cannot_be_given_as_well(gathers):
    gathers.gather("a.dst", "g.parts")
    with pytest.raises(PlanError, match=r"g\.parts is gathered"):
        gathers.plan([{**ROWS[0], "g.parts": "x"}])


def test_a_job_gathered_from_two_nodes(lab):
    lab.node("a", algo_params=["x"]).node("b", algo_params=["x"]).node("g", ins=["p", "q"])
    lab.gather("a.dst", "g.p").gather("b.dst", "g.q", {"src": "x", "dst": "b.x"})
    plan = lab.plan([{"a.x": i, "b.x": i % 2} for i in range(4)])
    assert [sorted(len(group.members) for group in job.groups) for job in plan.by_node()["g"]] == [[1, 4]] * 2


def test_all_to_all_shares_one_group_and_takes_no_time(lab):
    lab.node("a", algo_params=["x"]).node("g", ins=["parts"], algo_params=["z"]).gather("a.dst", "g.parts")
    start = time.process_time()
    plan = lab.plan([{"a.x": i, "g.z": i} for i in range(300)])
    assert time.process_time() - start < 1
    readers = plan.by_node()["g"]
    assert len(readers) == 300 and len({job.groups[0] for job in readers}) == 1
    assert len(readers[0].groups[0].members) == 300


# --- run for real

MATRIX = {"a.fold": [1, 2], "a.x": [3, 10]}


@pytest.mark.every_backend
def test_the_program_reads_a_manifest_of_paths(gathers):
    gathers.gather("a.dst", "g.parts", order_by=["fold", "x"])
    assert gathers.schedule(MATRIX).complete
    job = gathers.job("g")
    assert (job / "g.txt").read_text().split() == ["3", "10", "3", "10"]
    lines = (job / "_gather/parts.txt").read_text().splitlines()
    twin = json.loads((job / "_gather/parts.json").read_text())["members"]
    assert [member["path"] for member in twin] == lines
    assert [member["keys"] for member in twin] == [{"a.fold": f, "a.x": x} for f in (1, 2) for x in (3, 10)]
    assert json.loads((job / "job_config.json").read_text()) == {"g.fold": None, "g.part": 0}


def test_the_config_holds_what_all_members_agree_on(gathers):
    gathers.gather("a.dst", "g.parts", "a.fold")
    gathers.schedule(MATRIX)
    configs = [json.loads(p.read_text()) for p in gathers.root.glob("g/*/job_config.json")]
    assert sorted(config["a.fold"] for config in configs) == [1, 2]


def test_a_member_that_changed_makes_the_gather_stale(gathers):
    gathers.gather("a.dst", "g.parts")
    gathers.schedule(MATRIX)
    gathers.ran()
    assert gathers.schedule({**MATRIX, "a.x": [3]}).complete
    assert gathers.ran() == ["g"]  # another set of members: another job
    assert gathers.schedule({**MATRIX, "a.__enabled__": ["redo"]}).complete
    assert gathers.ran() == ["a"] * 4 + ["g"]


@pytest.mark.every_backend
def test_a_failed_member_blocks_the_gather(gathers):
    gathers.node("a", "[ {x} != 10 ] && echo {x} > {dst}", algo_params={"fold": 0, "x": 0})
    gathers.gather("a.dst", "g.parts")
    assert gathers.schedule(MATRIX).counts == {"done": 2, "failed": 2, "blocked": 1}


@pytest.fixture
def partial(gathers):
    gathers.node("a", "[ {x} != 10 ] && echo {x} > {dst}", algo_params={"fold": 0, "x": 0})
    gathers.spec["nodes"]["g"]["partial_gather"] = True
    return gathers.gather("a.dst", "g.parts")


@pytest.mark.every_backend
def test_a_partial_gather_goes_on_without_failed_members(partial):
    done = partial.schedule(MATRIX)
    assert done.counts == {"done": 3, "failed": 2} and not done.complete
    job = partial.job("g")
    assert (job / "g.txt").read_text().split() == ["3", "3"]
    assert len(json.loads((job / "_gather/parts.json").read_text())["members"]) == 2
    assert len(list((job / ".pred/a").iterdir())) == 2


@pytest.mark.every_backend
def test_a_partial_gather_without_any_member_is_blocked(partial):
    assert partial.schedule({**MATRIX, "a.x": 10}).counts == {"failed": 2, "blocked": 1}


def test_a_partial_gather_goes_on_without_disabled_members(partial):
    matrix = {"matrix": {"a.x": [3]}, "include": [{"a.x": 4, "a.__enabled__": 0}]}
    assert partial.schedule(matrix).counts == {"done": 2}
    assert (partial.job("g") / "g.txt").read_text().split() == ["3"]


@pytest.mark.every_backend
def test_a_partial_gather_is_made_again_when_its_members_are_there(partial):
    partial.schedule(MATRIX)
    partial.ran()
    partial.node("a", "echo {x} > {dst}", algo_params={"fold": 0, "x": 0})
    assert partial.schedule(MATRIX).complete
    assert (partial.job("g") / "g.txt").read_text().split().count("10") == 2


def test_all_to_all_run_for_real(lab):
    lab.node("a", "echo {x} > {dst}", algo_params=["x"])
    lab.node("g", "wc -l < {parts} > {dst}", ins=["parts"], algo_params=["z"]).gather("a.dst", "g.parts")
    assert lab.schedule({"a.x": list(range(12)), "g.z": [1, 2, 3]}).counts == {"done": 15}
    assert {path.read_text().strip() for path in lab.root.glob("g/*/g.txt")} == {"12"}
