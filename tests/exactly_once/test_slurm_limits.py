"""A Slurm that takes few jobs at a time, or none just now: the run still completes, each job once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.exactly_once.world import World, world_of
from tests.slurm_cluster import QUICK, cluster, missing

# Two writes, and no process of its own: the time goes into what is asked of Slurm.
PROGRAM = """
echo "$KWDAG_JOB" >> "$RUNS"
for arg; do case $arg in --out=*) echo '{}' > "${arg#*=}" ;; esac; done
"""
on_slurm = [
    pytest.mark.slurm,
    pytest.mark.xdist_group("slurm"),
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]


def completes(world: World, *options: str, count: int) -> None:
    process = world.start("--backend=slurm", *options)
    assert process.wait(150) == 0, world.said.read_text()[-2000:]
    ran = world.ran()
    assert (len(ran), set(ran.values())) == (count, {1})
    assert set(world.tokens()) == set(ran)


def version() -> tuple[int, ...]:
    """Of Slurm; (0,) where there is none."""
    found = shutil.which("slurmctld", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    text = subprocess.run([found, "-V"], capture_output=True, text=True, check=False).stdout if found else ""
    return tuple(map(int, re.findall(r"(\d+)\.(\d+)", text)[0])) if found else (0,)


class TestLimits:
    pytestmark = on_slurm

    def test_more_jobs_than_slurm_takes_and_arrays_of_ten(self, tmp_path, monkeypatch):
        with cluster(cpus=4, scheduler=QUICK, max_job_count=1000, max_array_size=11) as small:
            monkeypatch.setenv("SLURM_CONF", small.env["SLURM_CONF"])
            with world_of(tmp_path, 510, PROGRAM) as world:
                completes(world, count=1020)


# Not marked as `slurm`: with an older Slurm it is skipped where those tests must run.
@pytest.mark.slow
@pytest.mark.xdist_group("slurm")
@pytest.mark.skipif(missing() is not None, reason=str(missing()))
@pytest.mark.skipif(version() < (23, 2), reason=f"rl_enable came with Slurm 23.02, this is {version()}")
def test_a_controller_that_limits_the_rate_of_requests(tmp_path, monkeypatch):
    limit = "rl_enable,rl_bucket_size=5,rl_refill_rate=2"
    with cluster(cpus=4, scheduler=QUICK, rate_limit=limit) as small:
        monkeypatch.setenv("SLURM_CONF", small.env["SLURM_CONF"])
        with world_of(tmp_path, 20, PROGRAM) as world:
            completes(world, "--slurm_pack=1", count=40)


REFUSALS = {
    "rate": "sbatch: error: RPC rate limit exceeded, try again later.",
    "backoff": "sbatch: error: Batch job submission failed: Resource temporarily unavailable",
    "full": "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
}


class TestRefusals:
    pytestmark = on_slurm

    @pytest.mark.parametrize("said", REFUSALS.values(), ids=REFUSALS)
    def test_a_refused_submission_is_repeated(self, tmp_path, slurm_jobs, said):
        """A `sbatch` before the real one refuses the first two submissions."""
        tries = tmp_path / "tries"
        fake = tmp_path / "bin" / "sbatch"
        fake.parent.mkdir()
        fake.write_text(f"""#!/bin/bash
case " $* " in *" --help "*) exec {shutil.which("sbatch")} "$@" ;; esac
echo try >> {tries}
[ $(wc -l < {tries}) -gt 2 ] && exec {shutil.which("sbatch")} "$@"
echo '{said}' >&2
exit 1
""")
        fake.chmod(0o755)
        with world_of(tmp_path, 2, PROGRAM) as world:
            world.env["PATH"] = f"{fake.parent}:{os.environ['PATH']}"
            completes(world, count=4)
        assert len(Path(tries).read_text().split()) > 2
