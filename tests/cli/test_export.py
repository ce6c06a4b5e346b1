from __future__ import annotations

import json
import re

import pytest
import yaml

from tests.cli.conftest import tree
from tests.cli.test_main import HEAVY, imported

EXPORT = ("export", "pipe.yaml", "--params=params.yaml")


def test_the_template_and_what_to_upload(kwdag, project, golden):
    # An input that lies at the same place on any machine: so even the ids are the same ones.
    (project / "params.yaml").write_text("matrix: {predict.src: /etc/hosts, predict.level: 22}\n")
    found = kwdag(*EXPORT)
    assert found.code == 0
    golden("export", found.out)
    golden("export_said", found.err)


def test_a_file_in_either_format_and_nothing_else(kwdag, project):
    before = tree(project)
    assert kwdag(*EXPORT, "-o", "t.json").code == kwdag(*EXPORT, "--output=t.yml").code == 0
    assert json.loads((project / "t.json").read_text()) == yaml.safe_load((project / "t.yml").read_text())
    after = tree(project)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"t.json", "t.yml"}


def test_the_params_may_name_the_pipeline(kwdag, project):
    assert kwdag("export", "--params=params.yaml").out == kwdag(*EXPORT).out != ""


def test_a_large_export_says_what_it_takes(kwdag, project):
    (project / "params.yaml").write_text(
        f"matrix: {{predict.src: a.txt, predict.level: {list(range(30))}}}\n"
    )
    lines = kwdag(*EXPORT).err.splitlines()
    assert lines[:2] == ["60 steps", "an AWS account allows 50 steps in a pipeline until it asks for more"]
    assert re.fullmatch(r"\d+,\d+ bytes: give `aws cloudformation deploy` a bucket by --s3-bucket", lines[2])


def test_a_folder_is_uploaded_as_one(kwdag, project):
    (project / "a.txt").unlink()
    (project / "a.txt").mkdir()
    assert re.search(r"aws s3 sync \S+/a\.txt \"\$S3_ROOT\"/_kwdag/inputs/\w+/a\.txt\n", kwdag(*EXPORT).err)


def test_a_program_of_this_machine_is_named(kwdag, project):
    text = (project / "pipe.yaml").read_text()
    (project / "pipe.yaml").write_text(text.replace("bash predict.sh", "/usr/bin/env bash predict.sh"))
    lines = kwdag(*EXPORT).err.splitlines()
    assert lines[:2] == ["8 steps", "the image must have /usr/bin/env, which commands name"]


def test_help_and_export_import_nothing_heavy(folder):
    assert not imported("export", "--help") & HEAVY


def test_an_export_does_without_pandas(project):
    assert not imported(*EXPORT, "-o", "t.json") & (HEAVY - {"yaml"})


@pytest.mark.parametrize("argv, complaint", [
    (["--to=terraform"], "--to: 'terraform' is unknown; known: cloudformation"),
    (["--to=cloudfromation"], "--to: 'cloudfromation' is unknown; did you mean 'cloudformation'?"),
    (["-o", "t.txt"], "--output: 't.txt' is neither .json nor .yaml"),
    (["-o", "no/t.json"], "--output: there is no folder 'no'"),
    (["-o", "d.json"], "--output: 'd.json' is a folder"),
    (["--root_dpath=out"], "--root_dpath: 'out' is not below /opt/ml/processing, where SageMaker puts files "
                           "into a container; the default is /opt/ml/processing/kwdag"),
    (["--params={predict.scr: a.txt}"], "params, line 1: no parameter 'scr' in node 'predict'; "
                                        "did you mean 'src'?"),
    (["--params={predict.src: c.txt}"], "params, line 1: predict.src is '{here}/c.txt', which does not "
                                        "exist; did you mean '{here}/b.txt'?"),
])  # fmt: skip
def test_bad_input(kwdag, project, argv, complaint):
    (project / "d.json").mkdir()
    before = tree(project)
    found = kwdag(*EXPORT, *argv)
    assert (found.code, found.out) == (2, "")
    assert found.err.replace(str(project), "{here}") == f"kwdag: {complaint}\n"
    assert tree(project) == before
