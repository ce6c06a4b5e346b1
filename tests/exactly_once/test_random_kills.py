"""Fifty kills at random moments of whatever takes part in a run: nothing is lost, nothing done runs again."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from tests.exactly_once.world import ALONE, PROGRAM, World, wait_for, world_of
from tests.slurm_cluster import Cluster, missing

KILLS = 50
TMUX = ["--backend=tmux", "--tmux_workers=3", "--other_session_handler=ignore"]
WORDS = {"worker": "kwdag.drainer", "monitor": "--backend=tmux", "scheduler": "--backend=serial"}
SLURM = ["--backend=slurm", "--slurm_pack=4"]


def processes(world: World, word: str) -> list[int]:
    """The Python processes of a world that have a word in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            is_ours = "python" in words[0] and any(str(world.root) in one for one in words)
            if is_ours and any(word in one for one in words):
                found.append(int(folder.name))
    return found


def kill_one(chance: random.Random, pids: list[int]) -> bool:
    """SIGKILL to one of some processes; False when there is none."""
    if not pids:
        return False
    with suppress(ProcessLookupError):
        os.kill(chance.choice(pids), signal.SIGKILL)
    return True


def kill_session(chance: random.Random) -> bool:
    listed = ["tmux", "list-sessions", "-F", "#{session_name}"]
    names = subprocess.run(listed, capture_output=True, text=True, check=False).stdout.split()
    if not names:
        return False
    killed = ["tmux", "kill-session", "-t", chance.choice(names)]
    return subprocess.run(killed, capture_output=True, check=False).returncode == 0


class Story:
    """A run that is killed over and over, and what had ended before each kill."""

    def __init__(self, world: World, *options: str):
        self.world = world
        self.options = options
        self.results, self.names = world.clean()
        self.known: dict[str, str] = {}
        self.kills: Counter[str] = Counter()

    def go_on(self) -> None:
        """See to it that there is a scheduler; after a run that came to its end, from nothing."""
        if not processes(self.world, "--backend"):
            if len(self.world.tokens()) == len(self.results):
                wait_for(lambda: not processes(self.world, "kwdag"))
                self.check()
                self.world.restore(None)
                self.known = {}
            self.world.start(*self.options)

    def note(self) -> None:
        """What was done stays done, by the same run of it."""
        now = self.world.tokens()
        assert {job: now.get(job) for job in self.known} == self.known
        self.known = now

    def finish(self) -> None:
        """Resume, once more where the first resumption learned of tasks that had been killed before."""
        codes = []
        while not codes or (codes[-1] == 1 and len(codes) < 3):
            codes.append(self.world.start(*self.options).wait(180))
        assert codes[-1] == 0, self.world.said.read_text()[-2000:]
        self.note()
        self.check()

    def check(self) -> None:
        assert self.world.results() == self.results
        assert self.world.names() == self.names
        assert self.world.done_again() == []
        assert self.world.twice_at_once() == []
        assert "Traceback" not in self.world.said.read_text()


def cancel_all(slurm: Cluster) -> None:
    slurm.call("scancel", f"--user={os.geteuid()}")


def kill_slurmd(slurm: Cluster) -> None:
    slurm.kill("slurmd", signal.SIGKILL)
    time.sleep(0.5)
    slurm.start_slurmd()


@pytest.mark.slow
@pytest.mark.tmux
@pytest.mark.xdist_group("tmux")
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_of_workers_monitors_schedulers_and_sessions(tmp_path, tmux_server, monkeypatch):
    monkeypatch.setenv("NAP", "0")
    chance = random.Random(1)
    with world_of(tmp_path, 40, ALONE + PROGRAM) as world:
        story = Story(world, *TMUX)
        monkeypatch.setenv("NAP", "0.1")
        while story.kills.total() < KILLS:
            story.go_on()
            if not processes(world, "--backend=serial") and chance.random() < 0.3:
                world.start("--backend=serial")
            time.sleep(chance.random() * 0.3)
            kind = chance.choice(["worker", "worker", "session", "monitor", "scheduler"])
            found = (
                kill_session(chance) if kind == "session" else kill_one(chance, processes(world, WORDS[kind]))
            )
            story.kills[kind] += found
            story.note()
        story.finish()
        assert min(story.kills.values()) > 0 and len(story.kills) == 4


@pytest.mark.slow
@pytest.mark.slurm
@pytest.mark.xdist_group("slurm")
@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_of_tasks_and_schedulers_one_scancel_and_a_killed_slurmd(tmp_path, slurm_jobs, monkeypatch):
    monkeypatch.setenv("NAP", "0")
    chance = random.Random(1)
    with world_of(tmp_path, 40, ALONE + PROGRAM) as world:
        story = Story(world, *SLURM)
        monkeypatch.setenv("NAP", "0.1")
        extras = {KILLS // 3: cancel_all, 2 * KILLS // 3: kill_slurmd}
        while story.kills.total() < KILLS:
            story.go_on()
            time.sleep(chance.random() * 0.3)
            kind = chance.choice(["slurm_task", "slurm_task", "--backend=slurm"])
            story.kills[kind] += kill_one(chance, processes(world, kind))
            extra = extras.pop(story.kills.total(), None)
            if extra is not None:
                story.go_on()
                wait_for(lambda: processes(world, "slurm_task"))
                extra(slurm_jobs)
            story.note()
        story.finish()
        assert len(story.kills) == 2
