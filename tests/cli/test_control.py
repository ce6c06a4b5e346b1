"""The commands about single jobs and about what lies below a root: why, logs, run, diff, cancel, clean."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kwdag import claims, jobdir
from tests.cli.conftest import PIPELINE
from tests.cli.test_main import HEAVY, imported

RUN = ("schedule", "--params=params.yaml", "--root_dpath=out", "--run=1")
ROOT = "--root_dpath=out"


@pytest.fixture
def ran(kwdag, project):
    """A run of which two of four evaluations failed."""
    (project / "pipe.yaml").write_text(PIPELINE.replace("evaluate.sh", "picky.sh"))
    kwdag(*RUN)
    return project / "out"


def job(root: Path, node: str, level: int, src: str = "a.txt") -> str:
    """The id of the job with some parameters."""
    for dpath in (root / node).iterdir():
        config = json.loads((dpath / "job_config.json").read_text())
        if config["predict.level"] == level and config["predict.src"].endswith(src):
            return dpath.name
    raise LookupError


def test_why_a_job_failed(kwdag, ran, golden):
    found = kwdag("why", job(ran, "evaluate", 22), ROOT)
    assert (found.code, found.err) == (0, "")
    golden("why_failed", found.out)


def test_why_a_job_is_stale(kwdag, ran, golden):
    (ran.parent / "a.txt").write_text("other\n")
    golden("why_stale", kwdag("why", job(ran, "predict", 1), ROOT).out)
    golden("why_behind_stale", kwdag("why", job(ran, "evaluate", 1), ROOT).out)


def test_why_of_a_plan(kwdag, ran, golden):
    golden("why_planned", kwdag("why", job(ran, "evaluate", 1), ROOT, "--params=params.yaml").out)
    params = (ran.parent / "params.yaml").read_text().replace("[1, 22]", "[22]")
    found = kwdag("why", job(ran, "evaluate", 1), ROOT, "--params", params)
    assert "leaves it: the params do not ask for it" in found.out


def test_why_a_job_runs(kwdag, ran):
    name = job(ran, "predict", 1)
    (ran / "predict" / name / "job_status.json").unlink()
    claim = claims.acquire(str(ran / "predict" / name), 1)
    assert isinstance(claim, claims.Claim)
    found = kwdag("why", name, ROOT)
    assert found.out.startswith(f"{name} running\n  next run  waits for it\n  ran       since 2")
    refused = kwdag("run", name, ROOT)
    assert refused.code == 2 and f"{name}: it runs right now: process " in refused.err
    claim.release()


def test_the_json_of_why(kwdag, ran):
    name = job(ran, "evaluate", 22)
    found = json.loads(kwdag("why", name, ROOT, "--json").out)
    assert (found["schema"], found["version"]) == ("kwdag.why", 1)
    assert (found["job_id"], found["state"], found["reason"]) == (name, "failed", "exit code 3")
    assert found["log"] == ["level 22 is too high"] and found["ran"]["exit_code"] == 3


def test_a_prefix_of_the_hash_and_a_directory_name_a_job(kwdag, ran):
    name = job(ran, "evaluate", 22)
    expected = kwdag("why", name, ROOT).out
    assert kwdag("why", name.rpartition("_")[2][:9], ROOT).out == expected
    assert kwdag("why", f"out/evaluate/{name}/").out == expected


def test_diff(kwdag, ran, golden):
    found = kwdag("diff", job(ran, "evaluate", 1), job(ran, "evaluate", 22), ROOT)
    assert (found.code, found.err) == (0, "")
    golden("diff", found.out)
    same = kwdag("diff", job(ran, "evaluate", 1), job(ran, "evaluate", 1), ROOT)
    assert same.out.endswith("\nnothing else differs\n")


def test_the_json_of_diff(kwdag, ran):
    names = job(ran, "evaluate", 1), job(ran, "evaluate", 22)
    found = json.loads(kwdag("diff", *names, ROOT, "--json").out)
    assert (found["schema"], found["a"], found["b"]) == ("kwdag.diff", *names)
    assert found["differs"]["params"] == {"predict.level": {"a": 1, "b": 22}}


def test_logs(kwdag, ran):
    assert kwdag("logs", job(ran, "evaluate", 22), ROOT).out == "level 22 is too high\n"
    assert kwdag("logs", job(ran, "evaluate", 22), ROOT, "-f").code == 1
    assert kwdag("logs", job(ran, "predict", 1), ROOT, "-f").code == 0


def test_logs_are_followed_until_the_job_ends(kwdag, ran):
    name = job(ran, "predict", 1)
    dpath = ran / "predict" / name
    log, status = dpath / jobdir.LOG, dpath / jobdir.STATUS
    recorded = status.read_text()
    status.unlink()
    log.unlink()
    claim = claims.acquire(str(dpath), 1)
    assert isinstance(claim, claims.Claim)

    def work() -> None:
        for word in ("one", "two"):
            time.sleep(0.3)
            with log.open("a") as file:
                file.write(f"{word}\n")
        status.write_text(recorded)
        claim.release()

    thread = threading.Thread(target=work)
    thread.start()
    found = kwdag("logs", name, ROOT, "-f")
    thread.join()
    assert (found.code, found.out) == (0, "one\ntwo\n")


def test_run_is_the_job(ran):
    for level, code, said in ((1, 0, "reading "), (22, 3, "level 22 is too high")):
        name = job(ran, "predict" if level == 1 else "evaluate", level)
        argv = [sys.executable, "-m", "kwdag", "run", name, ROOT]
        found = subprocess.run(argv, capture_output=True, text=True, cwd=ran.parent)
        assert (found.returncode, found.stderr) == (code, "")
        assert said in found.stdout
        (dpath,) = ran.glob(f"*/{name}")
        assert (dpath / "job.log").read_text() == found.stdout
        assert json.loads((dpath / "job_status.json").read_text())["backend"] == "by hand"


def test_what_was_run_alone_counts(kwdag, ran):
    name = job(ran, "evaluate", 22)
    (ran.parent / "picky.sh").write_text((ran.parent / "evaluate.sh").read_text())
    subprocess.run([sys.executable, "-m", "kwdag", "run", name, ROOT], cwd=ran.parent, check=True)
    assert kwdag("why", name, ROOT).out.startswith(f"{name} done\n")
    kwdag(*RUN)
    assert json.loads((ran / "evaluate" / name / "job_status.json").read_text())["adopted"] is True


def test_clean(kwdag, ran, golden):
    golden("clean_dry", kwdag("clean", "out", "--failed").out)
    assert len(list((ran / "evaluate").iterdir())) == 4
    golden("clean_run", kwdag("clean", "out", "--failed", "--run=1").out)
    assert len(list((ran / "evaluate").iterdir())) == 2
    assert kwdag("clean", "out", "--failed", "--run=1").out == "nothing to delete\n"


def test_clean_what_no_params_ask_for(kwdag, ran):
    text = (ran.parent / "params.yaml").read_text()
    (ran.parent / "one.yaml").write_text(text.replace("[1, 22]", "[1]"))
    (ran.parent / "other.yaml").write_text(text.replace("[a.txt, b.txt]", "a.txt"))
    argv = ("clean", "out", "--unwanted", "--params=one.yaml", "--params=other.yaml", "--json")
    found = json.loads(kwdag(*argv).out)
    assert (found["schema"], found["deleted"]) == ("kwdag.clean", False)
    assert {entry["job_id"] for entry in found["jobs"]} == {
        job(ran, "predict", 22, "b.txt"),
        job(ran, "evaluate", 22, "b.txt"),
    }
    assert {entry["why"] for entry in found["jobs"]} == {"unwanted"}


def test_cancel_when_nothing_runs(kwdag, ran):
    assert kwdag("cancel", "out").out == "nothing runs below out\n"
    found = json.loads(kwdag("cancel", "out", "--json").out)
    assert (found["schema"], found["ended"], found["left"]) == ("kwdag.cancel", [], {})


def test_cancel_a_run(kwdag, project):
    (project / "predict.sh").write_text("echo up; sleep 300\n")
    argv = [sys.executable, "-m", "kwdag", *RUN]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as run:
        end = time.monotonic() + 20
        while not list(Path("out").glob("predict/*/job.log")):
            assert time.monotonic() < end
            time.sleep(0.02)
        found = kwdag("cancel", "out")
        _, err = run.communicate(timeout=20)
    (dpath,) = Path("out/predict").iterdir()
    assert (found.code, found.out) == (0, f"ended {dpath.name}\n")
    assert (run.returncode, err) == (143, "\nstopped; the same command goes on from here\n")
    assert kwdag("why", dpath.name, ROOT).out.startswith(f"{dpath.name} interrupted")


@pytest.mark.parametrize("argv", [("why",), ("diff",), ("logs",)])
def test_they_do_without_pandas(ran, argv):
    names = [job(ran, "evaluate", 1)] * (2 if argv == ("diff",) else 1)
    assert not imported(*argv, *names, ROOT) & (HEAVY - {"yaml"})
    assert not imported("clean", "out", "--failed") & (HEAVY - {"yaml"})
