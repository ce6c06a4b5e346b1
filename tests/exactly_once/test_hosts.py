"""Two hosts on a shared file system: who lives keeps a claim, who died loses it, who comes late is refused.

The second host is this one under another name, whose locks the first one does not see (see host.py).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.exactly_once.host import command
from tests.exactly_once.world import PROGRAM, World, wait_for, world_of

LEASE, BEAT = 1.0, 0.1
# Who runs what is noted outside of the root; the first job goes on when it is told to.
GATED = """
echo "begin $WHO ${KWDAG_JOB%%_*} $$" >> "$RUNS.log"
case $KWDAG_JOB in first_*) until [ -e "$RUNS.go-$WHO" ]; do sleep 0.02; done ;; esac
"""
NOTED = 'echo "end $WHO ${KWDAG_JOB%%_*} $$" >> "$RUNS.log"\n'
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


class Hosts:
    """The hosts `here` and `there`, each with a scheduler of the same plan."""

    def __init__(self, world: World):
        self.world = world
        self.log = Path(f"{world.runs}.log")
        self.log.touch()

    def start(self, host: str, **env: str) -> subprocess.Popen[str]:
        words = command(host, *self.world.options, lease=LEASE, beat=BEAT)
        return self.world.start(command=words, WHO=host, **env)

    def said(self, what: str, host: str, node: str = "first") -> bool:
        return f"{what} {host} {node} " in self.log.read_text()

    def let_go(self, host: str) -> None:
        Path(f"{self.world.runs}.go-{host}").touch()

    def send(self, process: subprocess.Popen[str], host: str, signum: int) -> None:
        """A signal to all processes of a host that runs the first job: it stops, goes on, dies."""
        line = next(
            line for line in self.log.read_text().splitlines() if line.startswith(f"begin {host} first")
        )
        os.kill(process.pid, signum)
        os.killpg(int(line.split()[3]), signum)

    def first(self) -> dict:
        (status,) = (s for job, s in self.world.statuses().items() if job.startswith("first"))
        return status


@pytest.fixture
def hosts(tmp_path):
    with world_of(tmp_path, 1, GATED + PROGRAM + NOTED) as world:
        yield Hosts(world)


@pytest.mark.parametrize("wakes", ["before the taker ends", "after the taker has ended"])
def test_a_holder_that_was_stopped_and_overtaken_is_refused(hosts, wakes):
    late = hosts.start("there")
    wait_for(lambda: hosts.said("begin", "there"))
    hosts.send(late, "there", signal.SIGSTOP)
    taker = hosts.start("here")
    wait_for(lambda: hosts.said("begin", "here"))
    hosts.let_go("there")
    if wakes.startswith("before"):
        hosts.send(late, "there", signal.SIGCONT)
        wait_for(lambda: hosts.said("end", "there"))
        time.sleep(3 * BEAT)
        assert "first" not in {job.partition("_")[0] for job in hosts.world.statuses()}
        assert not hosts.said("begin", "there", "second"), "it went on with a result that was refused"
        hosts.let_go("here")
    else:
        hosts.let_go("here")
        assert taker.wait(30) == 0
        hosts.send(late, "there", signal.SIGCONT)
    assert (taker.wait(30), late.wait(30)) == (0, 0)
    status = hosts.first()
    assert (status["state"], status["attempt"]) == ("done", 2)
    assert status["run"].endswith(f"-{taker.pid:x}")
    assert len(hosts.world.look().done) == 2
    assert sorted(line.split()[2] for line in hosts.log.read_text().splitlines() if "begin" in line) == [
        "first", "first", "second",
    ]  # fmt: skip


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
@pytest.mark.parametrize("ahead", ["here", "there"])
def test_clocks_a_day_apart(hosts, ahead):
    day = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": "+1d"}
    clocks = {host: day if host == ahead else {} for host in ("here", "there")}
    holder = hosts.start("there", **clocks["there"])
    wait_for(lambda: hosts.said("begin", "there"))
    taker = hosts.start("here", **clocks["here"])
    wait_for(lambda: "waiting for 1 jobs" in hosts.world.said.read_text())
    time.sleep(2 * LEASE)
    assert not hosts.said("begin", "here"), "it took over from a holder that lives"
    hosts.send(holder, "there", signal.SIGKILL)
    killed = time.monotonic()
    wait_for(lambda: hosts.said("begin", "here"))
    assert time.monotonic() - killed > LEASE / 2
    hosts.let_go("here")
    assert taker.wait(30) == 0
    assert hosts.first()["attempt"] == 2
