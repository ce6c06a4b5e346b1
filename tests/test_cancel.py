"""`kwdag cancel` ends whatever runs below a root, whoever runs it, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from kwdag import claims, inventory, processes
from kwdag.cancel import cancel


def wait_for(condition, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


@pytest.fixture
def sleeper(lab):
    """A pipeline of one job that sleeps and knows how to be started."""
    lab.node("a", "echo up; sleep 300; echo {x} > {dst}", algo_params={"x": 1})
    (lab.folder / "params.yaml").write_text(yaml.safe_dump({"pipeline": lab.spec, "matrix": {"a.x": 1}}))
    return lab


@pytest.fixture
def start(sleeper):
    started = []

    def call(*words: str) -> subprocess.Popen:
        process = subprocess.Popen(words or SCHEDULE, cwd=sleeper.folder, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        process.wait()


SCHEDULE = (sys.executable, "-m", "kwdag", "schedule", "--params=params.yaml", "--root_dpath=root", "--run=1")


def runs(lab) -> bool:
    return any((lab.root / "a").glob("*/job.log")) and inventory.is_running(str(lab.job("a")))


def holders(lab) -> list[int]:
    lock = f"{lab.job('a')}/.lock"
    return processes.holders([lock]).get(lock, [])


def test_nothing_runs(chain):
    chain.schedule({"a.src": "in.txt"})
    done = cancel(str(chain.root))
    assert (done.ended, done.workers, done.left) == ([], 0, {})


def test_a_scheduler_ends_its_job_and_records_that(sleeper, start):
    scheduler = start()
    wait_for(lambda: runs(sleeper))
    done = cancel(str(sleeper.root))
    assert (done.ended, done.left) == ([sleeper.job("a").name], {})
    assert scheduler.wait(5) == 128 + signal.SIGTERM
    assert json.loads((sleeper.job("a") / "job_status.json").read_text())["state"] == "interrupted"


def test_a_scheduler_that_waits_for_the_job_does_not_take_it_over(sleeper, start):
    first = start()
    wait_for(lambda: runs(sleeper))
    second = start()
    time.sleep(1.0)
    done = cancel(str(sleeper.root))
    assert done.left == {} and not inventory.is_running(str(sleeper.job("a")))
    assert {first.wait(5), second.wait(5)} == {128 + signal.SIGTERM}


def test_a_job_that_is_run_by_hand(sleeper, start):
    sleeper.schedule({"a.x": 1}, run=False)
    scheduler = start()
    wait_for(lambda: runs(sleeper))
    cancel(str(sleeper.root))
    scheduler.wait(5)
    by_hand = start("bash", str(sleeper.job("a") / "invoke.sh"))
    wait_for(lambda: runs(sleeper) and len(holders(sleeper)) > 2)
    done = cancel(str(sleeper.root))
    assert (done.ended, done.left) == ([sleeper.job("a").name], {})
    assert by_hand.wait(5) != 0 and holders(sleeper) == []


def test_children_whose_worker_was_killed(sleeper, start):
    scheduler = start()
    wait_for(lambda: runs(sleeper))
    scheduler.kill()
    scheduler.wait()
    assert runs(sleeper)
    done = cancel(str(sleeper.root))
    assert done.ended and holders(sleeper) == []


def test_a_program_that_ignores_sigterm(sleeper, start, monkeypatch):
    monkeypatch.setattr(processes, "PATIENCE", 0.3)
    monkeypatch.setattr(processes.terminate, "__defaults__", (0.3,))
    scheduler = start()
    wait_for(lambda: runs(sleeper))
    scheduler.kill()
    scheduler.wait()
    script = sleeper.job("a") / "invoke.sh"
    cancel(str(sleeper.root))
    script.write_text(script.read_text().replace("echo up", "trap '' TERM; echo up"))
    start("bash", str(script))
    wait_for(lambda: runs(sleeper) and len(holders(sleeper)) > 2)
    assert cancel(str(sleeper.root)).left == {}
    assert holders(sleeper) == []


def test_a_job_of_another_host_is_only_named(sleeper, chain, monkeypatch):
    dpath = sleeper.root / "a" / "a_id_aaaa"
    dpath.mkdir(parents=True)
    (dpath / ".lock").touch()
    (dpath / ".claim-1").write_text(json.dumps({"host": "elsewhere/1", "pid": os.getpid()}))
    done = cancel(str(sleeper.root))
    assert (done.ended, done.left) == ([], {"a_id_aaaa": f"process {os.getpid()} on elsewhere"})


def test_a_pid_that_belongs_to_another_process_now_is_left_alone(sleeper, start):
    stranger = start("sleep", "300")
    folder = sleeper.root / "_kwdag" / "runs" / "20260101T000000-1-1" / "workers"
    folder.mkdir(parents=True)
    entry = {"pid": stranger.pid, "host": os.uname().nodename}
    (folder / "kwdag_0.json").write_text(json.dumps(entry))
    dpath = sleeper.root / "a" / "a_id_aaaa"
    dpath.mkdir(parents=True)
    (dpath / ".lock").touch()
    (dpath / ".claim-1").write_text(json.dumps({"host": claims.host_id(), "pid": stranger.pid}))
    assert cancel(str(sleeper.root)).workers == 0
    assert stranger.poll() is None
