"""A service that carries out the steps of a definition as SageMaker does, with a folder for S3."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kwdag.export import sagemaker
from kwdag.export.planned import plan_jobs
from kwdag.export.uploads import all_uploads

VALUES = {"InstanceType": "ml.m5.xlarge", "GpuInstanceType": "ml.g4dn.xlarge", "VolumeSizeInGB": 30,
          "ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/fpe:1",
          "RoleArn": "arn:aws:iam::123456789012:role/kwdag", "S3Root": "s3://bucket/kwdag"}  # fmt: skip


def filled(value: Any, values: Mapping[str, Any]) -> Any:
    """A definition with its `Get` and `Std:Join` worked out."""
    if isinstance(value, list):
        return [filled(one, values) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Get"}:
        return values[value["Get"].removeprefix("Parameters.")]
    if value.keys() == {"Std:Join"}:
        return value["Std:Join"]["On"].join(filled(value["Std:Join"]["Values"], values))
    return {key: filled(one, values) for key, one in value.items()}


class Service:
    """Runs steps, the last first where dependencies allow it; nothing but S3 lives longer than a step."""

    def __init__(self, s3: Path, root: Path, workdir: Path):
        self.s3, self.root, self.workdir = s3, root, workdir

    def upload(self, uploads):
        """Move inputs into S3: on the service nothing lies where commands expect it."""
        for upload in uploads:
            target = self.s3 / upload.key
            target.parent.mkdir(parents=True)
            shutil.move(upload.path, target)

    def run(self, definition, uploads=()):
        waiting = {step["Name"]: step for step in filled(definition["Steps"], VALUES)}
        done = set()
        while waiting:
            name = next(n for n in reversed(waiting) if done.issuperset(waiting[n].get("DependsOn", ())))
            self._step(waiting.pop(name)["Arguments"])
            done.add(name)
            for upload in uploads:
                if Path(upload.path).is_symlink():
                    Path(upload.path).unlink()

    def _step(self, arguments):
        assert not self.root.exists()
        for one in arguments["ProcessingInputs"]:
            source = self._object(one["S3Input"]["S3Uri"])
            shutil.copytree(source, one["S3Input"]["LocalPath"])
        outputs = [one["S3Output"] for one in arguments["ProcessingOutputConfig"]["Outputs"]]
        for one in outputs:
            Path(one["LocalPath"]).mkdir(parents=True)
        app = arguments["AppSpecification"]
        env = {"PATH": "/usr/bin:/bin", "HOME": "/", **arguments["Environment"]}
        words = [*app["ContainerEntrypoint"], *app["ContainerArguments"]]
        subprocess.run(words, env=env, cwd=self.workdir, check=True, timeout=30)
        for one in outputs:
            shutil.copytree(one["LocalPath"], self._object(one["S3Uri"]), dirs_exist_ok=True)
        shutil.rmtree(self.root, ignore_errors=True)

    def _object(self, uri):
        assert uri.startswith("s3://bucket/kwdag/") and uri.endswith("/")
        return self.s3 / uri.removeprefix("s3://bucket/kwdag/")


@pytest.fixture
def service(tmp_path, lab):
    return Service(tmp_path / "s3", lab.root, tmp_path)


@pytest.fixture
def export(lab, monkeypatch):
    """Plan a matrix over the lab's pipeline; returns the plan, the definition and the uploads."""

    def call(params):
        monkeypatch.chdir(lab.folder)
        planned = plan_jobs(params, lab.spec, str(lab.root))
        return planned, sagemaker.definition(planned), all_uploads(planned.jobs)

    return call


def step_of(definition, node):
    """The one step of a node."""
    (found,) = [s for s in definition["Steps"] if re.fullmatch(rf"{node}-[a-z2-7]{{13}}", s["Name"])]
    return found
