"""A thousand races for a job between two to eight claimers whose system calls strace delays."""

from __future__ import annotations

import json
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.exactly_once.host import command
from tests.exactly_once.world import STRACE, needs_strace

pytestmark = needs_strace
ROUNDS, MOST = 500, 8
#: What a claim is made of, and microseconds before one of these calls does what it does.
CALLS = ("flock", "openat", "link", "unlink", "rename")
DELAYS = (0, 100, 300, 700)


@contextmanager
def claimers(folder: Path, hosts: list[str], chance: random.Random) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that race for the same jobs, each with delays of its own."""
    params = {
        "pipeline": {"nodes": {"a": {
            "executable": f"/bin/sh {folder}/program.sh", "algo_params": ["x"],
        }}},
        "matrix": {"a.x": list(range(ROUNDS))},
    }  # fmt: skip
    (folder / "program.sh").write_text(f"echo $KWDAG_JOB >> {folder}/runs.txt\n")
    (folder / "params.yaml").write_text(json.dumps(params))
    race = ["race", f"{folder}/params.yaml", f"{folder}/root"]
    running = []
    try:
        for host in hosts:
            delays = [f"inject={call}:delay_enter={chance.choice(DELAYS)}:when=1+{chance.randint(1, 3)}"
                      for call in CALLS]  # fmt: skip
            words = [STRACE, "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"]
            words += ["-e", f"trace={','.join(CALLS)}"]
            words += [word for delay in delays for word in ("-e", delay)]
            running.append(subprocess.Popen([*words, *command(host, *race)], text=True, bufsize=1,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE))  # fmt: skip
        for one in running:
            assert one.stdout.readline() == "ready\n"
        yield running
        for one in running:
            one.stdin.close()
            assert one.wait(10) == 0
    finally:
        for one in running:
            one.kill()
            one.wait()


@pytest.mark.parametrize(
    "hosts", [["here"] * MOST, ["here", "there"] * (MOST // 2)], ids=["one-host", "two-hosts"]
)
def test_one_claimer_runs_the_job(tmp_path, hosts):
    chance = random.Random(1)
    with claimers(tmp_path, hosts, chance) as running:
        for place in range(ROUNDS):
            racing = chance.sample(running, chance.randint(2, MOST))
            for one in racing:
                one.stdin.write(f"{place}\n")
            assert {one.stdout.readline() for one in racing} == {"done\n"}
    ran = Counter((tmp_path / "runs.txt").read_text().split())
    assert (len(ran), set(ran.values())) == (ROUNDS, {1})
