"""Jobs that a real kernel ends for memory, in a control group of the tests' own, on tmux and Slurm."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.slurm_cluster import QUICK, cluster, missing

MIB = 2**20


@contextlib.contextmanager
def memory_group(limit):
    """A control group of so many bytes: the file by which processes join; skips where none can be made."""
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    own = next((path for _, kinds, path in lines if "memory" in kinds.split(",")), None)
    if own is not None:
        folder, file = Path(f"/sys/fs/cgroup/memory{own}/kwdag-{os.getpid()}"), "memory.limit_in_bytes"
    else:
        folder, file = Path(f"/sys/fs/cgroup/kwdag-{os.getpid()}"), "memory.max"
    try:
        folder.mkdir()
        (folder / file).write_text(str(limit))
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        yield folder / "cgroup.procs"
    finally:
        while pids := (folder / "cgroup.procs").read_text().split():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), 9)
            time.sleep(0.02)
        folder.rmdir()


def eats(mib, seconds):
    """Bash that holds so much memory for so long."""
    return f'{sys.executable} -c "import time; x = bytearray({mib} << 20); time.sleep({seconds})"'


def schedule(lab, joins, matrix, *options):
    """`kwdag schedule` in a process of the control group."""
    (lab.folder / "params.yaml").write_text(yaml.safe_dump({"pipeline": lab.spec, "matrix": matrix}))
    words = [sys.executable, "-m", "kwdag", "schedule", "--params=params.yaml", f"--root_dpath={lab.root}",
             "--run=1", *options]  # fmt: skip
    join = ["bash", "-c", f'echo $$ > {joins}; exec "$@"', "bash"]
    found = subprocess.run([*join, *words], cwd=lab.folder, capture_output=True, text=True, check=False)
    return found.returncode, found.stdout + found.stderr


def test_on_serial_it_is_said_and_not_tried_again(lab):
    lab.node("a", eats(400, 0))
    with memory_group(250 * MIB) as joins:
        code, out = schedule(lab, joins, {"a.__enabled__": 1})
    assert code == 1 and "(out of memory)" in out
    assert lab.ran() == ["a"]


@pytest.mark.xdist_group("tmux")
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_on_tmux_it_waits_for_more_memory(lab, tmux_server):
    lab.node("a", eats(200, 3) + " && echo {x} > {dst}", algo_params={"x": 0}, resources={"mem": "100M"})
    with memory_group(380 * MIB) as joins:
        code, out = schedule(lab, joins, {"a.x": [1, 2]}, "--backend=tmux", "--tmux_workers=2")
        subprocess.run(["tmux", "kill-server"], capture_output=True, check=False)
    assert code == 0, out
    assert "out of memory: once more with more memory" in out
    assert lab.ran() == ["a"] * 3


@pytest.mark.xdist_group("slurm")
@pytest.mark.skipif(missing() is not None, reason="no Slurm here")
def test_on_slurm_it_gets_twice_the_memory(lab, monkeypatch):
    lab.node("a", f"[ $SLURM_MEM_PER_NODE -ge 200 ] || {eats(400, 0)} && echo $SLURM_MEM_PER_NODE > {{dst}}",
             resources={"mem": "100M"})  # fmt: skip
    lab.node("b", "cat {src} > {dst}", ins=["src"]).edge("a.dst -> b.src")
    with memory_group(250 * MIB) as joins, cluster(cpus=2, scheduler=QUICK) as slurm:
        joins.write_text(str(slurm.daemons["slurmd"].pid))
        monkeypatch.setenv("SLURM_CONF", slurm.env["SLURM_CONF"])
        found = lab.schedule({"a.__enabled__": 1}, backend="slurm")
    assert found.complete
    assert lab.ran() == ["a", "a", "b"]
    assert (lab.job("b") / "b.txt").read_text() == "200\n"
