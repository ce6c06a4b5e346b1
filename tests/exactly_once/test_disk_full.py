"""A disk that fills up during a run: one clear line, and the same command goes on when there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.exactly_once.world import PROGRAM, world_of

#: Room for about a dozen jobs, in bytes or in files.
FULL = {"bytes": ("size=400k", "size=20m"), "files": ("size=20m,nr_inodes=150", "nr_inodes=20k")}

# Not marked as `tmux`: where no disk can be mounted it is skipped, and those tests must run.
no_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
TMUX = pytest.param("tmux", marks=no_tmux)


@pytest.fixture
def disk(tmp_path) -> Iterator[Callable[[str], None]]:
    """Gives the folder `root` a disk of its own, and again with other limits."""
    folder = tmp_path / "root"
    folder.mkdir()
    mounted = False

    def mount(options: str) -> None:
        nonlocal mounted
        again = "remount," if mounted else ""
        words = ["mount", "-t", "tmpfs", "-o", again + options, "tmpfs", str(folder)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")
        mounted = True

    yield mount
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("backend", ["serial", TMUX], indirect=True)
@pytest.mark.parametrize("what", FULL)
def test_a_full_disk_is_named_and_the_run_goes_on_later(tmp_path, backend, disk, what):
    small, large = FULL[what]
    with world_of(tmp_path, 20, PROGRAM) as world:
        results, names = world.clean()
        disk(small)
        full = world.call(options=backend.words)
        assert (full.returncode, full.stderr.count("\n")) == (1, 1), full
        assert "No space left on device" in full.stderr and str(world.root) in full.stderr
        assert "Traceback" not in full.stdout
        ended = world.tokens()
        assert 0 < len(ended) < 40
        world.ran()
        disk(large)
        again = world.call(options=backend.words)
        assert (again.returncode, again.stderr) == (0, "")
        assert not ended.keys() & world.ran().keys()
        assert (world.results(), world.names()) == (results, names)
