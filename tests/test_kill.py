"""A crash at any system call, or a disk that refuses one, costs at most the jobs then running.

Strace counts the calls of one run that change something below the root or start a process; then each of
them is the last one of a run of its own, and the same command, given again, must bring the clean result.
"""

import itertools
import os
import random
import re
import shutil
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from kwdag import jobdir
from tests.exactly_once.world import STRACE, World, needs_strace

pytestmark = needs_strace

STARTS = ("clone", "clone3", "fork", "vfork", "execve")
CHANGES = ("openat", "write", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "unlink", "unlinkat",
           "rmdir", "symlink", "symlinkat", "link", "linkat", "ftruncate", "flock")  # fmt: skip
REFUSED = {
    "openat": ("ENOSPC", "EIO", "EMFILE"),
    "write": ("ENOSPC", "EIO"),
    "rename": ("ENOSPC", "EIO"),
    "mkdir": ("ENOSPC", "EIO"),
    "symlink": ("ENOSPC",),
}
#: Each sweep is cut into so many tests, for the workers of pytest-xdist to share.
PARTS = 4

SHIM = """#!/bin/sh
case ${TRACE:-}$1 in
    -*/first/*) exec %s $TRACE /bin/bash "$@" ;;
esac
exec /bin/bash "$@"
"""


@dataclass(frozen=True)
class Point:
    """The n-th call of a kind, or of a kind on one path, in the life of a process."""

    call: str
    n: int
    line: str
    path: str | None = None

    def inject(self, what: str) -> list[str]:
        only = ["-P", self.path] if self.path else []
        return [*only, "-e", f"trace={self.call}", "-e", f"inject={self.call}:{what}:when={self.n}"]


class Traced(World):
    """A world whose runner can be started under strace (see SHIM)."""

    def __init__(self, folder: Path, xs: int = 1):
        super().__init__(folder, xs)
        shims = folder / "bin"
        shims.mkdir()
        (shims / "bash").write_text(SHIM % STRACE)
        (shims / "bash").chmod(0o755)
        self.env["PATH"] = f"{shims}:{os.environ['PATH']}"


def trace(argv: list[str], world: World, *options: str, **env: str) -> list[list[str]]:
    """The calls of each process of a command, the first process first."""
    logs = world.folder / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir()
    calls = ",".join(f"?{name}" for name in (*STARTS, *CHANGES))
    strace = [STRACE, "-qq", "-ff", "-y", "-s", "0", "-e", "signal=none", "-e", f"trace={calls}", *options]
    done = subprocess.run([*strace, "-o", f"{logs}/log", *argv], cwd=world.folder, env=world.environ(**env),
                          capture_output=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = sorted(logs.iterdir(), key=lambda path: int(path.suffix[1:]))
    return [path.read_text(errors="replace").splitlines() for path in found]


def own_path(call: str, line: str) -> str | None:
    """The path by which to count a call: Python opens hundreds of other files while it imports."""
    found = {"openat": r'"(/[^"]*)"', "write": r"^write\(\d+<(/[^>]*)>"}.get(call)
    path = re.search(found, line) if found else None
    return path[1] if path and not re.search(r"\.\d+\.part$", path[1]) else None


def points(world: World, lines: list[str], *, leader: bool = True) -> list[Point]:
    """The calls that start a process or change something below the root.

    Args:
        leader: the process that strace started itself, whose first execve it shows and cannot tamper with.
    """
    counts: Counter = Counter({"execve": -1} if leader else {})
    found = []
    for line in lines:
        call = line.partition("(")[0]
        path = own_path(call, line)
        counts[call] += 1
        counts[call, path] += 1
        opens_to_write = re.search("O_WRONLY|O_RDWR|O_CREAT", line)
        inside = str(world.root) in line and (call != "openat" or opens_to_write)
        if counts[call] and (inside or call in STARTS):
            found.append(Point(call, counts[call, path] if path else counts[call], line, path))
    return found


def changed(world: World) -> None:
    """A finished run whose input has changed: both jobs are stale."""
    assert world.call().returncode == 0
    world.source.write_text("two\n")
    world.save("changed")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """(world, saved root, points of the scheduler, names, results) of a first run."""
    return _sweep(Traced(tmp_path_factory.mktemp("fresh")), None)


@pytest.fixture(scope="module")
def rerun(tmp_path_factory):
    """The same for a run that replaces results."""
    world = Traced(tmp_path_factory.mktemp("rerun"))
    changed(world)
    return _sweep(world, "changed")


def _sweep(world: World, saved: str | None):
    world.restore(saved)
    # The scheduler alone: what its children do is not held up, and outlives it.
    lines = trace(world.command, world)[0]
    found = points(world, lines)
    assert len(found) > 40
    return world, saved, found, world.names(), world.results()


def check_resumed(world: World, before: dict[str, str], names, results) -> None:
    """The same once more brings the clean result; what had ended since ``before`` does not run again."""
    ended = {job for job, token in world.tokens().items() if before.get(job) != token}
    first = world.ran()
    assert world.in_process().complete
    second = world.ran()
    assert second == {job: 1 for job in results if job not in ended}
    assert all(count == 1 for count in first.values())
    assert ended <= set(first)
    assert world.results() == results
    assert set(world.tokens()) == set(results)
    assert world.names() == names


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("sweep", ["fresh", "rerun"])
def test_the_scheduler_killed_at_any_call(request, sweep, part):
    world, saved, found, names, results = request.getfixturevalue(sweep)
    for point in found[part::PARTS]:
        world.restore(saved)
        before = world.tokens()
        killed = world.call(STRACE, "-qq", "-o", os.devnull, *point.inject("signal=KILL"))
        assert killed.returncode in (-9, 137), point
        check_resumed(world, before, names, results)


def test_the_runner_killed_at_any_call(fresh):
    world, _, _, names, results = fresh
    (folder := world.folder / "logs").mkdir(exist_ok=True)
    log = folder / "runner"
    world.restore(None)
    calls = ",".join(f"?{name}" for name in (*STARTS, *CHANGES))
    # Where bash has a start-up file, even a plain program is started through it, and so through the shim.
    shell = {"BASH_ENV": os.devnull}
    assert world.call(TRACE=f"-qq -y -s 0 -o {log} -e trace={calls}", **shell).returncode == 0
    found = points(world, log.read_text().splitlines())
    assert {point.call for point in found} >= {"execve", "openat", "write"}
    for point in found:
        world.restore(None)
        inject = " ".join(["-qq", "-o", os.devnull, *point.inject("signal=KILL")])
        killed = world.call(TRACE=inject, **shell)
        assert killed.returncode == 1, point
        assert "killed by SIGKILL" in killed.stdout
        check_resumed(world, {}, names, results)


def by_hand_again(command: list[str], world: World) -> subprocess.CompletedProcess:
    """Run by hand, as soon as what is left of an earlier run has ended."""
    while True:
        done = subprocess.run(command, env=world.environ(), capture_output=True, check=False)
        if done.returncode != 75:
            return done


def test_invoke_sh_killed_at_any_call(tmp_path):
    """Its own calls first, then those of the small programs that it starts."""
    world = Traced(tmp_path)
    changed(world)
    job = next(world.root.glob("first/*"))
    (job / jobdir.STATUS).unlink()
    world.save("laid-out")
    by_hand = ["/bin/bash", str(job / jobdir.INVOKE)]
    own, *others = [points(world, lines, leader=not n) for n, lines in enumerate(trace(by_hand, world))]
    clean = world.results()[job.name]
    # Strace counts in each child anew, and ends the first that comes so far.
    below = {(point.call, point.path, point.n): point for point in itertools.chain(*others)}.values()
    (elsewhere := world.folder / "elsewhere").mkdir()
    assert len(own) > 10 and len(below) > 10
    for point, follow in [*((p, ["-qq"]) for p in own), *((p, ["-qq", "-f"]) for p in below)]:
        world.restore("laid-out")
        strace = [STRACE, *follow, "-o", os.devnull, *point.inject("signal=KILL")]
        subprocess.run(
            [*strace, *by_hand], cwd=elsewhere, env=world.environ(), capture_output=True, check=False
        )
        assert not list(elsewhere.iterdir()), point
        taken = job.name in world.in_process(run=False).outlook.selection.done
        assert not taken or world.results()[job.name] == clean, point
        again = by_hand_again(by_hand, world)
        assert (again.returncode, again.stderr) == (0, b""), point
        world.ran()
        found = world.in_process()
        assert (found.complete, found.adopted) == (True, (job.name,)), point
        assert set(world.ran()) == {path.name for path in world.root.glob("second/*")}, point
        assert world.results()[job.name] == clean


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("sweep", ["fresh", "rerun"])
def test_a_disk_that_refuses_a_call_is_named_in_one_line(request, sweep, part):
    world, saved, found, names, results = request.getfixturevalue(sweep)
    found = [point for point in found if " = -1 " not in point.line]  # else it only looks what is there
    cases = [(point, error) for point in found for error in REFUSED.get(point.call, ())]
    # In a re-run only what sets old results aside is new.
    cases = cases if saved is None else [case for case in cases if ".previous" in case[0].line]
    for point, error in cases[part::PARTS]:
        world.restore(saved)
        before = world.tokens()
        strace = [
            STRACE,
            "-qq",
            "-o",
            os.devnull,
            *point.inject(f"error={error}"),
        ]
        refused = world.call(*strace)
        code = 2 if f'"{world.root}"' in point.line else 1  # a root that cannot be made is bad input
        assert (refused.returncode, refused.stderr.count("\n")) == (code, 1), (point, error, refused)
        assert str(world.root) in refused.stderr, (point, error)
        assert "Traceback" not in refused.stdout
        check_resumed(world, before, names, results)


def test_fifty_random_kills_of_a_grid_of_forty_jobs(tmp_path):
    chance = random.Random(0)
    world = Traced(tmp_path, xs=20)
    world.in_process()
    results, names = world.results(), world.names()
    assert len(results) == 40
    kills = 0
    while kills < 50:
        world.restore(None)
        ended: set[str] = set()
        began: Counter = Counter()
        cut = 0
        while True:
            run = subprocess.Popen(world.command, cwd=world.folder, env=world.environ(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
            target = chance.randrange(6) if kills < 50 else 99
            while run.poll() is None and world.runs.read_text().count("\n") < target:
                time.sleep(0.0005)
            if kills < 50:
                time.sleep(chance.random() * 0.01)
                run.kill()
            assert run.communicate()[1] == b""
            ran = world.ran()
            assert not ended & set(ran), "a job that was done ran again"
            began += ran
            ended = set(world.tokens())
            if run.returncode == 0:
                break
            kills, cut = kills + 1, cut + 1
        assert began.total() <= 40 + cut
        assert world.results() == results
        assert world.names() == names
