"""The definition of a SageMaker pipeline: one Processing step per job, fed and emptied through S3.

https://aws-sagemaker-mlops.github.io/sagemaker-model-building-pipeline-definition-JSON-schema/ is its schema.
The S3 root and the root in the containers hold the same folders; what runs in one is container.py's business.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from kwdag import jobdir
from kwdag.errors import PlanError, RootError
from kwdag.export.container import ENTRYPOINT, arguments, job_script
from kwdag.export.planned import Planned
from kwdag.export.uploads import uploads_of
from kwdag.plan import Job
from kwdag.tasks import TaskMaker

#: SageMaker brings files into a container below this folder only.
LOCAL = "/opt/ml/processing"
ROOT = f"{LOCAL}/kwdag"
LONGEST_PATH = 256
MOST_INPUTS = 10
LONGEST_TIME = 777_600  # seconds: nine days
#: What AWS allows in one pipeline until an account asks for more.
MOST_STEPS = 50
#: A definition has at most 1,048,576 characters, and a step more than a thousand.
MOST_THAT_FIT = 1000

#: Parameters that a user fills in: name -> type, and what it is.
PARAMETERS = {
    "RoleArn": ("String", "The role that the pipeline and its jobs take"),
    "ImageUri": ("String", "The container image: bash and the programs of the pipeline"),
    "InstanceType": ("String", "The machine of a job"),
    "GpuInstanceType": ("String", "The machine of a job that asks for GPUs"),
    "VolumeSizeInGB": ("Integer", "The disk of a job, in GB"),
    "S3Root": ("String", "The folder in S3 below which inputs and results lie"),
}


def checked_root(root: str) -> str:
    """The root in the containers, normalised; raises RootError where SageMaker would refuse it."""
    found = os.path.normpath(root)
    if not found.startswith(f"{LOCAL}/"):
        message = f"{root!r} is not below {LOCAL}, where SageMaker puts files into a container"
        raise RootError(message, where="--root_dpath", hint=f"the default is {ROOT}")
    return found


def definition(planned: Planned) -> dict[str, Any]:
    """The pipeline definition; its parameters have no defaults.

    Raises:
        PlanError: too many jobs, or one needs more than a Processing job can have.
    """
    if len(planned.jobs) > MOST_THAT_FIT:
        message = f"{len(planned.jobs):,} jobs do not fit into the definition of one pipeline"
        raise PlanError(message, hint="export fewer rows at a time")
    maker = TaskMaker(planned.plan)
    steps = [_step(planned, job, maker) for job in planned.jobs]
    asks_gpus = any(_gpus(job) for job in planned.jobs)
    parameters = [
        {"Name": name, "Type": kind}
        for name, (kind, _) in PARAMETERS.items()
        if asks_gpus or name != "GpuInstanceType"
    ]
    return {"Version": "2020-12-01", "Parameters": parameters, "Steps": steps}


def _step(planned: Planned, job: Job, maker: TaskMaker) -> dict[str, Any]:
    task = maker.task(job, planned.absent)
    upstream = [up for up in job.predecessors() if up.id not in planned.absent]
    root = planned.plan.root
    places = {f"{up.node.name}/{up.id}" for up in upstream} | {upload.place for upload in uploads_of(job)}
    step: dict[str, Any] = {
        "Name": step_name(job),
        "Type": "Processing",
        "Arguments": {
            "ProcessingResources": {"ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": _get("GpuInstanceType" if _gpus(job) else "InstanceType"),
                "VolumeSizeInGB": _get("VolumeSizeInGB"),
            }},
            "AppSpecification": {
                "ImageUri": _get("ImageUri"),
                "ContainerEntrypoint": list(ENTRYPOINT),
                "ContainerArguments": arguments(job, job_script(planned, job, maker)),
            },
            "Environment": {"KWDAG_JOB": job.id},
            "RoleArn": _get("RoleArn"),
            "ProcessingInputs": [_input(root, place) for place in _folded(job, places)],
            "ProcessingOutputConfig": {"Outputs": [_output(root, job)] if job.node.out_paths else []},
        },
    }  # fmt: skip
    if task.timeout is not None:
        seconds = min(max(1, round(task.timeout)), LONGEST_TIME)
        step["Arguments"]["StoppingCondition"] = {"MaxRuntimeInSeconds": seconds}
    if upstream:
        step["DependsOn"] = list(dict.fromkeys(map(step_name, upstream)))
    return step


def step_name(job: Job) -> str:
    """At most 64 letters, digits and `-`; the hash of the job id keeps jobs apart.

    A step gives its name to the Processing job, whose name may hold no `_`.
    """
    digest = job.id.rpartition("_")[2]
    node = re.sub(r"[^A-Za-z0-9]+", "-", job.node.name).strip("-")
    return f"{node[: 63 - len(digest)].rstrip('-')}-{digest}".lstrip("-")


def _gpus(job: Job) -> bool:
    return bool(int(job.node.resources.get("gpus") or 0))


def _get(name: str) -> dict[str, str]:
    return {"Get": f"Parameters.{name}"}


def _uri(place: str) -> dict[str, Any]:
    # With a slash at the end: `a/b` would stand for `a/bc`, too.
    return {"Std:Join": {"On": "/", "Values": [_get("S3Root"), f"{place}/"]}}


def _local(root: str, place: str) -> str:
    path = f"{root}/{place}"
    if len(path) > LONGEST_PATH:
        raise PlanError(f"{path!r} is longer than the {LONGEST_PATH} characters that SageMaker takes")
    return path


def _input(root: str, place: str) -> dict[str, Any]:
    return {
        "InputName": place.replace("/", "."),
        "S3Input": {
            "S3Uri": _uri(place),
            "LocalPath": _local(root, place),
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3DataDistributionType": "FullyReplicated",
        },
    }


def _output(root: str, job: Job) -> dict[str, Any]:
    place = f"{job.node.name}/{job.id}"
    return {
        "OutputName": "results",
        "S3Output": {"S3Uri": _uri(place), "LocalPath": _local(root, place), "S3UploadMode": "EndOfJob"},
    }


def _folded(job: Job, places: Iterable[str]) -> list[str]:
    """At most so many places as a job may have inputs: where there are more, whole folders of a node.

    Raises:
        PlanError: it reads from too many nodes.
    """
    found = sorted(places)
    while len(found) > MOST_INPUTS:
        parents = Counter(place.rpartition("/")[0] for place in found)
        parent, count = max(
            ((name, n) for name, n in parents.items() if name not in ("", jobdir.RUN_DPATH)),
            key=lambda item: (item[1], item[0]),
            default=("", 0),
        )
        if count < 2:
            raise PlanError(
                f"{job.id} reads from more than {MOST_INPUTS} nodes, which SageMaker does not allow"
            )
        found = sorted({parent if place.startswith(f"{parent}/") else place for place in found})
    return found
