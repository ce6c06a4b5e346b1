"""What any runner must pay: a directory, bash, a log, a status file and a rename for each job.
No graph, no checks, no recovery: a lower bound, not a peer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def main(job_list: str) -> None:
    for folder, command, _ in json.loads(Path(job_list).read_text()):
        run_job(Path(folder), command)


def run_job(folder: Path, command: list[str]) -> None:
    folder.mkdir(parents=True)
    (folder / "job_config.json").write_text(json.dumps(command))
    with (folder / "job.log").open("wb") as log:
        code = subprocess.Popen(command, stdout=log, stderr=log).wait()
    partial = folder / "job_status.json.partial"
    partial.write_text(json.dumps({"exit_code": code}))
    partial.rename(folder / "job_status.json")


if __name__ == "__main__":
    main(sys.argv[1])
