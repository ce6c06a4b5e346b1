"""How long jobs took, and what goes first because of it."""

from __future__ import annotations

import pytest

from kwdag.durations import known_durations, known_seconds, longest_path_first


def test_the_mean_of_done_jobs(lab):
    lab.node("a", "sleep {s}; echo > {dst}", algo_params=["s"]).node("b", "false", ins=["src"])
    lab.edge("a.dst -> b.src")
    lab.schedule({"a.s": [0, 0.2]})
    found = known_seconds(str(lab.root), ["a", "b", "c"])
    assert found.keys() == {"a"}, "a failed job says nothing of how long one takes"
    assert 0.1 < found["a"] < 0.3


def test_the_longest_path_goes_first(lab):
    lab.node("short").node("long").node("tail", ins=["src"]).edge("short.dst -> tail.src")
    plan = lab.plan([{}])
    jobs = list(plan.jobs.values())
    ids = {node: found[0].id for node, found in plan.by_node().items()}
    places = longest_path_first(jobs, {ids["short"]: 1.0, ids["long"]: 5.0, ids["tail"]: 1.0})
    assert sorted(places, key=places.__getitem__) == [ids["long"], ids["short"], ids["tail"]]
    places = longest_path_first(jobs, {ids["short"]: 3.0, ids["long"]: 5.0, ids["tail"]: 3.0})
    assert min(places, key=places.__getitem__) == ids["short"]


def test_a_job_that_ran_before_is_expected_to_take_as_long_again(lab):
    lab.node("a", "sleep {s}; echo > {dst}", algo_params=["s"])
    plan = lab.schedule({"a.s": [0, 0.4]}).outlook.plan
    new = lab.schedule({"a.s": [0, 0.4, 9]}, run=False).outlook.plan
    found = known_durations(str(lab.root), new.jobs.values(), dict.fromkeys(plan.jobs, 1))
    by_param = {job.params["s"]: found[job.id] for job in new.jobs.values()}
    assert by_param[0] < 0.2 < 0.4 < by_param[0.4]
    assert by_param[9] == pytest.approx((by_param[0] + by_param[0.4]) / 2)
