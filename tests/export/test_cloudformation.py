"""Templates before those who read them: cfn-lint, and a moto server over HTTP."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import yaml

from kwdag.errors import PlanError
from kwdag.export import cloudformation
from tests.export.conftest import VALUES, filled

cfn_lint = pytest.importorskip("cfnlint.api")
server = pytest.importorskip("moto.server")
boto3 = pytest.importorskip("boto3")

NASTY = '"${HOME}" ${!x} ${ImageUri} "@ImageUri" \\${S3Root} $${x'


@pytest.fixture
def made(lab, export):
    """A small pipeline with odd values: the plan's definition and its template."""
    lab.file("in.txt")
    lab.node("a", "echo {x} > {dst}", ins=["src"], algo_params=["x"], resources={"gpus": 1, "time": "1h"})
    lab.node("b", ins=["src"]).edge("a.dst -> b.src").node("all", ins=["parts"]).gather("b.dst", "all.parts")
    _, definition, uploads = export({"a.src": "in.txt", "a.x": [NASTY, "ünï\ncode"]})
    return definition, cloudformation.template(definition, uploads)


@pytest.fixture(scope="module")
def moto():
    """Clients of a moto server: service name -> client."""
    running = server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    yield lambda name: boto3.client(name, endpoint_url=f"http://{host}:{port}", **keys)
    running.stop()


def body(template, **values):
    """The pipeline definition as CloudFormation hands it on."""
    text = template["Resources"]["Pipeline"]["Properties"]["PipelineDefinition"]["PipelineDefinitionBody"][
        "Fn::Sub"
    ]
    return re.sub(r"\$\{(\w+)\}", lambda found: str((VALUES | values)[found[1]]), text)


@pytest.mark.parametrize("write", [cloudformation.as_json, cloudformation.as_yaml])
def test_cfn_lint_finds_nothing(made, write):
    found = cfn_lint.lint(write(made[1]), config=cfn_lint.ManualArgs(regions=["us-east-1", "us-gov-west-1"]))
    assert found == []


def test_json_and_yaml_hold_the_same(made):
    assert json.loads(cloudformation.as_json(made[1])) == made[1]
    assert yaml.safe_load(cloudformation.as_yaml(made[1])) == made[1]
    assert '\n             "Version": "2020-12-01",\n' in cloudformation.as_yaml(made[1])


def test_substitution_sets_the_defaults_and_nothing_else(made):
    definition, template = made
    found = json.loads(body(template))
    defaults = {one["Name"]: one.pop("DefaultValue") for one in found["Parameters"]}
    assert found == definition
    assert defaults == VALUES


def test_sagemaker_takes_the_pipeline(made, moto):
    client = moto("sagemaker")
    text = body(made[1])
    client.create_pipeline(PipelineName="kwdag", PipelineDefinition=text, RoleArn=VALUES["RoleArn"])
    assert client.describe_pipeline(PipelineName="kwdag")["PipelineDefinition"] == text
    client.start_pipeline_execution(PipelineName="kwdag")
    (execution,) = client.list_pipeline_executions(PipelineName="kwdag")["PipelineExecutionSummaries"]
    assert execution["PipelineExecutionStatus"] in ("Executing", "Succeeded")


def test_sagemaker_takes_each_step_as_a_processing_job(made, moto):
    client = moto("sagemaker")
    for step in filled(made[0]["Steps"], VALUES):
        client.create_processing_job(ProcessingJobName=step["Name"], **step["Arguments"])
        found = client.describe_processing_job(ProcessingJobName=step["Name"])
        assert found["AppSpecification"] == step["Arguments"]["AppSpecification"]


@pytest.mark.filterwarnings("ignore:Tried to parse AWS..SageMaker..Pipeline")  # moto makes no such resource
def test_cloudformation_takes_the_template(made, moto):
    client = moto("cloudformation")
    text = cloudformation.as_json(made[1])
    client.validate_template(TemplateBody=text)
    given = [{"ParameterKey": key, "ParameterValue": str(value)} for key, value in VALUES.items()]
    client.create_stack(StackName="kwdag", TemplateBody=text, Parameters=given)
    (stack,) = client.describe_stacks(StackName="kwdag")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert {one["ParameterKey"] for one in stack["Parameters"]} == {"PipelineName", *VALUES}


@pytest.mark.parametrize("name, good, bad", [
    ("RoleArn", ["arn:aws-us-gov:iam::123456789012:role/p/k"], ["kw", 'arn:aws:iam::123456789012:role/"']),
    ("ImageUri", ["1.dkr.ecr.us-east-1.amazonaws.com/a/b:1@sha256:ab"], ["", 'a"', "a b", "a\\"]),
    ("InstanceType", ["ml.m5.xlarge", "ml.p4de.24xlarge"], ["m5.xlarge", 'ml."']),
    ("S3Root", ["s3://bucket", "s3://my.bucket-1/a/b_c"], ["bucket", "s3://bucket/", "s3://Bucket", 's3://b/"']),
    ("PipelineName", ["kwdag", "rank-FLOW-29"], ["a_b", "-a", ""]),
])  # fmt: skip
def test_no_value_can_break_the_definition(made, name, good, bad):
    pattern = made[1]["Parameters"][name]["AllowedPattern"]
    assert all(re.fullmatch(pattern, value) for value in good)
    assert not any(re.fullmatch(pattern, value) for value in bad)


def test_a_definition_that_is_too_large(made):
    definition = {**made[0], "Steps": made[0]["Steps"] * 200}
    with pytest.raises(
        PlanError, match=r"the definition has [\d,]+ characters, and SageMaker takes 1,048,576"
    ):
        cloudformation.template(definition)


def test_a_template_that_is_too_large(made):
    many = {**made[1], "Metadata": {"x": "y" * 1_000_000}}
    for write in (cloudformation.as_json, cloudformation.as_yaml):
        with pytest.raises(
            PlanError, match=r"the template has [\d,]+ bytes, and CloudFormation takes 1,000,000"
        ):
            write(many)


def test_the_same_bytes_each_time(made, lab, export):
    shutil.rmtree(lab.root, ignore_errors=True)
    _, definition, uploads = export({"a.src": "in.txt", "a.x": [NASTY, "ünï\ncode"]})
    assert cloudformation.as_yaml(cloudformation.template(definition, uploads)) == cloudformation.as_yaml(
        made[1]
    )
