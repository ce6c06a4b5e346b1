from __future__ import annotations

import json

from tests.cli.conftest import PIPELINE

RUN = ("schedule", "--params=params.yaml", "--root_dpath=out", "--run=1")


def test_all_done(kwdag, project, golden):
    kwdag(*RUN)
    found = kwdag("status", "out")
    assert found.code == 0
    golden("status_done", found.out)


def test_failed_jobs_with_the_end_of_their_logs(kwdag, project, golden):
    (project / "pipe.yaml").write_text(PIPELINE.replace("evaluate.sh", "picky.sh"))
    kwdag(*RUN)
    found = kwdag("status", "out")
    assert found.code == 1
    golden("status_failed", found.out)
    assert "and 1 more failed job" in kwdag("status", "out", "--most=1").out
    assert "  | " not in kwdag("status", "out", "--lines=0").out


def test_the_json(kwdag, project):
    (project / "pipe.yaml").write_text(PIPELINE.replace("evaluate.sh", "picky.sh"))
    kwdag(*RUN)
    found = json.loads(kwdag("status", "out", "--json").out)
    assert (found["schema"], found["version"], found["root"]) == ("kwdag.status", 1, str(project / "out"))
    assert found["counts"] == {"predict": {"done": 4}, "evaluate": {"done": 2, "failed": 2}}
    failed = [job for job in found["jobs"] if job["state"] == "failed"]
    assert [(job["node"], job["reason"], job["log"]) for job in failed] == [
        ("evaluate", "exit code 3", ["level 22 is too high"])
    ] * 2


def test_nodes_are_listed_upstream_first(kwdag, project):
    kwdag(*RUN)
    lines = kwdag("status", "out").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["predict", "evaluate"]


def test_a_bare_flag_takes_no_root_for_its_value(kwdag, project):
    kwdag(*RUN)
    assert kwdag("status", "--json", "out").code == 0
    found = kwdag("status", "--watch", "out")  # of a root where no run was left to other processes
    assert (found.code, found.err) == (0, "") and found.out.startswith("node ")
