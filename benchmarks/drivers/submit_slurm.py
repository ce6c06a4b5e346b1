"""Runs `kwdag schedule` on Slurm until it says that everything is submitted, and leaves the run to itself.
Fails when a part of it waits for room."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

SUBMITTED = re.compile(r"(\d+) Slurm arrays? with (\d+) tasks")


def main(*command: str) -> int:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as scheduler:
        assert scheduler.stdout is not None
        said = []
        for line in scheduler.stdout:
            said.append(line)
            if line.startswith("calls: "):  # the last of what it says of a submission
                break
        # By SIGHUP the scheduler goes and the run goes on, as when a terminal is closed.
        scheduler.send_signal(signal.SIGHUP)
    text = "".join(said)
    print(text, end="")
    return 0 if SUBMITTED.search(text) and "more arrays follow" not in text else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
