"""A grid of one station as a CloudFormation template with a SageMaker pipeline."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from kwdag.cli import main
from tests.export.conftest import VALUES

cfn_lint = pytest.importorskip("cfnlint.api")
moto_server = pytest.importorskip("moto.server")
boto3 = pytest.importorskip("boto3")

PARAMS = {
    "pipeline": "pipelines.fpe.pipelines.fpe()",
    "matrix": {
        "rank_dataset.station_id": 29, "rank_dataset.variable": "FLOW_CFS", "deploy.model_type": "RANK",
        "rank_input.min_hour": [7, 9], "rank_input.max_hour": 18, "rank_input.min_month": 1,
        "rank_input.max_month": 12, "run_train.n_epochs": 20, "run_train.learning_rate": [0.001, 0.02],
        "report.model_code": "RANK-FLOW-20240709",
    },
}  # fmt: skip


@pytest.fixture
def text(tmp_path, monkeypatch):
    """The template that the command writes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    words = ["export", PARAMS["pipeline"], "--params=params.yaml", "--to=cloudformation", "-o", "t.json"]
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 0
    return (tmp_path / "t.json").read_text()


@pytest.fixture
def client():
    running = moto_server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    yield boto3.client("sagemaker", endpoint_url=f"http://{host}:{port}", **keys)
    running.stop()


def definition_of(text):
    body = json.loads(text)["Resources"]["Pipeline"]["Properties"]["PipelineDefinition"]
    written = body["PipelineDefinitionBody"]["Fn::Sub"]
    return re.sub(r"\$\{(\w+)\}", lambda found: str(VALUES[found[1]]), written)


def test_the_template_holds_all_steps_and_no_path_of_this_machine(text, client):
    found = cfn_lint.lint(text, config=cfn_lint.ManualArgs(regions=["us-east-1", "us-gov-west-1"]))
    assert found == []
    definition = definition_of(text)
    steps = json.loads(definition)["Steps"]
    assert len(steps) == 1 + 2 + 4 * 6 + 1
    commands = ["".join(step["Arguments"]["AppSpecification"]["ContainerArguments"]) for step in steps]
    assert all(re.search(r"(^|\\n)\s*(exec )?python -m pipelines\.fpe\.", command) for command in commands), (
        commands
    )
    client.create_pipeline(PipelineName="fpe", PipelineDefinition=definition, RoleArn=VALUES["RoleArn"])
    assert client.describe_pipeline(PipelineName="fpe")["PipelineDefinition"] == definition
