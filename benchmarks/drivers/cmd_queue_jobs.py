"""Runs the job list through cmd_queue's serial backend, which kwdagger stands on.
Shows what of kwdagger's cost is its own."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import cmd_queue


def main(job_list: str, scratch: str) -> None:
    queue = cmd_queue.Queue.create(backend="serial", name="bench", dpath=scratch)
    submitted: list[object] = []
    for folder, command, after in json.loads(Path(job_list).read_text()):
        Path(folder).mkdir(parents=True)
        before = [] if after is None else [submitted[after]]
        submitted.append(queue.submit(shlex.join(command), depends=before))
    queue.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
