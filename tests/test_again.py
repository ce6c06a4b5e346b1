"""When a job is tried again, and with how much more."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwdag.again import EXIT, MEMORY, TIME, Took, Tries, more_memory, more_seconds
from kwdag.report.progress import PlainReporter as Notes

CAUSES = (EXIT, TIME, MEMORY, None)


@given(st.lists(st.sampled_from(CAUSES)), st.integers(0, 3), st.integers(0, 3))
def test_each_kind_of_try_is_used_up_by_itself(causes, retries, resource_retries):
    tries = Tries(retries, resource_retries)
    allowed = [cause for cause in causes if tries.allow({"state": "failed", "cause": cause})]
    assert allowed.count(EXIT) == min(retries, causes.count(EXIT))
    assert sum(cause in (TIME, MEMORY) for cause in allowed) == min(
        resource_retries, causes.count(TIME) + causes.count(MEMORY)
    )
    assert None not in allowed and not Tries(9, 9).allow({"state": "done", "cause": None})


@given(st.floats(0.001, 1e6), st.floats(0, 1e6))
def test_more_is_at_least_twice_as_much_and_enough_for_the_largest_so_far(had, took):
    assert more_seconds(had, Took(seconds=took)) >= max(2 * had, took)
    assert more_memory(int(had * 1000), Took(memory=int(took))) >= max(2 * int(had * 1000), int(took))


def test_a_timeout_gets_twice_the_time(lab):
    lab.node("a", "sleep 1; echo > {dst}", resources={"time": 0.3})
    (event,) = lab.schedule({}).ended
    assert event.state == "done" and event.status["attempt"] == 3  # 0.3, 0.6, 1.2 s


def test_a_timeout_gets_what_others_of_its_node_took(lab):
    lab.node("a", "sleep {x}; echo > {dst}", algo_params={"x": 0}, resources={"time": 5})
    lab.schedule({"a.x": [1]})
    lab.spec["nodes"]["a"]["resources"] = {"time": 0.1}
    (event,) = lab.schedule({"a.x": [0.8]}, resource_retries=1).ended
    assert event.state == "done" and event.status["attempt"] == 2  # 1.25 s, not 0.2 s


def test_without_resource_retries_a_timeout_is_the_end(lab):
    lab.node("a", "sleep 30", resources={"time": 0.2})
    (event,) = lab.schedule({}, resource_retries=0).ended
    assert (event.state, event.reason) == ("failed", "timeout after 0.2 s")
    assert event.status["attempt"] == 1


@pytest.mark.parametrize(("body", "said"), [
    ("sleep 0.5; echo > {dst}", "timeout after 0.4 s: once more with 0.8 s"),
    ("[ -e {dst}.was ] || {{ touch {dst}.was; exit 3; }}; echo > {dst}", "exit code 3: once more"),
])  # fmt: skip
def test_it_is_said_that_a_job_is_tried_again(lab, body, said):
    lab.node("a", body, resources={"time": 0.4})
    notes = Notes(None, 1, io.StringIO())
    lab.schedule({}, retries=1, announce=lambda _: notes)
    text = notes.out.getvalue()
    assert f"{lab.job('a').name}: {said}" in text and "done" in text
