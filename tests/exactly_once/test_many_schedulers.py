"""Several schedulers on one root, on all backends at once: each job's program runs once."""

from __future__ import annotations

import shutil

import pytest

from tests.exactly_once.world import ALONE, PROGRAM, World, world_of
from tests.slurm_cluster import missing

SCHEDULERS = {
    "one": ["--backend=serial"],
    "two": ["--backend=serial"],
    "three": ["--backend=tmux", "--tmux_workers=2"],
    "four": ["--backend=slurm"],
}
# No job goes on before each of the four runs one: they do share the plan.
ALL_ARE_HERE = f"""
: > "$RUNS.$WHO"
for who in {" ".join(SCHEDULERS)}; do
  until [ -e "$RUNS.$who" ]; do ((SECONDS < 60)) && sleep 0.05 || exit; done
done
"""


@pytest.mark.tmux
@pytest.mark.slurm
@pytest.mark.xdist_group("slurm")
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_four_schedulers_run_each_of_two_hundred_jobs_once(tmp_path, tmux_server, slurm_jobs):
    with world_of(tmp_path, 100, ALL_ARE_HERE + ALONE + PROGRAM) as world:
        processes = [world.start(*words, WHO=who, NAP="0.02") for who, words in SCHEDULERS.items()]
        assert [process.wait(120) for process in processes] == [0, 0, 0, 0], world.said.read_text()
        assert_each_ran_once(world, 200)
        backends = {status["backend"] for status in world.statuses().values()}
        assert backends == {"serial", "tmux", "slurm"}


def assert_each_ran_once(world: World, count: int) -> None:
    ran = world.ran()
    assert (len(ran), set(ran.values())) == (count, {1})
    assert set(world.tokens()) == set(ran)
    assert world.twice_at_once() == []
