"""A CloudFormation template around the definition of a SageMaker pipeline, as JSON or YAML text.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-sagemaker-pipeline.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from kwdag.errors import PlanError
from kwdag.export.sagemaker import PARAMETERS
from kwdag.export.uploads import Upload

#: Bytes that CloudFormation takes in a request; a larger template goes by way of S3, up to the second number.
DIRECT, LARGEST = 51_200, 1_000_000
LARGEST_DEFINITION = 1_048_576

_PIPELINE_NAME = {
    "Type": "String",
    "Description": "The name of the pipeline, unique in an account and region",
    "Default": "kwdag",
    "AllowedPattern": "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}",
}
#: What a value may be: none may hold what would end the text of the definition.
_RULES: dict[str, dict[str, Any]] = {
    "RoleArn": {"AllowedPattern": r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+"},
    "ImageUri": {"AllowedPattern": r"[\w.:/@-]{1,255}"},
    "InstanceType": {"Default": "ml.m5.xlarge", "AllowedPattern": r"ml\.[a-z0-9.-]+"},
    "GpuInstanceType": {"Default": "ml.g4dn.xlarge", "AllowedPattern": r"ml\.[a-z0-9.-]+"},
    "VolumeSizeInGB": {"Default": 30, "MinValue": 1, "MaxValue": 16384},
    "S3Root": {"AllowedPattern": r"s3://[a-z0-9][a-z0-9.-]+(/[\w.!*'()=+-]+)*"},
}


def template(definition: Mapping[str, Any], uploads: Iterable[Upload] = ()) -> dict[str, Any]:
    """The template as plain data.

    Args:
        uploads: what must lie below the S3 root before the pipeline starts; noted as metadata.

    Raises:
        PlanError: the definition is longer than SageMaker takes.
    """
    names = [parameter["Name"] for parameter in definition["Parameters"]]
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"A SageMaker pipeline of {len(definition['Steps'])} jobs, exported by kwdag",
        "Metadata": {"kwdag": {"uploads": {upload.key: upload.path for upload in uploads}}},
        "Parameters": {"PipelineName": _PIPELINE_NAME, **{name: _parameter(name) for name in names}},
        "Resources": {
            "Pipeline": {
                "Type": "AWS::SageMaker::Pipeline",
                "Properties": {
                    "PipelineName": {"Ref": "PipelineName"},
                    "RoleArn": {"Ref": "RoleArn"},
                    "PipelineDefinition": {"PipelineDefinitionBody": {"Fn::Sub": _body(definition)}},
                },
            }
        },
        "Outputs": {"PipelineName": {"Description": "The pipeline to start", "Value": {"Ref": "Pipeline"}}},
    }


def _parameter(name: str) -> dict[str, Any]:
    kind, about = PARAMETERS[name]
    return {"Type": "Number" if kind == "Integer" else "String", "Description": about, **_RULES[name]}


def _body(definition: Mapping[str, Any]) -> str:
    """The definition as text for `Fn::Sub`, which sets the defaults of its parameters and nothing else."""
    parameters = [{**one, "DefaultValue": f"@{one['Name']}"} for one in definition["Parameters"]]
    text = json.dumps({**definition, "Parameters": parameters}, indent=1)
    # A command's own `${...}` is none of CloudFormation's: JSON has another way to write a dollar.
    text = text.replace("${", "\\u0024{")
    for one in parameters:
        value = f"${{{one['Name']}}}"
        quoted = value if one["Type"] == "Integer" else f'"{value}"'
        text = text.replace(f'"DefaultValue": "@{one["Name"]}"', f'"DefaultValue": {quoted}')
    if len(text) > LARGEST_DEFINITION:
        raise PlanError(
            f"the definition has {len(text):,} characters, and SageMaker takes {LARGEST_DEFINITION:,}",
            hint="export fewer rows at a time",
        )
    return text


def as_json(template: Mapping[str, Any]) -> str:
    """The template as JSON; raises PlanError where CloudFormation would refuse its size."""
    return _checked(json.dumps(template, indent=1) + "\n")


def as_yaml(template: Mapping[str, Any]) -> str:
    """The template as YAML, in which the definition can be read line by line; raises as ``as_json``."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Text of several lines as such."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return _checked(yaml.dump(template, Dumper=Dumper, sort_keys=False, width=110))


def _checked(text: str) -> str:
    if len(text.encode()) > LARGEST:
        raise PlanError(
            f"the template has {len(text.encode()):,} bytes, and CloudFormation takes {LARGEST:,}",
            hint="export fewer rows at a time",
        )
    return text
