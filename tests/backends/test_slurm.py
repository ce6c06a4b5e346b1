"""The Slurm backend on a real Slurm that these tests start and stop themselves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from kwdag import jobdir, scheduling
from kwdag.backends.base import Setup
from kwdag.backends.slurm import make
from kwdag.cancel import cancel
from kwdag.errors import BackendError
from kwdag.outlook import Options
from kwdag.signals import Interrupted
from kwdag.state import Inspector
from kwdag.worker import Worker
from kwdag.yaml_pipeline import from_spec
from tests.slurm_cluster import QUICK, cluster, missing

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.xdist_group("slurm"),
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]


@pytest.fixture(scope="module")
def big_cluster():
    with cluster(cpus=8, scheduler=QUICK) as running:
        yield running


@pytest.fixture
def slurm(big_cluster, monkeypatch):
    """A cluster of eight CPUs, empty again after each test."""
    monkeypatch.setenv("SLURM_CONF", big_cluster.env["SLURM_CONF"])
    monkeypatch.setenv("PYTHONPATH", str(Path(jobdir.__file__).parent.parent))
    yield big_cluster
    big_cluster.cancel_all()


class Notes:
    """A reporter that keeps what it is told."""

    def __init__(self):
        self.lines: list[str] = []
        self.ids: set[str] = set()

    def started(self, job):
        self.ids.add(job.id)

    def ended(self, event): ...

    def waiting(self, jobs): ...

    def note(self, lines):
        self.lines += lines


def run(lab, matrix, notes=None, env=None, retries=0, resource_retries=2, **settings):
    """Run a matrix on Slurm as `kwdag schedule` does."""
    os.chdir(lab.folder)
    request = scheduling.prepare(matrix, lab.root, from_spec(lab.spec))
    outlook = scheduling.look_ahead(request, Options(), Inspector())
    lab.root.mkdir(exist_ok=True)
    worker = Worker(str(lab.root), backend="slurm", env=env or {}, retries=retries,
                    resource_retries=resource_retries)  # fmt: skip
    backend = make(Setup(worker, **settings))
    backend.check(scheduling._as_run(outlook, {}))
    return scheduling.run_rounds(request, Options(), outlook, backend, worker, notes or Notes())


def ends(found):
    """node -> how its jobs ended."""
    return {
        node: dict(Counter(e.state for e in found.ended if e.job.node.name == node))
        for node in {e.job.node.name: None for e in found.ended}
    }


def statuses(lab, node):
    return [json.loads(path.read_text()) for path in sorted(lab.root.glob(f"{node}/*/job_status.json"))]


def queued(slurm):
    return slurm.call("squeue", "--noheader", "-o", "%j").split()


def wait_until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


# -- a run -----------------------------------------------------------------------------------------


def test_a_grid_runs_each_job_once(lab, chain, slurm):
    notes = Notes()
    found = run(lab, {"matrix": {"a.src": "in.txt", "a.x": [1, 2, 3], "b.y": [1, 2]}}, notes)
    assert found.complete
    assert ends(found) == {"a": {"done": 3}, "b": {"done": 6}}
    assert lab.ran() == ["a"] * 3 + ["b"] * 6
    assert {status["backend"] for status in statuses(lab, "b")} == {"slurm"}
    assert any(re.match(r"calls: sbatch \d", line) for line in notes.lines)


def test_nothing_runs_again(lab, chain, slurm):
    matrix = {"matrix": {"a.src": "in.txt", "a.x": [1, 2]}}
    run(lab, matrix)
    lab.ran()
    assert not run(lab, matrix).ended
    assert lab.ran() == []


def test_a_failed_job_blocks_its_descendants_only(lab, slurm):
    lab.node("a", "test {x} != 1 && echo > {dst}", algo_params={"x": 0})
    lab.node("b", ins=["src"]).node("c", ins=["src"], slurm_options={"mem": "100M"})
    lab.edge("a.dst -> b.src", "b.dst -> c.src")
    found = run(lab, {"matrix": {"a.x": [0, 1, 2]}}, slurm_pack=1)
    assert ends(found) == {
        "a": {"done": 2, "failed": 1},
        "b": {"done": 2, "blocked": 1},
        "c": {"done": 2, "blocked": 1},
    }
    wait_until(lambda: not queued(slurm))


def test_a_gather_goes_on_without_failed_members(lab, slurm):
    lab.node("a", "test {x} != 1 && echo {x} > {dst}", algo_params={"x": 0})
    lab.node("g", "cat $(cat {src}) > {dst}", ins=["src"], partial_gather=True)
    lab.node("h", ins=["src"]).gather("a.dst", "g.src").gather("a.dst", "h.src")
    found = run(lab, {"matrix": {"a.x": [0, 1, 2]}}, slurm_pack=1)
    assert ends(found) == {"a": {"done": 2, "failed": 1}, "g": {"done": 1}, "h": {"blocked": 1}}
    assert (lab.job("g") / "g.txt").read_text() == "0\n2\n"


def test_each_node_gets_its_own_options(lab, slurm):
    show = "echo $SLURM_CPUS_PER_TASK $SLURM_MEM_PER_NODE > {dst}"
    lab.node("a", show, resources={"cpus": 2, "mem": "300M"})
    lab.node("b", show, ins=["src"], slurm_options={"cpus_per_task": 3}).edge("a.dst -> b.src")
    assert run(lab, {"matrix": {"a.__enabled__": 1}}, slurm_options={"mem": "200M"}).complete
    assert (lab.job("a") / "a.txt").read_text() == "2 300\n"
    assert (lab.job("b") / "b.txt").read_text() == "3 200\n"


def test_the_environment_reaches_the_jobs_and_no_file_of_ours(lab, slurm, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "very secret")
    lab.node("a", 'echo "$MY_TOKEN" "$MORE" > {dst}')
    assert run(lab, {"matrix": {"a.__enabled__": 1}}, env={"MORE": "more"}).complete
    assert (lab.job("a") / "a.txt").read_text() == "very secret more\n"
    found = subprocess.run(
        ["grep", "-rl", "very secret", lab.root / "_kwdag"], capture_output=True, text=True
    )
    assert found.stdout == ""


def test_the_scheduler_may_run_inside_a_slurm_job(lab, slurm, monkeypatch):
    for name, value in {"JOB_ID": "1", "MEM_PER_CPU": "1", "MEM_PER_NODE": "99999999", "NTASKS": "5"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert run(lab.node("a"), {"matrix": {"a.__enabled__": 1}}).complete


def test_a_root_with_odd_characters(lab, slurm):
    lab.root = lab.folder / "a %j 'b' \"ü\""
    assert run(lab.node("a"), {"matrix": {"a.__enabled__": 1}}).complete
    assert list(lab.root.glob("_kwdag/runs/*/slurm/*.out"))


def test_scatter_goes_on_by_itself(lab, slurm):
    lab.scatter("s", """echo '[{"key": "k1"}, {"key": "k2"}]'""")
    lab.node("b", ins=["src"]).node("g", "cat $(cat {src}) > {dst}", ins=["src"])
    lab.edge("s.items -> b.src").gather("b.dst", "g.src")
    assert run(lab, {"matrix": {"s.__enabled__": 1}}).complete
    assert lab.ran() == ["b", "b", "g", "s"]
    (run_folder,) = lab.root.glob("_kwdag/runs/*")  # no scheduler has submitted the second round
    assert (run_folder / "round-2/submitted.jsonl").exists()


def test_scatter_goes_on_when_nothing_but_slurm_is_alive(lab, slurm, stopped):
    lab.scatter("s", f"""touch {lab.folder}/started; sleep 1; echo '[{{{{"key": "k1"}}}}]'""")
    lab.node("b", ins=["src"]).edge("s.items -> b.src")
    signal_when(lambda: started(lab), signal.SIGHUP)
    with pytest.raises(Interrupted):
        run(lab, {"matrix": {"s.__enabled__": 1}})
    wait_until(lambda: len(statuses(lab, "b")) == 1, 60)
    wait_until(lambda: list(lab.root.glob("_kwdag/runs/*/slurm.closed")), 60)


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"partiton": "main"}, "did you mean 'partition'"),
        ({"partition": "nowhere"}, "nvalid partition"),
        ({"array": "0-3"}, "set by kwdag itself"),
        ({"time": "soon"}, "nvalid"),
        ({"gres": "gpu:1"}, "gres"),
    ],
)
def test_bad_options_are_one_line_and_nothing_is_submitted(lab, slurm, options, said):
    lab.node("a").node("b", ins=["src"], slurm_options=options).edge("a.dst -> b.src")
    with pytest.raises(BackendError) as caught:
        run(lab, {"matrix": {"a.__enabled__": 1}})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    wait_until(lambda: not queued(slurm), 10)
    assert lab.ran() in ([], ["a"])  # what had started before the refusal was ended


def test_without_slurm(lab, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BackendError, match="sbatch is not installed"):
        run(lab.node("a"), {"matrix": {"a.__enabled__": 1}})


# -- interruptions ---------------------------------------------------------------------------------


def in_background(lab, matrix, **settings):
    """Run in a thread; what came of it is in the list that is returned."""
    found: list = []
    thread = threading.Thread(target=lambda: found.append(run(lab, matrix, **settings)))
    thread.start()
    return thread, found


def started(lab, name="started"):
    return (lab.folder / name).exists()


def test_a_requeued_task_runs_the_job_again(lab, slurm):
    lab.node("a", f"touch {lab.folder}/started; test -e {lab.folder}/go || sleep 60; echo > {{dst}}")
    thread, found = in_background(lab, {"matrix": {"a.__enabled__": 1}})
    wait_until(lambda: started(lab))
    (lab.folder / "go").touch()
    slurm.call("scontrol", "requeue", slurm.call("squeue", "--noheader", "-o", "%A").strip())
    thread.join(60)
    assert ends(found[0]) == {"a": {"done": 1}}
    assert lab.ran() == ["a", "a"]


def test_kwdag_cancel_ends_what_runs_and_what_waits(lab, slurm):
    lab.node("a", f"touch {lab.folder}/started; sleep 60; echo > {{dst}}", algo_params={"x": 0})
    thread, found = in_background(lab, {"matrix": {"a.x": list(range(20))}}, slurm_pack=1)
    wait_until(lambda: started(lab))
    done = cancel(str(lab.root))
    assert done.arrays and done.left == {}
    thread.join(60)
    assert not found[0].complete
    wait_until(lambda: not queued(slurm))


def test_kwdag_cancel_ends_what_slurm_had_no_room_for(lab, monkeypatch):
    lab.node("a", f"touch {lab.folder}/started; sleep 60; echo > {{dst}}", algo_params={"x": 0})
    with cluster(cpus=2, scheduler=QUICK, max_array_size=5, max_job_count=14, min_job_age=2) as small:
        monkeypatch.setenv("SLURM_CONF", small.env["SLURM_CONF"])
        thread, found = in_background(lab, {"matrix": {"a.x": list(range(40))}}, slurm_pack=1)
        wait_until(lambda: started(lab))
        assert cancel(str(lab.root)).left == {}
        thread.join(60)
        assert set(ends(found[0])["a"]) == {"failed"} and sum(ends(found[0])["a"].values()) == 40
        assert not queued(small)
    assert len(lab.ran()) < 10


def test_without_a_monitor_it_returns_once_it_is_submitted(lab, chain, slurm):
    found = lab.schedule({"a.src": "in.txt", "a.x": [1, 2]}, backend="slurm", monitor="none")
    assert found.left_alone == 4 and not found.ended
    wait_until(lambda: not queued(slurm))
    assert lab.schedule({"a.src": "in.txt", "a.x": [1, 2]}).ended == ()


def test_scancel_in_the_middle_then_resume(lab, slurm):
    lab.node("a", f"touch {lab.folder}/started; test -e {lab.folder}/go || sleep {{s}}; echo > {{dst}}",
             algo_params={"s": 0})  # fmt: skip
    matrix = {"matrix": {"a.s": [0, 60, 61]}}
    thread, found = in_background(lab, matrix, slurm_pack=3)
    wait_until(lambda: len(statuses(lab, "a")) == 1)
    slurm.call("scancel", "--user=root")
    thread.join(60)
    assert ends(found[0]) == {"a": {"done": 1, "failed": 2}}
    assert {e.reason.partition(" ")[0].rstrip(",") for e in found[0].ended if e.state == "failed"} == {
        "cancelled"
    }
    (lab.folder / "go").touch()
    lab.ran()
    assert run(lab, matrix).complete
    assert lab.ran() == ["a", "a"]


def test_a_task_gives_back_what_its_time_does_not_allow(lab, slurm):
    # Of the 8 s, which Slurm takes for a minute, 2 s are kept back: after a job of 4 s there is not enough
    # left for another one.
    lab.node("a", "sleep {x}; echo > {dst}", algo_params={"x": 0}, slurm_options={"time": "0:08"})
    assert run(lab, {"matrix": {"a.x": [4, 0]}}, slurm_pack=2).complete
    assert lab.ran() == ["a"] * 2
    (output,) = lab.root.glob("_kwdag/runs/*/slurm/*_0.out")
    assert "requeued for the rest" in output.read_text()


def test_own_time_limits_need_no_slurm(lab, slurm):
    lab.node("a", "sleep 300", resources={"time": "1s"}, outs={})
    (ended,) = run(lab, {"matrix": {"a.__enabled__": 1}}, resource_retries=0).ended
    assert (ended.state, ended.reason) == ("failed", "timeout after 1 s")


def test_a_job_that_took_too_long_is_queued_again_with_more_time(lab, slurm):
    show = "squeue --noheader --jobs=$SLURM_JOB_ID -o %l"
    lab.node("a", show + " > {dst}; sleep 1.5", resources={"time": "1s"})
    lab.node("b", "cp {src} {dst}", ins=["src"]).edge("a.dst -> b.src")
    lab.node("c", "echo > {dst}")
    assert run(lab, {"matrix": {"a.__enabled__": 1}}).complete
    assert Counter(lab.ran()) == {"a": 2, "b": 1, "c": 1}
    assert (lab.job("b") / "b.txt").read_text() == "2:00\n"
    assert statuses(lab, "a")[0]["attempt"] == 2


def test_a_job_that_always_takes_too_long_fails_in_the_end(lab, slurm):
    lab.node("a", "sleep 300", resources={"time": "0.5s"}, outs={})
    lab.node("b", "echo > {dst}", ins=["src"]).edge("a.dst -> b.src")
    lab.spec["nodes"]["a"]["out_paths"] = {"dst": "a.txt"}
    found = run(lab, {"matrix": {"a.__enabled__": 1}}, resource_retries=1)
    assert ends(found) == {"a": {"failed": 1}, "b": {"blocked": 1}}
    assert lab.ran() == ["a", "a"]


@pytest.mark.slow
def test_a_time_limit_of_slurm_is_raised(lab, slurm):
    # The shortest limit is a minute; of a job that runs, its end may be moved to any second. That it has
    # come, Slurm sees within 30 s.
    earlier = "scontrol update JobId=$SLURM_JOB_ID EndTime=now+1"
    body = f"[ ${{{{SLURM_RESTART_COUNT:-0}}}} = 1 ] || {{{{ {earlier}; sleep 300; }}}}; echo > {{dst}}"
    lab.node("a", body, slurm_options={"time": "0:01"})
    notes = Notes()
    assert run(lab, {"matrix": {"a.__enabled__": 1}}, notes).complete
    assert lab.ran() == ["a", "a"]
    assert any("timeout: the time limit of the Slurm task: once more" in line for line in notes.lines)


def test_a_killed_slurmd_loses_nothing(lab, slurm):
    lab.node("a", f"touch {lab.folder}/started; sleep 3; echo > {{dst}}")
    thread, found = in_background(lab, {"matrix": {"a.__enabled__": 1}})
    wait_until(lambda: started(lab))
    slurm.kill("slurmd", signal.SIGKILL)
    time.sleep(1)
    slurm.start_slurmd()
    thread.join(60)
    assert ends(found[0]) == {"a": {"done": 1}}
    assert lab.ran() == ["a"]


@pytest.fixture
def stopped(monkeypatch):
    """Let SIGTERM interrupt the scheduler, as the command line does."""

    def stop(signum, _frame):
        raise Interrupted(signum)

    before = {n: signal.signal(n, stop) for n in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


def signal_when(condition, signum):
    def watch():
        wait_until(condition)
        os.kill(os.getpid(), signum)

    threading.Thread(target=watch).start()


def test_sigterm_cancels_the_run(lab, slurm, stopped):
    lab.node("a", f"touch {lab.folder}/started; sleep 60", outs={})
    signal_when(lambda: started(lab), signal.SIGTERM)
    with pytest.raises(Interrupted):
        run(lab, {"matrix": {"a.__enabled__": 1}})
    assert not queued(slurm)
    assert (statuses(lab, "a")[0]["state"], statuses(lab, "a")[0]["reason"]) == ("interrupted", "cancelled")


def test_sighup_leaves_it_going_and_a_later_schedule_adopts_it(lab, slurm, stopped):
    lab.node("a", f"touch {lab.folder}/started; sleep 4; echo > {{dst}}")
    lab.node("b", ins=["src"]).edge("a.dst -> b.src")
    signal_when(lambda: started(lab), signal.SIGHUP)
    with pytest.raises(Interrupted):
        run(lab, {"matrix": {"a.__enabled__": 1}})
    assert queued(slurm)
    notes = Notes()
    assert run(lab, {"matrix": {"a.__enabled__": 1}}, notes).complete
    assert any("in Slurm already" in line for line in notes.lines)
    assert lab.ran() == ["a", "b"]


def test_new_jobs_wait_for_those_in_flight(lab, slurm, stopped):
    lab.node("a", f"touch {lab.folder}/started; sleep 4; echo > {{dst}}")
    signal_when(lambda: started(lab), signal.SIGHUP)
    with pytest.raises(Interrupted):
        run(lab, {"matrix": {"a.__enabled__": 1}})
    lab.node("b", ins=["src"]).edge("a.dst -> b.src")
    found = run(lab, {"matrix": {"a.__enabled__": 1}})
    assert ends(found) == {"a": {"done": 1}, "b": {"done": 1}}
    assert lab.ran() == ["a", "b"]


def test_two_schedulers_at_once(lab, slurm):
    lab.node("a", "sleep 0.2; echo > {dst}", algo_params={"x": 0})
    lab.node("b", ins=["src"]).edge("a.dst -> b.src")
    pipeline = lab.file("pipeline.yaml", json.dumps(lab.spec))
    params = json.dumps({"pipeline": pipeline, "matrix": {"a.x": list(range(20))}})
    words = ["schedule", f"--params={params}", f"--root_dpath={lab.root}", "--backend=slurm", "--run=1"]
    both = [subprocess.Popen([sys.executable, "-m", "kwdag", *words], cwd=lab.folder) for _ in range(2)]
    assert [process.wait(100) for process in both] == [0, 0]
    assert lab.ran() == ["a"] * 20 + ["b"] * 20


def test_a_lost_reply_of_sbatch(lab, slurm, monkeypatch, tmp_path):
    real = subprocess.check_output(["which", "sbatch"], text=True).strip()
    fake = tmp_path / "bin" / "sbatch"
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/bash\n{real} "$@" || exit\n[[ $* == *--parsable* ]] || exit 0\n'
        f"echo >> {tmp_path}/accepted; [ -e {tmp_path}/lost ] && exit\ntouch {tmp_path}/lost\n"
        "echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2\n"
        "exit 1\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    assert run(lab.node("a"), {"matrix": {"a.__enabled__": 1}}).complete
    assert (tmp_path / "lost").exists() and (tmp_path / "accepted").read_text() == "\n"
    assert len(runs_of(lab)) == 1
    assert lab.ran() == ["a"]


def runs_of(lab):
    """The submissions below a root."""
    return [line for path in lab.root.glob("_kwdag/runs/*/round-*/submitted.jsonl") for line in path.open()]


def test_a_job_that_fails_is_tried_again_when_asked(lab, slurm):
    lab.node("a", f"echo x >> {lab.folder}/tries; [ $(wc -l < {lab.folder}/tries) -ge 2 ]; echo > {{dst}}",
             setup=["set -e"])  # fmt: skip
    assert ends(run(lab, {"matrix": {"a.__enabled__": 1}}, retries=1)) == {"a": {"done": 1}}
    assert statuses(lab, "a")[0]["attempt"] == 2


def test_max_failures(lab, slurm):
    lab.node("a", "exit 1", algo_params={"x": 0}, outs={})
    found = run(
        lab, {"matrix": {"a.x": list(range(30))}}, slurm_pack=1, slurm_options={"array": "%1"}, max_failures=1
    )
    assert 1 <= ends(found)["a"]["failed"] < 30
    assert not queued(slurm)


# -- limits ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_small_limits_and_a_slow_controller(lab, monkeypatch):
    with cluster(cpus=8, scheduler=QUICK, max_array_size=11, max_job_count=60, min_job_age=2,
                 rate_limit="rl_enable,rl_bucket_size=5,rl_refill_rate=2") as small:  # fmt: skip
        monkeypatch.setenv("SLURM_CONF", small.env["SLURM_CONF"])
        monkeypatch.setenv("PYTHONPATH", str(Path(jobdir.__file__).parent.parent))
        lab.node("a", algo_params={"x": 0}).node("b", ins=["src"]).edge("a.dst -> b.src")
        found = run(lab, {"matrix": {"a.x": list(range(40))}}, slurm_pack=1)
    assert ends(found) == {"a": {"done": 40}, "b": {"done": 40}}
    assert lab.ran() == ["a"] * 40 + ["b"] * 40
