"""How long jobs took, and what goes first because of it."""

from __future__ import annotations

from kwdag.durations import known_seconds, longest_path_first


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
    places = longest_path_first(jobs, {"short": 1.0, "long": 5.0, "tail": 1.0})
    assert sorted(places, key=places.__getitem__) == [
        plan.by_node()[node][0].id for node in ("long", "short", "tail")
    ]
    places = longest_path_first(jobs, {"short": 3.0, "long": 5.0, "tail": 3.0})
    assert min(places, key=places.__getitem__) == plan.by_node()["short"][0].id
