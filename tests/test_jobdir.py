"""What lies in a job directory, and how it gets there."""

import json
import os
import subprocess
import sys

import pytest

from kwdag import jobdir


@pytest.mark.parametrize(
    "outputs", [["out", "out/r.json"], ["out/r.json", "out"], [".", "out/r.json"], ["out/r.json"]]
)
def test_outputs_that_lie_in_one_another_are_set_aside(tmp_path, outputs):
    for attempt in (1, 2, 3):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out/r.json").write_text(f"{attempt}")
        (tmp_path / jobdir.STATUS).write_text("{}")
        jobdir.set_aside(str(tmp_path), outputs)
        assert not (tmp_path / "out/r.json").exists()
        assert (tmp_path / jobdir.PREVIOUS / "out/r.json").read_text() == f"{attempt}"
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_nodes_with_nested_outputs_can_run_again(lab):
    lab.node("a", "mkdir -p $(dirname {r}); echo 1 > {r}", outs={"folder": "out", "r": "out/r.txt"})
    for _ in range(3):
        assert lab.schedule({"a.__enabled__": "redo"}).counts == {"done": 1}


@pytest.mark.parametrize("name", ["plain", "é", os.fsdecode(b"\xff\xfe")])
def test_json_files_hold_any_path(tmp_path, name):
    path = tmp_path / "file.json"
    jobdir.write_replacing(str(path), jobdir.as_json({"path": name}))
    assert jobdir.read_json(str(path)) == {"path": name}
    assert json.loads(path.read_text(encoding="utf-8")) == {"path": name}


def test_a_link_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "b" / "2").mkdir(parents=True)
    (tmp_path / "b" / "2" / jobdir.PRED).write_text("in the way")
    with pytest.raises(jobdir.WriteError, match=r"cannot write .*/b/2/\.pred/a/1: "):
        jobdir.link_jobs(str(tmp_path), ("b", "2"), [("a", "1")])


def test_a_job_runs_where_few_files_may_be_open(lab):
    """The lock is handed on under a high number, if there are high numbers."""
    lab.node("a", "bash -c 'ulimit -n' > {dst}", algo_params=["x"])
    params = json.dumps({"pipeline": lab.spec, "matrix": {"a.x": 1}})
    few = 'ulimit -n 50 && exec "$@"'
    command = [sys.executable, "-m", "kwdag", "schedule", "--run=1", f"--params={params}"]
    done = subprocess.run(["bash", "-c", few, "-", *command, f"--root_dpath={lab.root}"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert (lab.job("a") / "a.txt").read_text() == "50\n"


def test_times_before_and_at_the_epoch_are_recorded_by_hand(lab):
    lab.node("a", "cp -p {src} {dst}", ins=["src"])
    source = lab.file("in.txt")
    for seconds in (0, 1, -5):
        os.utime(source, (seconds, seconds))
        lab.schedule({"a.src": "in.txt"})
        (lab.job("a") / jobdir.STATUS).unlink(missing_ok=True)
        subprocess.run(["bash", str(lab.job("a") / jobdir.INVOKE)], check=True)
        status = jobdir.read_status(lab.job("a"))
        assert status["state"] == "finished"
        assert status["inputs"] == {source: [5, seconds * 10**9, None]}
        assert len(lab.schedule({"a.src": "in.txt"}).adopted) == 1
