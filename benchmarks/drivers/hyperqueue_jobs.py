"""Runs the job list on a HyperQueue server with one worker of one core, started and stopped here.
Its Python client asks once a second whether all is done, so its times are good to about a second."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig


def main(job_list: str, scratch: str) -> None:
    with LocalCluster(scratch, WorkerConfig(cores=1)) as cluster:
        client = cluster.client()
        client.wait_for_jobs([client.submit(read_job(job_list))])


def read_job(job_list: str) -> Job:
    job = Job()
    for folder, command, after in json.loads(Path(job_list).read_text()):
        Path(folder).mkdir(parents=True)
        before = [] if after is None else [job.tasks[after]]
        job.program(command, deps=before, stdout=f"{folder}/job.log", stderr=f"{folder}/job.err")
    return job


if __name__ == "__main__":
    main(*sys.argv[1:])
