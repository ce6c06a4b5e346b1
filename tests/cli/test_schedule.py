from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import PARAMS, PIPELINE, tree

BASE = ("schedule", "--params=params.yaml", "--root_dpath=out")
GATHER = """\
  best:
    executable: bash best.sh
    in_paths: [evaluations]
    out_paths: {dst: best.txt}
"""
GATHERED = "edges: [{src: evaluate.out, dst: best.evaluations, gather: {group_by: [predict.src]}}, "


OUTPUTS = ("pred.txt", "eval.json", "best.txt")


def jobs_of(root: Path) -> list[str]:
    return sorted(str(path.parent.relative_to(root)) for path in root.glob("*/*/job_status.json"))


def test_a_dry_run_says_what_would_run(kwdag, project, golden):
    found = kwdag(*BASE)
    assert (found.code, found.err) == (0, "")
    golden("schedule_dry", found.out)


def test_a_dry_run_changes_nothing_below_the_root(kwdag, project):
    kwdag(*BASE)
    assert not (project / "out").exists()
    kwdag(*BASE, "--run=1", "--max_configs=1")
    before = tree(project / "out")
    assert kwdag(*BASE).code == 0
    assert tree(project / "out") == before


def test_a_run_and_the_same_again(kwdag, project, golden):
    found = kwdag(*BASE, "--run=1")
    assert (found.code, found.err) == (0, "")
    golden("schedule_run", found.out)
    before = tree(project / "out")
    again = kwdag(*BASE, "--run=1")
    assert again.code == 0
    golden("schedule_again", again.out)
    assert {path: found for path, found in tree(project / "out").items() if "_kwdag" not in path} == {
        path: found for path, found in before.items() if "_kwdag" not in path
    }


@pytest.mark.every_backend
def test_exit_codes_and_what_is_said_at_the_end(kwdag, project, backend):
    (project / "pipe.yaml").write_text(PIPELINE.replace("evaluate.sh", "picky.sh"))
    found = kwdag(*BASE, "--run=1", *backend.words)
    assert (found.code, found.err) == (1, "")
    assert "6 done, 2 failed of 8 jobs" in found.out
    assert "exit code 3" in found.out and "level 22 is too high" in found.out
    (project / "pipe.yaml").write_text(PIPELINE)
    assert kwdag(*BASE, "--run=1", *backend.words).code == 0
    again = kwdag(*BASE, "--run=1", *backend.words)
    assert (again.code, again.out.splitlines()[-1]) == (0, "nothing to run: all 8 jobs are done")


def test_a_dry_run_of_a_started_grid(kwdag, project, golden):
    kwdag(*BASE, "--run=1", "--max_configs=1")
    golden("schedule_started", kwdag(*BASE).out)
    assert "not run again" not in kwdag(*BASE, "--skip_existing=1").out


def test_failed_jobs_block_only_their_descendants_and_give_exit_code_1(kwdag, project, golden):
    (project / "pipe.yaml").write_text(PIPELINE.replace("evaluate.sh", "picky.sh"))
    found = kwdag(*BASE, "--run=1")
    assert found.code == 1
    golden("schedule_failed", found.out)
    (project / "pipe.yaml").write_text(PIPELINE)
    assert kwdag(*BASE, "--run=1").code == 0


def test_max_failures_stops_early(kwdag, project):
    (project / "pipe.yaml").write_text(PIPELINE.replace("predict.sh", "nowhere.sh"))
    assert (
        kwdag(*BASE, "--run=1", "--max_failures=1").out.count("failed  predict_id_") == 2
    )  # and once summed up


def test_what_is_disabled_is_said(kwdag, project):
    (project / "params.yaml").write_text(PARAMS + "  evaluate.__enabled__: 0\n")
    found = kwdag(*BASE, "--run=1")
    assert found.code == 0
    assert "disabled    evaluate: 4 jobs" in found.out
    assert "4 done of 4 jobs" in found.out


RUNS = {
    ("--run",): True, ("--run=1",): True, ("--run", "1"): True, ("--run", "True"): True, ("--run=yes",): True,
    ("--run=0",): False, ("--run", "0"): False, ("--run=False",): False, ("--no-run",): False, (): False,
}  # fmt: skip


@pytest.mark.parametrize(("argv", "runs"), RUNS.items(), ids=map(" ".join, RUNS))
def test_a_flag_takes_a_value_or_none(kwdag, project, argv, runs):
    assert kwdag("schedule", *argv, "--params=params.yaml", "--root_dpath=out").code == 0
    assert (project / "out").exists() == runs


def test_names_may_be_written_with_dashes(kwdag, project):
    assert kwdag("schedule", "--params=params.yaml", "--root-dpath=out", "--max-configs=1", "--run").code == 0
    assert len(jobs_of(project / "out")) == 2


@pytest.mark.parametrize("option", ["--no-cache", "--cache=0", "--no_cache"])
def test_without_cache_done_jobs_run_again(kwdag, project, option):
    kwdag(*BASE, "--run=1")
    assert "8 done of 8 jobs" in kwdag(*BASE, "--run=1", option).out


# Every option of the two seed documents and of kwdagger that concerns scheduling.
ACCEPTED = [
    "--tmux_workers=2", "--queue_size=2", "--backend=serial", "--skip_existing=0", "--run=0",
    "--enable_links=1",
    "--devices=0,1", "--queue_name=secondary-eval", "--virtualenv_cmd=conda activate watch",
    "--slurm_options={partition: general}", "--max_configs=3", "--cache=1", "--log=1", "--print_commands=1",
    "--print_queue=0", "--print_varied=0", "--monitor=inline", "--other_session_handler=kill",
    "--pipeline=pipe.yaml",
]  # fmt: skip


@pytest.mark.parametrize("option", ACCEPTED)
def test_an_option_of_kwdagger_is_accepted(kwdag, project, option):
    found = kwdag(*BASE, option)
    assert (found.code, found.err) == (0, "")


def test_all_options_at_once(kwdag, project):
    options = [option for option in ACCEPTED if "virtualenv" not in option and "run" not in option]
    assert kwdag(*BASE, *options, "--virtualenv_cmd=export WORD=1", "--run=1").code == 0


def test_what_is_printed_can_be_chosen(kwdag, project):
    bare = kwdag(*BASE, "--print_queue=0", "--print_varied=0", "--print_commands=0").out
    assert "╙" not in bare and "varies" not in bare and "bash predict.sh" not in bare
    assert kwdag(*BASE, "--print_commands=1").out.count("bash predict.sh") == 4
    assert kwdag(*BASE, "--run=1", "--print_commands=1").out.count("bash predict.sh") == 4


@pytest.mark.every_backend
def test_the_json_of_a_run(kwdag, project, backend):
    found = json.loads(kwdag(*BASE, "--run=1", "--json", *backend.words).out)
    jobs, ended = found.pop("jobs"), found.pop("ended")
    assert found == {
        "schema": "kwdag.schedule", "version": 1, "root": str(project / "out"), "rows": 4, "ran": True,
        "complete": True, "left_alone": 0, "counts": {"done": 8}, "warnings": [], "open": {},
    }  # fmt: skip
    assert len(jobs) == 8
    assert set(jobs[0]) == {"id", "node", "dpath", "state", "reason", "action", "upstream"}
    assert [set(event) for event in ended] == [{"id", "state", "reason"}] * 8


def test_the_json_of_a_dry_run(kwdag, project):
    found = json.loads(kwdag(*BASE, "--json").out)
    assert (found["ran"], found["ended"], len(found["jobs"])) == (False, [], 8)
    assert {(job["state"], job["action"]) for job in found["jobs"]} == {("pending", "run")}


def stamps(root: Path) -> dict[Path, int]:
    """When each output was written."""
    return {path: path.stat().st_mtime_ns for name in OUTPUTS for path in root.glob(f"*/*/{name}")}


def script_of(out: str) -> str:
    return out.splitlines()[-1].partition(": bash ")[2]


@pytest.fixture
def gathering(project):
    nodes, _, edges = PIPELINE.partition("edges: [")
    (project / "pipe.yaml").write_text(f"{nodes}{GATHER}{GATHERED}{edges}")
    (project / "best.sh").write_text(
        'for word; do key=${word%%=*}; declare "${key#--}=${word#*=}"; done\n'
        'while read -r path; do cat "$path"; done < "$evaluations" | sort > "$dst"\n'
    )
    return project


def test_the_script_of_a_dry_run_needs_nothing_but_bash(kwdag, gathering):
    script = script_of(kwdag(*BASE).out)
    env = {"PATH": "/usr/bin:/bin", "HOME": str(gathering)}
    assert subprocess.run(["bash", "-c", "command -v kwdag"], env=env, capture_output=True).returncode == 1
    found = subprocess.run(["bash", script], env=env, capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.splitlines()[-1] == "0 jobs failed"
    assert len(jobs_of(gathering / "out")) == 10
    again = subprocess.run(["bash", script], env=env, capture_output=True, text=True)
    assert again.stdout == "0 jobs failed\n"

    before = stamps(gathering / "out")
    adopted = kwdag(*BASE, "--run=1")
    assert adopted.code == 0
    assert (
        adopted.out.splitlines()[-1] == "nothing to run: all 10 jobs are done; 10 made by hand were recorded"
    )
    assert stamps(gathering / "out") == before
    assert kwdag(*BASE, "--run=1").out.splitlines()[-1] == "nothing to run: all 10 jobs are done"


def test_the_script_and_kwdag_make_the_same_files(kwdag, gathering):
    kwdag("schedule", "--params=params.yaml", "--root_dpath=other", "--run=1")
    subprocess.run(["bash", script_of(kwdag(*BASE).out)], check=True, capture_output=True)
    made, other = (
        {path: text for path, (_, text) in tree(gathering / root).items()} for root in ("out", "other")
    )
    outputs = [path for path in other if Path(path).name in OUTPUTS]
    assert len(outputs) >= 10
    assert {path: made.get(path) for path in outputs} == {path: other[path] for path in outputs}


def test_ctrl_c_stops_the_running_job_and_the_same_command_goes_on(kwdag, project):
    (project / "predict.sh").write_text(f"touch started; sleep 60.{os.getpid()}\n")
    argv = [sys.executable, "-m", "kwdag", *BASE, "--run=1"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (project / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip() == "stopped; the same command goes on from here"
    assert "Traceback" not in err
    commands = [
        path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)
    ]
    assert not any(f"60.{os.getpid()}".encode() in command for command in commands)
    (project / "predict.sh").write_text(
        'for word; do case $word in --dst=*) echo 1 > "${word#--dst=}";; esac; done'
    )
    assert kwdag(*BASE, "--run=1").code == 0


def test_quotes_spaces_and_unicode_in_the_root(kwdag, project):
    root = "my 'root' \"x\" $HOME é"
    assert kwdag("schedule", "--params=params.yaml", f"--root_dpath={root}", "--run=1").code == 0
    assert len(jobs_of(project / root)) == 8
    assert kwdag("schedule", "--params=params.yaml", f"--root_dpath={root}", "--run=1").out.endswith(
        "are done\n"
    )
