"""What a run of this process was asked for stays known, through all rounds."""

from __future__ import annotations

import json

from kwdag import asked
from kwdag.targets import find_runs


def test_the_jobs_and_their_parameters_are_written_down(chain):
    plan = chain.schedule({"a.src": "in.txt", "a.x": [1, 2]}).outlook.plan
    found = asked.read(str(chain.root))
    (graph,) = found.rounds
    names = [job[0] for job in graph["jobs"]]
    assert sorted(names) == sorted(plan.jobs)
    for number, name in enumerate(names):
        folder = chain.root / name.split("_id_")[0] / name
        assert found.config(number) == json.loads((folder / "job_config.json").read_text())


def test_nothing_is_known_of_a_root_without_such_a_run(tmp_path):
    assert asked.read(str(tmp_path)) is None
    (tmp_path / "_kwdag").touch()
    assert asked.read(str(tmp_path)) is None


def test_what_is_all_done_is_not_asked_for_again(chain):
    chain.schedule({"a.src": "in.txt", "a.x": [1, 2]})
    before = asked.read(str(chain.root)).rounds
    chain.schedule({"a.src": "in.txt", "a.x": [1]})
    assert asked.read(str(chain.root)).rounds == before


def test_jobs_of_all_rounds_are_known(lab):
    lab.scatter("tiles", """echo '[{{"key": "x"}}, {{"key": "y"}}]'""")
    lab.node("use", "test {src} != 2 && false", ins=["src"]).edge("tiles.items -> use.src")
    lab.node("then", "true {src}", ins=["src"]).edge("use.dst -> then.src")
    lab.schedule({})
    assert [len(one["jobs"]) for one in asked.read(str(lab.root)).rounds] == [1, 4]
    (run,) = find_runs(lab.root)
    assert [(job.node, job.state) for job in run.unstarted] == [("then", "blocked")] * 2
    assert sorted(job.config["tiles.__branch__"] for job in run.unstarted) == ["x", "y"]


def test_paths_that_are_no_utf8_are_written_down(lab):
    lab.node("a", "echo > {dst}", algo_params=["x"])
    lab.schedule({"a.x": "\udcff"})
    assert asked.read(str(lab.root)).config(0) == {"a.x": "\udcff"}
