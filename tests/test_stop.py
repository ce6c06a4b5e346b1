"""Stopped, killed or not alone: a run ends its jobs, goes on later, and runs no job twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from kwdag import jobdir

MAIN = "import kwdag.child as w; w.GRACE = 1.0; from kwdag.cli import main; main()"


def wait_for(condition, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def alive(pid: str) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Runs:
    """Schedules a pipeline of one node in processes of their own."""

    def __init__(self, lab):
        self.lab = lab
        self.note = lab.folder / "note.txt"
        self.note.touch()

    def node(self, body: str, xs: int = 1) -> None:
        """Declare the node; ``body`` is bash that finds the file to take notes in as $NOTE."""
        self.lab.node("a", body + "; echo {x} > {dst}", algo_params=["x"])
        params = {"pipeline": self.lab.spec, "matrix": {"a.x": list(range(xs))}}
        (self.lab.folder / "params.yaml").write_text(yaml.safe_dump(params))

    def start(self, **more) -> subprocess.Popen:
        command = [sys.executable, "-c", MAIN, "schedule", "--params=params.yaml"]
        return subprocess.Popen([*command, f"--root_dpath={self.lab.root}", "--run=1"], cwd=self.lab.folder,
                                env={**os.environ, "NOTE": str(self.note)}, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **more)  # fmt: skip

    def finish(self) -> tuple[int, str]:
        process = self.start()
        return process.wait(60), process.stderr.read()

    def words(self) -> list[str]:
        return self.note.read_text().split()

    def until(self, words: int) -> None:
        wait_for(lambda: len(self.words()) >= words)

    def state(self) -> str | None:
        status = jobdir.read_status(self.lab.job("a"))
        return status and status["state"]


@pytest.fixture
def runs(lab):
    return Runs(lab)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_processes_of_the_job(runs, signum):
    runs.node("[ -e go ] || { sleep 60 & echo $! $$ >> $NOTE; wait; }")
    process = runs.start()
    runs.until(2)
    process.send_signal(signum)
    assert process.wait(20) == 128 + signum
    assert not any(map(alive, runs.words()))
    assert process.stderr.read().strip().count("\n") == 0
    assert runs.state() == "interrupted"
    (runs.lab.folder / "go").touch()
    assert runs.finish() == (0, "")
    assert runs.state() == "done"


def test_what_the_job_started_has_time_to_end_and_no_more(runs):
    """The first child cleans up after its parent is gone, the second will not end."""
    forever = "echo $BASHPID >> $NOTE; while :; do sleep 0.05; done"
    tidy = f"(trap 'sleep 0.3; echo tidy >> $NOTE; exit' TERM; {forever}) & "
    deaf = f"(trap '' TERM; {forever}) & "
    runs.node(f"{tidy} {deaf} wait")
    process = runs.start()
    runs.until(2)
    process.terminate()
    assert process.wait(20) == 143
    assert runs.words()[2:] == ["tidy"]
    assert not any(map(alive, runs.words()[:2]))


def catches(pid: int, signum: int) -> bool:
    """Whether a process has a handler for a signal."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "SigCgt" in line)
    return bool(int(caught.split()[1], 16) >> (signum - 1) & 1)


def test_signals_at_any_moment_leave_no_traceback(runs):
    runs.node("sleep 0.03", xs=40)
    for step in range(14):
        process = runs.start()
        wait_for(lambda pid=process.pid: catches(pid, signal.SIGTERM))
        time.sleep(0.02 * step)
        signum = [signal.SIGINT, signal.SIGTERM][step % 2]
        process.send_signal(signum)
        if step % 3 == 0:
            process.send_signal(signum)
        # a signal that comes while the interpreter itself ends is its default death: 130 to a shell, too
        assert process.wait(60) in (128 + signum, -signum, 0)
        assert "Traceback" not in process.stderr.read()
    assert runs.finish() == (0, "")


def test_a_run_under_nohup_ignores_the_hangup(runs):
    runs.node("echo go >> $NOTE; sleep 0.3")
    process = runs.start(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    runs.until(1)
    process.send_signal(signal.SIGHUP)
    assert process.wait(20) == 0


def test_a_job_that_outlives_its_scheduler_is_awaited_and_run_again(runs):
    runs.node("echo start >> $NOTE; sleep 1.5; echo end >> $NOTE")
    process = runs.start()
    runs.until(1)
    process.kill()
    process.wait()
    assert runs.finish() == (0, "")
    assert runs.words() == ["start", "end", "start", "end"]


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.5])
def test_two_schedulers_share_a_root(runs, delay):
    runs.node("echo {x} >> $NOTE; sleep 0.03", xs=25)
    first = runs.start()
    time.sleep(delay)
    second = runs.start()
    assert (first.wait(60), second.wait(60)) == (0, 0)
    assert (first.stderr.read(), second.stderr.read()) == ("", "")
    assert sorted(map(int, runs.words())) == list(range(25))


def test_a_job_that_another_scheduler_runs_is_not_run_again(runs):
    runs.node("echo run >> $NOTE; sleep 4")  # a start of python takes over a second where others work, too
    first = runs.start()
    runs.until(1)
    second = runs.start()  # it finds the job running
    assert (first.wait(60), second.wait(60)) == (0, 0)
    assert "waiting for 1 jobs" in second.stdout.read()
    assert runs.words() == ["run"]


def test_a_job_that_runs_by_hand_is_awaited_and_adopted(runs):
    runs.node("echo run >> $NOTE; sleep 1")
    assert runs.finish() == (0, "")
    job = runs.lab.job("a")
    (job / jobdir.STATUS).unlink()
    by_hand = ["bash", str(job / jobdir.INVOKE)]
    env = {**os.environ, "NOTE": str(runs.note)}
    first = subprocess.Popen(by_hand, env=env)
    runs.until(2)
    twice = subprocess.run(by_hand, env=env, capture_output=True, text=True, check=False)
    assert (twice.returncode, twice.stderr) == (75, f"{job.name} runs elsewhere right now\n")
    assert runs.finish() == (0, "")
    assert first.wait() == 0
    assert runs.words() == ["run", "run"]
    assert runs.state() == "done"


def test_signals_that_python_ignores_reach_the_programs_of_a_job(runs):
    runs.node('yes | head -n1; echo "${{PIPESTATUS[0]}}" >> $NOTE')
    assert runs.finish() == (0, "")
    assert runs.words() == ["141"]
