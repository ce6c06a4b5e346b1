"""What whoever runs a job is told of it."""

from __future__ import annotations

import pytest

from kwdag import units
from kwdag.errors import PipelineError
from kwdag.node import ProcessNode
from kwdag.tasks import TaskMaker


def tasks(plan):
    maker = TaskMaker(plan)
    return {job.node.name: maker.task(job) for job in plan.jobs.values()}


def test_a_task_holds_all_that_a_worker_needs(chain):
    plan = chain.plan([{"a.src": "in.txt", "a.x": 2}])
    found = tasks(plan)
    a, b = found["a"], found["b"]
    assert a.dpath == f"/root/a/{a.id}" and a.inputs == ("/work/in.txt",) and a.upstream == ()
    assert b.inputs == () and b.upstream == (("a", a.id),) and b.timeout is None
    assert b.config == {"a.src": "/work/in.txt", "a.x": 2, "b.y": 1}
    assert a.digest == plan.jobs[a.id].digest


def test_inputs_below_the_root_are_told_from_the_job_directory(chain):
    (path,) = tasks(chain.plan([{"a.src": "/root/data/x"}]))["a"].inputs
    assert path == "../../data/x"


def test_dots_in_names(lab):
    lab.node("trk.pxl", algo_params=["data.set"])
    assert tasks(lab.plan([{"trk.pxl.data.set": 1}]))["trk.pxl"].config == {"trk.pxl.data.set": 1}


def test_a_shared_value_is_recorded_where_it_was_given(lab):
    lab.node("a", ins=["src"]).node("b", ins=["truth", "pred"]).edge("a.src -> b.truth", "a.dst -> b.pred")
    assert tasks(lab.plan([{"a.src": "x"}]))["b"].config == {"a.src": "/work/x"}


@pytest.fixture
def gathered(lab):
    lab.node("a", algo_params=["x", "y"]).node("g", ins=["parts"], partial_gather=True)
    return lab.gather("a.dst", "g.parts").plan([{"a.x": x, "a.y": 0} for x in (1, 2)])


def test_a_gather_holds_its_members_and_what_they_agree_on(gathered):
    task = tasks(gathered)["g"]
    assert task.config == {"a.y": 0}
    assert [member["path"] for member in task.gathers["parts"]] == [
        f"/root/a/{job_id}/a.txt" for job_id in sorted(job.id for job in gathered.by_node()["a"])
    ]
    assert sorted(member["keys"]["a.x"] for member in task.gathers["parts"]) == [1, 2]


def test_absent_members_are_left_out(gathered):
    (job,) = gathered.by_node()["g"]
    gone, left = job.groups[0].members
    task = TaskMaker(gathered).task(job, frozenset([gone.job.id]))
    assert task.upstream == (("a", left.job.id),)
    assert [member["job"] for member in task.gathers["parts"]] == [left.job.id]
    assert len(TaskMaker(gathered).task(job).gathers["parts"]) == 2


TIMES = [
    (None, None), (90, 90), (0.5, 0.5), ("90", 90), ("90s", 90), ("30m", 1800), ("1.5 h", 5400),
    ("1d", 86400), ("10:30", 630), ("1:00:00", 3600), ("1-02:00:00", 93600),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TIMES)
def test_times(text, expected):
    assert (
        units.seconds(ProcessNode(name="n", executable="x", resources={"time": text}).resources["time"])
        == expected
    )


@pytest.mark.parametrize("text", ["soon", "5 parsecs", "1:2:3:4", "-3", "h", ""])
def test_a_time_that_is_none(lab, text):
    with pytest.raises(PipelineError, match="resources of node 'a': time is .* no span of time"):
        lab.node("a", resources={"time": text}).plan([{}])
