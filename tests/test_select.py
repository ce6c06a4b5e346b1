"""Which jobs run, and why: a pure decision on states that were read before."""

from __future__ import annotations

import time

import pytest

from kwdag.errors import PlanError
from kwdag.select import select
from kwdag.state import PENDING, State

DONE = State("done", None, 1, "run", {})
STALE = State("stale", "its command has changed", 1, "run", {})
FAILED = State("failed", "exit code 3", 1)
SRC = {"a.src": "in"}


def choose(plan, states=None, **options):
    """Select with states by node name (pending by default); ids in the answer become node names."""
    found = {job.id: (states or {}).get(job.node.name, PENDING) for job in plan.jobs.values()}
    if "settled" in options:
        options["settled"] = frozenset(j.id for j in plan.jobs.values() if j.node.name in options["settled"])
    chosen = select(plan, found, **options)

    def names(ids):
        return [plan.jobs[job].node.name for job in ids]

    return (
        dict(zip(names(chosen.run), chosen.run.values(), strict=True)),
        sorted(names(chosen.done)),
        dict(zip(names(chosen.blocked), chosen.blocked.values(), strict=True)),
        sorted(names(chosen.disabled)),
    )


@pytest.fixture
def plan(chain):
    return chain.plan([SRC])


def a_of(plan):
    return plan.by_node()["a"][0].id


def test_pending_failed_and_interrupted_jobs_run(plan):
    run, done, _, _ = choose(plan, {"a": FAILED, "b": State("interrupted", "cut off")})
    assert run == {"a": "exit code 3", "b": "cut off"} and done == []


def test_done_jobs_stand(plan):
    assert choose(plan, {"a": DONE, "b": DONE}) == ({}, ["a", "b"], {}, [])


def test_what_reads_from_a_job_that_runs_again_runs_again(plan):
    run, _, _, _ = choose(plan, {"a": FAILED, "b": DONE})
    assert run["b"] == f"{a_of(plan)} runs again"


def test_stale_jobs(plan):
    assert choose(plan, {"a": STALE, "b": DONE})[0]["a"] == "its command has changed"
    assert choose(plan, {"a": STALE, "b": DONE}, stale="keep") == ({}, ["a", "b"], {}, [])
    with pytest.raises(PlanError, match="is stale: its command has changed"):
        choose(plan, {"a": STALE, "b": DONE}, stale="error")


def test_without_cache_all_run(plan):
    assert list(choose(plan, {"a": DONE, "b": DONE}, cache=False)[0]) == ["a", "b"]


def test_redo_runs_a_job_and_what_reads_from_it(chain):
    run, done, _, _ = choose(chain.plan([{**SRC, "a.__enabled__": "redo"}]), {"a": DONE, "b": DONE})
    assert run["a"] == "asked to redo" and list(run) == ["a", "b"] and done == []
    run, done, _, _ = choose(chain.plan([{**SRC, "b.__enabled__": "redo"}]), {"a": DONE, "b": DONE})
    assert list(run) == ["b"] and done == ["a"]


def test_a_disabled_job_that_is_done_serves_its_readers(chain):
    plan = chain.plan([{**SRC, "a.__enabled__": 0}])
    assert choose(plan, {"a": DONE})[:2] == ({"b": "not run yet"}, ["a"])


def test_a_disabled_job_that_is_not_done_blocks_its_readers(chain):
    plan = chain.plan([{**SRC, "a.__enabled__": 0}])
    assert choose(plan) == ({}, [], {"b": f"{a_of(plan)} is disabled"}, ["a"])


def test_a_job_that_this_run_has_ended_does_not_run_again(plan):
    assert choose(plan, {"a": FAILED}, settled=["a"]) == (
        {}, [], {"a": "exit code 3", "b": f"{a_of(plan)} failed"}, [],
    )  # fmt: skip
    assert choose(plan, {"a": DONE, "b": DONE}, settled=["a"], cache=False)[:2] == (
        {"b": "asked to run without cache"}, ["a"],
    )  # fmt: skip


def test_a_job_blocked_in_an_earlier_round_says_by_what(plan):
    blocked = choose(plan, {"a": FAILED}, settled=["a", "b"])[2]
    assert blocked["b"] == f"{a_of(plan)} failed"


def test_a_running_job_is_waited_for(plan):
    assert choose(plan, {"a": State("running")})[0]["a"] == "running"


@pytest.fixture
def gathered(lab):
    lab.node("a", algo_params=["x"]).node("g", ins=["parts"], algo_params={"z": 0})
    return lab.gather("a.dst", "g.parts")


OFF = {"a.x": 2, "a.__enabled__": 0}


def test_a_gather_waits_for_all_its_members(gathered):
    assert choose(gathered.plan([{"a.x": 1}, OFF]))[2]["g"].endswith("is disabled")


def test_a_partial_gather_runs_with_the_members_it_has(gathered):
    gathered.spec["nodes"]["g"]["partial_gather"] = True
    assert "g" in choose(gathered.plan([{"a.x": 1}, OFF]))[0]
    assert "g" in choose(gathered.plan([OFF]))[2]


def test_all_to_all_costs_no_product(gathered):
    plan = gathered.plan([{"a.x": i, "g.z": i} for i in range(2000)])
    for states in ({}, {"a": DONE, "g": DONE}):
        start = time.process_time()
        choose(plan, states)
        assert time.process_time() - start < 0.5
