from __future__ import annotations

import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwdag import jobdir, records
from kwdag.resources import cost_by_node, cost_by_value, job_table, table_of
from kwdag.targets import find_runs


def lay(root, node, name, config, *, upstream=(), wall=1.0, **status) -> str:
    """A job directory as a worker leaves it; its id."""
    job_id = f"{node}_id_{name}"
    dpath = str(root / node / job_id)
    jobdir.make_dir(dpath)
    jobdir.write_plain(f"{dpath}/{jobdir.CONFIG}", jobdir.as_json(config))
    recorded = {
        "state": "done", "reason": None, "exit_code": 0, "attempt": 1, "host": "h", "backend": "b",
        "start": 0.0, "stop": wall, "wall": wall, "cpu": None if wall is None else wall / 2, "max_rss": 2**20,
        "upstream": dict.fromkeys(upstream),
    }  # fmt: skip
    jobdir.write_replacing(f"{dpath}/{jobdir.STATUS}", jobdir.as_json(recorded | status))
    return job_id


@pytest.fixture
def forked(tmp_path):
    """One fit of 10 s that two evaluations of 1 and 3 s read, and one of 20 s with one evaluation of 2 s."""
    one = lay(tmp_path, "fit", "a", {"fit.lr": 0.1}, wall=10.0)
    two = lay(tmp_path, "fit", "b", {"fit.lr": 1}, wall=20.0, max_rss=2**30)
    lay(tmp_path, "eval", "a", {"fit.lr": 0.1, "eval.k": "x"}, upstream=[one], wall=1.0)
    lay(tmp_path, "eval", "b", {"fit.lr": 0.1, "eval.k": "y"}, upstream=[one], wall=3.0)
    lay(tmp_path, "eval", "c", {"fit.lr": 1, "eval.k": "x"}, upstream=[two], wall=2.0)
    return tmp_path


def costs(root, **keys):
    found = cost_by_value(table_of(records.below(root)))
    return {(row.column, row.value): row for row in found.itertuples()}


def test_every_job_of_a_real_run_has_a_row(lab):
    lab.node("a", "[ {x} != 2 ] && echo 1 > {dst}", algo_params={"x": 1})
    lab.node("b", "true", ins=["src"], outs={}, algo_params={"y": [1, 2]}).edge("a.dst -> b.src")
    lab.schedule({"a.x": [1, 2], "b.y": 1})
    jobs = job_table(find_runs(lab.root)).set_index("node")
    assert sorted(jobs.loc["a", "state"]) == ["done", "failed"]
    assert jobs.loc["b", "state"] == "done" and jobs.loc["b", "params.a.x"] == 1
    (up,) = jobs.loc["b", "upstream"]
    assert up in jobs.loc["a", "job_id"].tolist()
    assert (jobs["wall"] > 0).all() and (jobs["max_rss"] > 1e6).all() and (jobs["stop"] > jobs["start"]).all()
    assert set(jobs["host"]) == {os.uname().nodename} and set(jobs["backend"]) == {"serial"}


def test_shared_ancestors_count_once(forked):
    found = costs(forked)
    slow, fast = found["params.fit.lr", 1], found["params.fit.lr", 0.1]
    assert (fast.jobs, fast.wall, fast.rows, fast.row_wall, fast.all_wall) == (3, 14.0, 2, 12.0, 14.0)
    assert (slow.jobs, slow.wall, slow.rows, slow.row_wall, slow.all_wall) == (2, 22.0, 1, 22.0, 22.0)
    assert (fast.max_rss, slow.max_rss) == (2**20, 2**30)
    x = found["params.eval.k", "x"]
    assert (x.jobs, x.wall, x.wall_mean, x.row_wall, x.all_wall) == (2, 3.0, 1.5, (11 + 22) / 2, 33.0)
    assert (x.cpu, x.cpu_mean, x.row_cpu, x.all_cpu) == (1.5, 0.75, (5.5 + 11) / 2, 16.5)


def test_a_constant_parameter_is_left_out_unless_it_is_asked_for(tmp_path):
    lay(tmp_path, "fit", "a", {"fit.lr": 0.1})
    jobs = table_of(records.below(tmp_path))
    assert cost_by_value(jobs).empty
    assert cost_by_value(jobs, ["params.fit.lr"])["wall"].tolist() == [1.0]


def test_nodes_share_the_time(forked):
    found = cost_by_node(table_of(records.below(forked))).set_index("node")
    assert found.loc["fit", "share"] == pytest.approx(30 / 36) and found.loc["eval", "jobs"] == 3
    assert found.loc["fit", "busy"] == 0.5 and found.loc["fit", "wall_mean"] == 15.0


def test_what_was_not_recorded_is_no_number(tmp_path):
    lay(tmp_path, "fit", "a", {"fit.lr": 1}, wall=None, max_rss=None, start=None, stop=None)
    lay(tmp_path, "fit", "b", {"fit.lr": 2}, host=None)
    found = costs(tmp_path)
    assert found["params.fit.lr", 1].wall == 0 and math.isnan(found["params.fit.lr", 1].wall_mean)
    assert math.isnan(found["params.fit.lr", 1].max_rss)
    assert cost_by_node(table_of(records.below(tmp_path)))["wall_mean"].tolist() == [1.0]


def test_one_and_one_point_zero_and_true_are_three_values(tmp_path):
    for name, value in zip("abcde", (1, 1.0, True, "1", [1]), strict=True):
        lay(tmp_path, "fit", name, {"fit.x": value})
    found = cost_by_value(table_of(records.below(tmp_path)))
    assert sorted(found["jobs"]) == [1, 1, 1, 2]  # 1 and '1' reach the program as the same text


def test_damaged_jobs_are_left_out_and_unfinished_ones_are_in(tmp_path):
    for name in "abcd":
        lay(tmp_path, "fit", name, {"fit.x": name})
    fit = tmp_path / "fit"
    (fit / "fit_id_a" / jobdir.STATUS).write_text('{"state"')
    (fit / "fit_id_b" / jobdir.CONFIG).write_text("[" * 100_000)
    (fit / "fit_id_c" / jobdir.STATUS).unlink()
    states = {record.job_id: record.state for record in records.below(tmp_path)}
    assert states == {"fit_id_a": "damaged", "fit_id_b": "damaged", "fit_id_c": "pending", "fit_id_d": "done"}


def test_a_job_run_by_hand_is_judged_by_its_exit_code(tmp_path):
    lay(tmp_path, "fit", "a", {}, state="finished", exit_code=0)
    lay(tmp_path, "fit", "b", {}, state="finished", exit_code=3, reason="exit code 3")
    assert [(r.state, r.reason) for r in records.below(tmp_path)] == [
        ("done", None),
        ("failed", "exit code 3"),
    ]


def test_two_roots_with_the_same_ids_are_told_apart(tmp_path):
    for root in (tmp_path / "one", tmp_path / "two"):
        up = lay(root, "fit", "a", {"fit.lr": 1}, wall=10.0)
        lay(root, "eval", "a", {"fit.lr": 1}, upstream=[up], wall=1.0)
    both = table_of([*records.below(tmp_path / "one"), *records.below(tmp_path / "two")])
    (row,) = cost_by_value(both, ["params.fit.lr"]).itertuples()
    assert (row.jobs, row.rows, row.row_wall, row.all_wall) == (4, 2, 11.0, 22.0)


@given(st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, 30)), st.integers(0, 9)), max_size=12))
def test_costs_add_up(spec):
    """Any DAG: totals agree with a walk over every job's ancestors."""
    jobs = [
        records.Record("/r", f"n{i % 3}", f"j{i}", f"/r/n/j{i}", "done", None,
                       {"wall": float(wall), "cpu": 0, "upstream": {f"j{up}": None for up in ups if up < i}},
                       {"n.x": value})
        for i, (value, ups, wall) in enumerate(spec)
    ]  # fmt: skip

    def closure(i):
        found = {i}
        for up in spec[i][1]:
            if up < i:
                found |= closure(up)
        return found

    for row in cost_by_value(table_of(jobs), ["params.n.x"] if jobs else []).itertuples():
        own = [i for i, (value, _, _) in enumerate(spec) if value == row.value]
        everything = set().union(*map(closure, own))
        assert row.jobs == len(own) and row.wall == sum(spec[i][2] for i in own)
        assert row.all_wall == sum(spec[i][2] for i in everything)
