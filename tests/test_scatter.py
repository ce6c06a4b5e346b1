"""Scatter: what a job lists becomes branches, in rounds, and a later gather joins them again."""

from __future__ import annotations

import json
import shlex

import pytest

from kwdag.errors import PlanError
from kwdag.plan import Branch, Item


def listing(*keys, **values):
    """Bash that prints a list of items."""
    return f"echo {shlex.quote(json.dumps([{'key': key, 'values': values} for key in keys]))}".replace(
        "{", "{{"
    ).replace("}", "}}")


@pytest.fixture
def scatters(lab):
    """`s` lists branches, `p` works on each, `g` gathers them."""
    lab.scatter("s", listing("one", "two"), algo_params={"n": 0})
    lab.node("p", "echo {item} {x} > {dst}", ins=["item"], algo_params={"x": 0})
    lab.node("g", "xargs cat < {parts} > {dst}", ins=["parts"])
    return lab.edge("s.items -> p.item").gather("p.dst", "g.parts")


def items(*keys, **values):
    return [Item(key, values) for key in keys]


def known(lab, row, found, **options):
    """The plan once every job of `s` has listed the same."""
    ids = [job.id for job in lab.plan([row]).by_node()["s"]]
    return lab.plan([row], scattered=dict.fromkeys(ids, found), **options)


def count(plan):
    return {name: len(jobs) for name, jobs in plan.by_node().items()}


# --- planning


def test_branches_are_open_until_the_list_is_known(scatters):
    plan = scatters.plan([{}])
    assert count(plan) == {"s": 1, "p": 0, "g": 0} and plan.open == {"p": 1, "g": 1}


def test_each_item_is_a_branch_and_a_gather_joins_them(scatters):
    plan = known(scatters, {}, items("one", "two", "three"))
    assert count(plan) == {"s": 1, "p": 3, "g": 1} and not plan.open
    assert [job.sources["item"].key for job in plan.by_node()["p"]] == ["one", "two", "three"]
    assert len(plan.by_node()["g"][0].groups[0].members) == 3


def test_a_branch_is_known_by_its_key_not_by_its_place(scatters):
    one, two = known(scatters, {}, items("a", "b")), known(scatters, {}, items("b", "c", "a"))
    assert {job.id for job in one.by_node()["p"]} < {job.id for job in two.by_node()["p"]}


def test_the_values_of_an_item_are_parameters_of_the_nodes_behind(scatters):
    (job,) = known(scatters, {"p.x": 1}, items("one", x=7)).by_node()["p"]
    assert job.params["x"] == 7  # the item knows better than the matrix
    (job,) = known(scatters, {}, items("one", **{"p.x": 8})).by_node()["p"]
    assert job.params["x"] == 8


def test_values_reach_every_node_next_in_line(scatters):
    scatters.node("q", ins=["item"], algo_params={"x": 0}).edge("s.items -> q.item")
    plan = known(scatters, {}, items("one", x=7))
    assert [plan.by_node()[name][0].params["x"] for name in "pq"] == [7, 7]


@pytest.mark.parametrize("name", ["y", "p.y", "s.n", "z.y"])
def test_an_item_that_sets_what_no_node_behind_has_is_refused(scatters, name):
    with pytest.raises(PlanError, match=f"item 'one' sets '{name}'"):
        known(scatters, {}, items("one", **{name: 1}))


def test_an_empty_list_is_an_end_not_a_question(scatters):
    plan = known(scatters, {}, [])
    assert count(plan) == {"s": 1, "p": 0, "g": 0}
    assert not plan.open and plan.skipped == {"p": 1, "g": 1}


def test_rows_whose_lists_are_known_do_not_wait_for_others(scatters):
    rows = [{"s.n": 1}, {"s.n": 2}]
    first = scatters.plan([rows[0]]).by_node()["s"][0].id
    plan = scatters.plan(rows, scattered={first: items("one")})
    assert count(plan)["p"] == 1 and plan.open["p"] == 1
    assert count(plan)["g"] == 0  # the gather needs all of them


def test_a_gather_by_the_scattering_job_joins_each_list_by_itself(scatters):
    scatters.spec["edges"][-1]["gather"]["group_by"] = ["s"]
    rows = [{"s.n": 1}, {"s.n": 2}]
    sources = [job.id for job in scatters.plan(rows).by_node()["s"]]
    plan = scatters.plan(rows, scattered={sources[0]: items("one", "two")})
    assert count(plan) == {"s": 2, "p": 2, "g": 1} and plan.open["g"] == 1


def test_nodes_that_are_not_behind_have_no_branches(scatters):
    scatters.node("other", algo_params={"k": 0})
    assert count(known(scatters, {}, items("one", "two")))["other"] == 1


def test_a_node_may_read_another_output_of_the_scattering_node(scatters):
    scatters.spec["nodes"]["s"]["out_paths"]["info"] = "info.txt"
    scatters.node("i", ins=["info"]).edge("s.info -> i.info")
    plan = known(scatters, {}, items("one", "two"))
    assert count(plan)["i"] == 1


def test_a_given_item_needs_no_list(scatters):
    scatters.spec["edges"] = scatters.spec["edges"][:1]
    plan = scatters.plan([{"p.item": "mine", "g.parts": "p"}])
    assert count(plan)["p"] == 1 and "p" not in plan.open


def test_nested_scatters_open_one_layer_a_round(scatters):
    scatters.scatter("t", listing("x", "y"), ins=["item"]).node("u", ins=["leaf", "dir"])
    scatters.edge("s.items -> t.item", "t.items -> u.leaf", "p.dst -> u.dir")
    (source,) = (job.id for job in scatters.plan([{}]).by_node()["s"])
    one = scatters.plan([{}], scattered={source: items("one", "two")})
    assert count(one) == {"s": 1, "p": 2, "t": 2, "u": 0, "g": 1} and one.open == {"u": 2}
    lists = {job.id: items("x", "y", "z") for job in one.by_node()["t"]}
    two = scatters.plan([{}], scattered={source: items("one", "two"), **lists})
    assert count(two)["u"] == 6
    for job in two.by_node()["u"]:  # both ways into a branch are of one branch
        assert isinstance(job.sources["leaf"], Branch)
        assert job.sources["leaf"].job.sources["item"].key == job.sources["dir"].job.sources["item"].key


def test_branches_of_a_large_list_cost_little(scatters):
    import time

    start = time.process_time()
    plan = known(scatters, {}, items(*(f"k{i}" for i in range(2000))))
    assert len(plan.jobs) == 2002 and time.process_time() - start < 2


# --- run for real


@pytest.mark.every_backend
def test_rounds_run_by_themselves(scatters):
    done = scatters.schedule({})
    assert done.complete and done.counts == {"done": 4}
    assert (scatters.job("g") / "g.txt").read_text().split().count("0") == 2
    assert sorted((scatters.job("g") / "g.txt").read_text().splitlines()) == ["one 0", "two 0"]
    scatters.ran()
    again = scatters.schedule({})
    assert again.complete and again.ended == () and scatters.ran() == []


def test_a_dry_run_says_how_many_branches_are_open(scatters):
    outlook = scatters.schedule({"s.n": [1, 2]}, run=False).outlook
    assert outlook.plan.open == {"p": 2, "g": 2}
    scatters.schedule({"s.n": [1]})
    outlook = scatters.schedule({"s.n": [1, 2]}, run=False).outlook
    assert outlook.plan.open == {"p": 1, "g": 3}
    assert len(outlook.plan.by_node()["p"]) == 2


def test_the_config_of_a_branch_holds_its_key_and_values(scatters):
    scatters.scatter("s", listing("one", x=7), algo_params={"n": 0})
    scatters.schedule({})
    config = json.loads((scatters.job("p") / "job_config.json").read_text())
    assert config == {"s.n": 0, "s.__branch__": "one", "p.x": 7}


@pytest.mark.every_backend
def test_nested_scatter_run_for_real(scatters):
    scatters.scatter("t", listing("x", "y"), ins=["item"])
    scatters.node("u", "echo {leaf} > {dst}", ins=["leaf"]).edge("s.items -> t.item", "t.items -> u.leaf")
    done = scatters.schedule({})
    assert done.complete
    assert scatters.ran() == ["g", "p", "p", "s", "t", "t", "u", "u", "u", "u"]


@pytest.mark.parametrize("mess", ["echo '['", "echo 3", "echo '[{{\"key\": 1}}]'", "echo '[{{}}]'"])
def test_a_broken_list_fails_its_job(scatters, mess):
    scatters.scatter("s", mess)
    done = scatters.schedule({})
    assert done.counts == {"failed": 1} and not done.complete
    assert done.ended[0].reason.startswith("invalid result: ")


@pytest.mark.every_backend
def test_an_empty_list_is_complete(scatters):
    scatters.scatter("s", "echo '[]'")
    done = scatters.schedule({})
    assert done.complete and done.counts == {"done": 1}


@pytest.mark.every_backend
def test_a_failed_branch_leaves_the_others_and_is_made_up_for(scatters):
    body = scatters.spec["nodes"]["p"]["command_template"]
    scatters.spec["nodes"]["p"]["command_template"] = "[ {item} != two ] || exit 3; " + body
    assert scatters.schedule({}).counts == {"done": 2, "failed": 1, "blocked": 1}
    scatters.spec["nodes"]["p"]["command_template"] = body
    scatters.ran()
    assert scatters.schedule({}).complete
    assert "s" not in scatters.ran()


@pytest.mark.every_backend
def test_a_partial_gather_behind_a_scatter(scatters):
    scatters.spec["nodes"]["g"]["partial_gather"] = True
    scatters.node("p", "[ {item} != two ] && echo {item} > {dst}", ins=["item"])
    assert scatters.schedule({}).counts == {"done": 3, "failed": 1}
    assert (scatters.job("g") / "g.txt").read_text() == "one\n"


def test_a_list_that_changed_is_followed(scatters):
    scatters.schedule({})
    scatters.scatter("s", listing("two", "three"), algo_params={"n": 0})
    scatters.ran()
    done = scatters.schedule({})
    assert done.complete
    assert sorted((scatters.job_of(done, "g") / "g.txt").read_text().splitlines()) == ["three 0", "two 0"]


def test_a_failed_scatter_leaves_its_branches_open_and_the_rest_runs(scatters):
    scatters.scatter("s", "exit 3", algo_params={"n": 0}).node("other")
    done = scatters.schedule({})
    assert done.counts == {"failed": 1, "done": 1} and not done.complete
    assert done.outlook.plan.open == {"p": 1, "g": 1}


def test_a_disabled_scatter_that_is_done_still_opens_its_branches(scatters):
    scatters.schedule({})
    scatters.ran()
    assert scatters.schedule({"s.__enabled__": 0, "p.x": 5}).complete
    assert scatters.ran() == ["g", "p", "p"]
