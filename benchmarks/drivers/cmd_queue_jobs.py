"""Runs the job list through a backend of cmd_queue, which kwdagger stands on.
Shows what of kwdagger's cost is its own."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import cmd_queue


def main(job_list: str, scratch: str, backend: str = "serial", workers: str = "1") -> None:
    every: dict[str, dict[str, object]] = {
        "serial": {"dpath": scratch},
        "tmux": {"size": int(workers)},
        "slurm": {},
    }
    options = every[backend]
    queue = cmd_queue.Queue.create(backend=backend, name="bench", **options)
    submitted: list[object] = []
    for folder, command, after in json.loads(Path(job_list).read_text()):
        Path(folder).mkdir(parents=True)
        before = [] if after is None else [submitted[after]]
        submitted.append(queue.submit(shlex.join(command), depends=before))
    queue.run(**({} if backend == "serial" else {"monitor": "inline", "with_textual": False}))


if __name__ == "__main__":
    main(*sys.argv[1:])
