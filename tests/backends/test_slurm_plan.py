"""What is submitted together, what in one task, and what waits for what; no Slurm is needed."""

from __future__ import annotations

import pytest

from kwdag.backends import slurm_cli, slurm_submit
from kwdag.backends.slurm_cli import Limits, QueueLine, check_options
from kwdag.backends.slurm_plan import Array, Sizes, plan_arrays
from kwdag.backends.slurm_submit import dependency, job_options, slots
from kwdag.backends.slurm_task import time_limit
from kwdag.errors import BackendError
from kwdag.node import ProcessNode


def arrays_of(lab, rows, options=None, **sizes):
    """Plan rows, with options by node."""
    jobs = list(lab.plan(rows).jobs.values())
    words = {job.id: tuple((options or {}).get(job.node.name, ())) for job in jobs}
    return plan_arrays(jobs, words, Sizes(**sizes))


def shape(arrays):
    """Of each array: its nodes, and how many jobs each of its tasks has."""
    return [("+".join(a.nodes), [len(ids) for ids in a.chunks.values()]) for a in arrays]


def nodes_in_order(array):
    """The nodes of the jobs of its first task, in the order they run."""
    return [job_id.partition("_id_")[0] for job_id in next(iter(array.chunks.values()))]


@pytest.fixture
def line(lab):
    """a -> b, a parameter each."""
    lab.node("a", algo_params={"x": 0}).node("b", ins=["src"], algo_params={"y": 0})
    return lab.edge("a.dst -> b.src")


def xs(count):
    return [{"a.x": x} for x in range(count)]


# -- packing ---------------------------------------------------------------------------------------


def test_chains_of_a_row_stay_together(line):
    (array,) = arrays_of(line, xs(100), slots={(): 2})
    assert len(array.chunks) == 8
    assert nodes_in_order(array)[:4] == ["a", "b", "a", "b"]


@pytest.mark.parametrize(
    ("seconds", "tasks"),
    [
        (None, 8),  # four for each CPU, as nothing is known
        (0.01, 1),  # not worth a second task
        (0.1, 2),  # ten seconds: one for each CPU
        (6.0, 10),  # a minute each
        (600.0, 100),  # no packing
    ],
)
def test_tasks_hold_about_a_minute_of_work(lab, seconds, tasks):
    lab.node("a", algo_params={"x": 0})
    known = {} if seconds is None else {"a": seconds}
    (array,) = arrays_of(lab, xs(100), slots={(): 2}, seconds=known)
    assert len(array.chunks) == tasks
    sizes = [len(ids) for ids in array.chunks.values()]
    assert sum(sizes) == 100
    assert max(sizes) - min(sizes) <= 1


def test_slurm_pack_is_jobs_per_task(line):
    assert shape(arrays_of(line, xs(3), pack=1)) == [("a", [1, 1, 1]), ("b", [1, 1, 1])]
    assert shape(arrays_of(line, xs(4), pack=4)) == [("a+b", [4, 4])]


def test_every_job_is_in_one_task(line):
    rows = [{"a.x": x, "b.y": y} for x in range(30) for y in range(3)]
    found = arrays_of(line, rows, slots={(): 4})
    ids = [job_id for array in found for chunk in array.chunks.values() for job_id in chunk]
    assert len(ids) == len(set(ids)) == 30 + 90


# -- waiting ---------------------------------------------------------------------------------------


def test_other_options_are_another_array_that_corresponds(line):
    first, second = arrays_of(line, xs(10), {"b": ["--mem=1G"]}, pack=2)
    assert (first.options, second.options) == ((), ("--mem=1G",))
    assert second.matches == (0,)
    assert second.chunks.keys() == first.chunks.keys()


def test_a_fan_out_corresponds_several_times(line):
    rows = [{"a.x": x, "b.y": y} for x in range(2) for y in range(3)]
    first, *others = arrays_of(line, rows, {"b": ["--mem=1G"]}, pack=1)
    assert shape(others) == [("b", [1, 1])] * 3
    assert all(array.matches == (0,) for array in others)


def test_a_gather_waits_for_the_tasks_of_its_members(lab):
    lab.node("a", algo_params={"x": 0, "k": 0}).node("g", ins=["src"], algo_params={"k": 0})
    lab.gather("a.dst", "g.src", "k")
    rows = [{"a.x": x, "a.k": k, "g.k": k} for x in range(3) for k in range(2)]
    first, *others = arrays_of(lab, rows, pack=1)
    assert len(first.chunks) == 6
    assert [len(array.after) for array in others] == [3, 3]
    assert not set(others[0].after) & set(others[1].after)


def test_many_small_gathers_wait_together(lab):
    lab.node("a", algo_params={"x": 0, "k": 0}).node("g", ins=["src"], algo_params={"k": 0})
    lab.gather("a.dst", "g.src", "k")
    rows = [{"a.x": x, "a.k": k, "g.k": k} for x in range(2) for k in range(40)]
    _, last = arrays_of(lab, rows, pack=1)
    assert last.after == ((0, -1),)
    assert len(last.chunks) == 40


def test_a_diamond_with_mixed_options_has_no_cycle(lab):
    lab.node("a", algo_params={"x": 0}).node("b", ins=["src"]).node("c", ins=["one", "two"])
    lab.edge("a.dst -> b.src", "a.dst -> c.one", "b.dst -> c.two")
    found = arrays_of(lab, xs(5), {"b": ["--mem=1G"]}, pack=5)
    assert [array.nodes for array in found] == [("a",), ("b",), ("c",)]
    for place, array in enumerate(found):
        assert all(source < place for source in [*array.matches, *(a for a, _ in array.after)])


def test_arrays_are_split_where_slurm_wants_it(line):
    found = arrays_of(line, xs(25), {"b": ["--mem=1G"]}, pack=1, max_array_size=11)
    assert shape(found)[:3] == [("a", [1] * 11), ("a", [1] * 11), ("a", [1] * 3)]
    assert [array.matches for array in found[3:]] == [(0,), (1,), (2,)]
    assert max(max(array.chunks) for array in found) == 10


def test_the_number_of_tasks_is_kept_below_what_slurm_takes(lab):
    lab.node("a", algo_params={"x": 0})
    (array,) = arrays_of(lab, xs(500), slots={(): 2}, seconds={"a": 600.0}, max_tasks=100)
    assert len(array.chunks) == 100


def test_ten_thousand_jobs_are_planned_at_once(line):
    found = arrays_of(line, xs(5000), slots={(): 100})
    assert sum(len(array.chunks) for array in found) == 400


# -- words for sbatch ------------------------------------------------------------------------------

ONE = Array((), ("a",), {0: ("x",), 1: ("y",)})


@pytest.mark.parametrize(
    ("array", "lines", "words"),
    [
        (Array((), ("b",), {}, matches=(0,)), None, "aftercorr:7"),
        (Array((), ("b",), {}, after=((0, -1),)), None, "afterany:7"),
        (Array((), ("b",), {}, after=((0, 0), (0, 1))), None, "afterany:7_0:7_1"),
        (Array((), ("b",), {}, elsewhere=("3_1",)), None, "afterany:3_1"),
        (Array((), ("b",), {}), None, ""),
        # later, when some have left the queue
        (Array((), ("b",), {}, matches=(0,)), [], ""),
        (Array((), ("b",), {}, matches=(0,)), [QueueLine(7, 1, "RUNNING", "", "")], "afterany:7"),
        (Array((), ("b",), {}, after=((0, 0), (0, 1))), [QueueLine(7, 1, "PENDING", "", "")], "afterany:7_1"),
    ],
)
def test_dependencies(array, lines, words):
    assert dependency(array, {0: 7}, [ONE, array], lines) == words


def test_options_from_the_general_to_the_special():
    node = ProcessNode(name="a", executable="a", resources={"cpus": 4, "gpus": 2, "mem": "8G", "time": "2h"})
    assert job_options(node, {"mem": "1G", "partition": "p"}, {"cpus_per_task": 6}) == {
        "partition": "p", "mem": "8192M", "gres": "gpu:2", "time": "0-02:01:00", "cpus-per-task": 6,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"partiton": "p"}, "did you mean 'partition'"),
        ({"array": "1-3"}, "set by kwdag itself"),
        ({"array": "%5"}, None),
        ({"cpus_per_task": 2}, None),
    ],
)
def test_options_are_checked(options, said):
    known = frozenset({"partition", "cpus-per-task", "array"})
    if said is None:
        check_options(options, known)
        return
    with pytest.raises(BackendError, match=said):
        check_options(options, known)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 300), ("1:30", 90), ("2:00:00", 7200), ("1-0", 86400), ("1-1:1", 90060), ("soon", None)],
)
def test_time_limits(text, seconds):
    assert time_limit((f"--time={text}",)) == seconds


def test_limits_are_read_from_what_slurm_prints():
    limits = slurm_cli._limits(
        "MaxArraySize            = 11\nMaxJobCount             = 500\nMinJobAge               = 10 sec\n",
        "main*|2/5/1/8\nbig|0/64/0/64\n",
    )
    assert limits == Limits(11, 500, 10.0, "", {"main": 7, "": 7, "big": 64})
    assert slots(("--cpus-per-task=4", "--partition=big"), limits) == 16
    assert slots((), limits) == 7


def test_messages_of_sbatch_are_one_line():
    text = "sbatch: error: invalid partition specified: x\nsbatch: error: submission failed: Invalid x\n"
    assert slurm_cli._said(text, "sbatch", 1) == "invalid partition specified: x"
    assert slurm_submit.job_name("q", ["a", "b"]) == "q:a+b"
