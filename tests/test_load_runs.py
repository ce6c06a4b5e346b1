"""Each job counts once, whatever ways lead to it; those without a directory are counted, too."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from kwdag import runs
from kwdag.aggregation import aggregate, load_results
from kwdag.exports import export
from kwdag.load_runs import load_runs
from kwdag.targets import find_runs
from kwdag.tasks import TaskMaker
from tests.jobs import write_job
from tests.test_targets import write_root, write_table


def load(target, **options):
    return load_runs(find_runs(target), {"fit": True}, **options)["fit"]


def job_ids(found):
    return [job_id.removeprefix("fit_id_") for job_id in found.columns.lists["job_id"]]


def test_rows_of_a_root_and_of_a_table_of_it_count_once(tmp_path):
    root = write_root(tmp_path / "out", "a", "b")
    (tmp_path / "link").symlink_to("out")
    write_table(tmp_path / "t.csv", "b", "c", root=tmp_path / "link")
    write_table(tmp_path / "u.csv", "c", "d", root=root)
    found = load([root, tmp_path / "t.csv", tmp_path / "u.csv"])
    assert job_ids(found) == ["a", "b", "c", "d"]
    assert found.columns.lists["metrics.fit.acc"][1] == 0.5
    assert found.states == {"done": 4}


def test_the_same_job_below_another_root_is_another_row(tmp_path):
    root = write_root(tmp_path / "out", "a")
    write_table(tmp_path / "t.csv", "a", root="/elsewhere")
    assert job_ids(load([root, tmp_path / "t.csv"])) == ["a", "a"]


def test_what_a_root_says_of_a_job_counts_more_than_a_table(tmp_path):
    root = write_root(tmp_path / "out", "a")
    write_job(root, "b", state="failed")
    write_table(tmp_path / "t.csv", "b", root=root)
    found = load([tmp_path / "t.csv", root])
    assert (job_ids(found), found.states) == (["a"], {"done": 1, "failed": 1})


@pytest.mark.parametrize("name", ["csv", "parquet", "xlsx"])
def test_a_table_given_instead_of_its_root_is_the_same_table(tmp_path, name):
    root = write_root(tmp_path / "out")
    for number, value in enumerate([1, 1.0, True, "x", None, [1, 2]]):
        write_job(root, f"n{number}", config={"fit.lr": value, "fit.src": "/data/a.txt"}, wall=1.5, host="h")
    first = load_results(root)["fit"]
    (path,) = export({"fit": first}, tmp_path, [name])
    again = load_results(path)["fit"]
    assert list(again) == list(first)
    for column in first:
        values = [(type(value), value) for value in again[column].tolist() if value == value]
        assert values == [(type(value), value) for value in first[column].tolist() if value == value], column
    both = load_results([path, root])["fit"]
    assert sorted(both["job_id"]) == sorted(first["job_id"])
    assert aggregate([path, root]).report == aggregate(root).report


def test_progress_runs_over_all_nodes(tmp_path):
    root = write_root(tmp_path / "out", "a", "b", "c")
    told = []
    load(root, progress=lambda done, total: told.append((done, total)))
    assert told == [(3, 3)]


# -- jobs without a directory ----------------------------------------------------------------------


def record(plan):
    """Write a run down as backends do that leave it to other processes."""
    for earlier in map(Path, runs.folders(str(plan.root))):
        earlier.rename(earlier.with_name(f"0-{earlier.name}"))  # their names tell the order by seconds
    jobs = list(plan.jobs.values())
    run = runs.create(str(plan.root), {"backend": "tmux"}, plan.wiring.nodes.values())
    runs.write_round(run, 1, jobs, {}, map(TaskMaker(plan).task, jobs))
    return run


@pytest.fixture(params=["in this process", "by others"])
def half(lab, request):
    """Two prepare and one of them fails; each is to be fitted twice, hence two fits have no directory."""
    body = 'test {size} != 2 && echo \'{{"metrics": {{"acc": 1}}}}\' > {dst}'
    lab.node("prep", body, algo_params=["size"]).node("fit", body.replace("size", "lr"), ins=["src"],
             algo_params=["lr"], outs={"dst": "out.json"}, metrics=["acc"])  # fmt: skip
    lab.edge("prep.dst -> fit.src")
    plan = lab.schedule({"prep.size": [1, 2], "fit.lr": [1, 3]}).outlook.plan
    if request.param == "by others":
        (lab.root / "_kwdag" / "asked.jsonl").unlink()
        record(plan)
    return lab, plan


def test_jobs_that_something_blocks_are_absent_with_their_parameters(half):
    lab, plan = half
    (run,) = find_runs(lab.root)
    found = load_runs([run], {"fit": True, "prep": False})
    assert found["fit"].states == {"done": 2, "blocked": 2}
    failed = next(job.id for job in plan.by_node()["prep"] if job.params["size"] == 2)
    absent = found["fit"].absent.table()
    assert absent["state"].tolist() == ["blocked", "blocked"]
    assert absent["reason"].tolist() == [f"{failed} failed"] * 2
    assert absent["params.prep.size"].tolist() == [2, 2]
    assert sorted(absent["params.fit.lr"]) == [1, 3]
    assert set(absent["job_id"]) | set(found["fit"].columns.lists["job_id"]) == {
        job.id for job in plan.by_node()["fit"]
    }
    assert found["prep"].states == {"done": 1, "failed": 1}


def test_jobs_that_only_wait_are_pending(half):
    lab, plan = half
    more = lab.plan(
        [{"prep.size": size, "fit.lr": lr} for size in (1, 5) for lr in (1, 7)], root=str(lab.root)
    )
    record(more)
    found = load(lab.root)
    assert found.states == {"done": 2, "pending": 3}
    assert found.absent.lists["reason"] == ["not run yet"] * 3


def test_the_newest_run_counts_whoever_runs_it(half):
    lab, _ = half
    record(lab.plan([{"prep.size": 9, "fit.lr": 1}], root=str(lab.root)))
    time.sleep(1)  # the order is known to the second
    lab.schedule({"prep.size": 2, "fit.lr": 4})
    assert load(lab.root).states == {"done": 2, "blocked": 1}


def test_the_newest_run_counts_alone_and_a_finished_one_leaves_nothing_absent(half):
    lab, _ = half
    record(lab.plan([{"prep.size": 1, "fit.lr": 1}], root=str(lab.root)))
    assert load(lab.root).states == {"done": 2}


def test_a_node_of_which_nothing_has_run_is_reported(lab):
    lab.node("prep", "false").node(
        "fit", "true {src}", ins=["src"], outs={"dst": "out.json"}, metrics=["acc"]
    )
    lab.edge("prep.dst -> fit.src")
    lab.schedule({})
    found = aggregate(lab.root)
    assert found.report == "No results of fit\nNot ranked: 1 blocked\n"
    assert found.absent["fit"]["state"].tolist() == ["blocked"]


def test_a_gather_goes_on_without_some_members_only_where_it_may(lab):
    lab.node("m", "test {n} = 1 && echo > {dst}", algo_params=["n"])
    lab.node("some", "cat {all} > {dst}", ins=["all"], partial_gather=True, outs={"dst": "out.json"})
    lab.node("every", "cat {all} > {dst}", ins=["all"], outs={"dst": "out.json"})
    lab.gather("m.dst", "some.all").gather("m.dst", "every.all")
    plan = lab.plan([{"m.n": 1}, {"m.n": 2}], root=str(lab.root))
    record(plan)
    lab.schedule({"m.n": [1, 2], "some.__enabled__": False, "every.__enabled__": False})
    (run,) = find_runs(lab.root)
    assert {job.node: job.state for job in run.unstarted} == {"some": "pending", "every": "blocked"}


DAMAGE = {
    "run.json": ("0", "3", '{"nodes": 0}'), "jobs.json": ("{", "[]", '{"jobs": [[1]], "groups": []}'),
    "tasks.jsonl": ("", "[]\n"),
    "asked.jsonl": ("{", "[]", "{}", '{"since": "3", "rounds": [3]}', "[" * 10**5),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_record_is_named_and_the_rest_is_loaded(lab, name):
    lab.node("fit", 'echo \'{{"metrics": {{"acc": 1}}}}\' > {dst}', outs={"dst": "out.json"}, metrics=["acc"],
             algo_params=["lr"])  # fmt: skip
    lab.schedule({"fit.lr": 1})
    if name != "asked.jsonl":
        (lab.root / "_kwdag" / "asked.jsonl").unlink()
        record(lab.plan([{"fit.lr": 2}], root=str(lab.root)))
    (path,) = lab.root.glob(f"_kwdag/**/{name}")
    for content in DAMAGE[name]:
        path.write_text(content)
        found = load(lab.root)
        assert found.columns.n_rows == 1
        assert [path.startswith(f"{lab.root}/_kwdag") for path, _ in found.skipped] == [True], content
        assert "damaged" in found.skipped[0].reason


def test_a_job_counts_once_in_a_record_and_in_a_table(half):
    lab, plan = half
    lost = load(lab.root).absent.lists["job_id"][0].removeprefix("fit_id_")
    write_table(lab.folder / "t.csv", lost, root=lab.root)
    found = load([lab.root, lab.folder / "t.csv"])
    assert found.states == {"done": 3, "blocked": 1}
