"""What a run needs around it, made before its clock starts and gone after it: a tmux server, a Slurm cluster.
Nothing of the person who runs the benchmarks is touched: no session of theirs, no cluster of theirs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

SLURM_CPUS = 2


class NoSceneError(Exception):
    """It cannot be had here; the text says why."""


@contextmanager
def tmux_server() -> Iterator[dict[str, str]]:
    """The environment in which every tmux command meets a server of its own, ended at the end."""
    if shutil.which("tmux") is None:
        raise NoSceneError("tmux is not installed")
    folder = tempfile.mkdtemp(prefix="kwdag-tmux-")  # short: the path of a socket holds 107 bytes
    # An empty home: sessions open login shells, and what a person's own .bashrc does is not to be timed.
    env = {"TMUX_TMPDIR": folder, "TMUX": "", "SHELL": "/bin/bash", "HOME": folder}
    try:
        yield env
    finally:
        subprocess.run(["tmux", "kill-server"], env=os.environ | env, capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def slurm_cluster() -> Iterator[dict[str, str]]:
    """A Slurm of one node with SLURM_CPUS processors and the limits that Slurm has by default."""
    from tests.slurm_cluster import cluster, missing

    if (problem := missing()) is not None:
        raise NoSceneError(problem)
    with cluster(SLURM_CPUS) as slurm:
        yield slurm.env


_BY_ACTION: Mapping[str, Callable[[], AbstractContextManager[dict[str, str]]]] = {
    "run_workers": tmux_server,
    "redo_workers": tmux_server,
    "run_slurm": slurm_cluster,
    "submit_slurm": slurm_cluster,
}


def around(action: str) -> AbstractContextManager[dict[str, str]]:
    """The scene of an action, as environment variables; raises NoSceneError."""
    make = _BY_ACTION.get(action)
    return nullcontext({}) if make is None else make()
