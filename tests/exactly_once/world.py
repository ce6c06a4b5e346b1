"""A grid of jobs that count their own runs outside of the root, and the command that runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import kwdag
from kwdag import jobdir

STRACE = shutil.which("strace")
needs_strace = [
    pytest.mark.strace,
    pytest.mark.skipif(
        STRACE is None
        or subprocess.run([STRACE, "-qq", "-o", os.devnull, "true"], check=False).returncode != 0,
        reason="needs strace and the right to trace",
    ),
]

# Pure bash, and half a result lies there for a moment: whoever takes outputs for an end will be caught.
PROGRAM = r"""
for arg; do case $arg in --out=*) out=${arg#*=} ;; --src=*) src=${arg#*=} ;; --x=*) x=${arg#*=} ;; esac; done
echo "$KWDAG_JOB" >> "$RUNS"
IFS= read -r text < "$src"
printf '{"metrics": ' > "$out"
printf '{"v": "%s%s+"}}\n' "${text//[^a-z0-9+]/}" "$x" >> "$out"
"""
#: What goes before it, where two runs of one job at once are to be noticed, and where it is to take its time.
ALONE = r"""
exec 8>> "$RUNS.$KWDAG_JOB" && flock -n 8 || echo "$KWDAG_JOB" >> "$RUNS.twice"
sleep "${NAP-0.05}"
"""


def wait_for(condition: Callable[[], Any], seconds: float = 60.0, pause: float = 0.01) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(pause)


class World:
    """A pipeline of two nodes, its root, and the command that runs it.

    Args:
        xs: number of rows; each is a job of either node.
        program: bash that gets `--out`, `--src` and, for the first node, `--x`.
    """

    def __init__(self, folder: Path, xs: int = 1, program: str = PROGRAM):
        self.folder = folder
        self.root = folder / "root"
        self.runs = folder / "runs.txt"
        self.runs.touch()
        self.source = folder / "src.txt"
        self.source.write_text("one\n")
        (folder / "program.sh").write_text(program)
        node = {
            "executable": f"/bin/bash {folder}/program.sh",
            "in_paths": ["src"], "out_paths": {"out": "out.json"},
        }  # fmt: skip
        self.params = {
            "pipeline": {
                "nodes": {"first": {**node, "algo_params": {"x": 0}}, "second": node},
                "edges": ["first.out -> second.src"],
            },
            "matrix": {"first.x": list(range(xs)), "first.src": str(self.source)},
        }
        (folder / "params.yaml").write_text(json.dumps(self.params))
        #: Added to the environment of all that is started.
        self.env = {
            "RUNS": str(self.runs), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200",
        }  # fmt: skip
        self.options = ["schedule", f"--params={folder}/params.yaml", f"--root_dpath={self.root}", "--run=1"]
        self.command = [sys.executable, "-m", "kwdag", *self.options]
        self._started: list[subprocess.Popen[str]] = []

    def environ(self, **more: str) -> dict[str, str]:
        """The environment of what is started."""
        return {**os.environ, **self.env, **more}

    def call(self, *prefix: str, options: Sequence[str] = (), **env: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end, as an argument of another one where a prefix is given."""
        return subprocess.run([*prefix, *self.command, *options], cwd=self.folder, env=self.environ(**env),
                              capture_output=True, text=True, check=False)  # fmt: skip

    def start(self, *options: str, command: list[str] | None = None, **env: str) -> subprocess.Popen[str]:
        """Start it; what it says goes to the file ``said``."""
        with self.said.open("a") as said:
            process = subprocess.Popen([*(command or self.command), *options], cwd=self.folder, text=True,
                                       env=self.environ(**env), stdin=subprocess.DEVNULL,
                                       stdout=said, stderr=said)  # fmt: skip
        self._started.append(process)
        return process

    @property
    def said(self) -> Path:
        return self.folder / "said.txt"

    def stop(self) -> None:
        """Kill what was started and has not ended."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.wait()

    def in_process(self, run: bool = True, **options: Any) -> Any:
        """The same as the command, without the start of Python."""
        os.environ["RUNS"] = str(self.runs)
        return kwdag.schedule(self.params, **{"root_dpath": self.root, "run": run, **options})

    def look(self) -> Any:
        """What a run would do now, and what is done."""
        return self.in_process(run=False).outlook.selection

    def clean(self) -> tuple[dict[str, str], set[str]]:
        """Results and names of files of a run that nobody disturbed, in a root of its own."""
        root, self.root = self.root, self.folder / "clean"
        try:
            assert self.in_process(root_dpath=self.root).complete
            return self.results(), self.names()
        finally:
            self.root = root
            self.ran()

    def save(self, name: str) -> None:
        shutil.copytree(self.root, self.folder / name, symlinks=True)

    def restore(self, name: str | None) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        if name:
            shutil.copytree(self.folder / name, self.root, symlinks=True)
        self.ran()

    def ran(self) -> Counter[str]:
        """How often each job's program was started since the last call."""
        found = Counter(self.runs.read_text().split())
        self.runs.write_text("")
        return found

    def twice_at_once(self) -> list[str]:
        """Jobs that ran while another run of them was not over (see ALONE)."""
        note = Path(f"{self.runs}.twice")
        return note.read_text().split() if note.exists() else []

    def results(self) -> dict[str, str]:
        return {path.parent.name: path.read_text() for path in self.root.glob("*/*/out.json")}

    def tokens(self) -> dict[str, str]:
        """Job id -> the token of the run that made its present result."""
        return {job: status["run"] for job, status in self.statuses().items() if status["state"] == "done"}

    def statuses(self) -> dict[str, dict[str, Any]]:
        """Job id -> what its status says; raises if one is damaged."""
        found = {path.parent.name: jobdir.read_status(path.parent)
                 for path in self.root.glob(f"*/*/{jobdir.STATUS}")}  # fmt: skip
        return {job: status for job, status in found.items() if status is not None}

    def names(self) -> set[str]:
        """The files of the root, but for those whose names tell of earlier attempts or of single runs."""
        return {
            str(path.relative_to(self.root)) for path in self.root.rglob("*")
            if not re.search(r"/\.previous(/|$)|/\.claim-\d+$|/pipeline\.json\.\d+\.part$", str(path))
            and not re.search(r"^_kwdag/(asked|runs|slurm|shares)", str(path.relative_to(self.root)))
        }  # fmt: skip

    def done_again(self) -> list[str]:
        """Jobs that were run although they were done."""
        before = [
            jobdir.read_status(path.parent) for path in self.root.glob(f"*/*/.previous/{jobdir.STATUS}")
        ]
        return [status["job"] for status in before if status and status["state"] == "done"]


@contextmanager
def world_of(folder: Path, *args: Any, **options: Any) -> Iterator[World]:
    """A world that leaves no process behind."""
    made = World(folder, *args, **options)
    try:
        yield made
    finally:
        made.stop()
