"""A kwdagger user moves over: a Python module by changing its imports, a YAML pipeline as it is."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SPEC = importlib.util.find_spec("kwdagger")
pytestmark = pytest.mark.skipif(SPEC is None, reason="kwdagger is not installed")

# What the README tells a user to replace, in this order.
IMPORTS = {
    r"\bkwdagger\.aggregate_loader\b": "kwdag.kwdagger_compat",
    r"\bkwdagger\.utils\b": "kwdag.kwdagger_compat",
    r"^(\s*)(from|import) kwdagger\b": r"\1\2 kwdag",
}
PARAMS = """\
pipeline: '{pipeline}'
matrix:
    stage1_predict.src_fpath:
        - input_file1.txt
        - input_file2.txt
    stage1_predict.param1: [123, 456]
    stage1_evaluate.workers: 4
"""


def ported(text: str) -> str:
    for old, new in IMPORTS.items():
        text = re.sub(old, new, text, flags=re.MULTILINE)
    return text


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with two inputs, in which kwdag and the jobs' programs run on this Python."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for i in (1, 2):
        (tmp_path / f"input_file{i}.txt").write_text(f"data{i}\n")
    return tmp_path


def schedule_words(params: str, backend) -> tuple[str, ...]:
    return ("schedule", "--params", params, "--root_dpath=out", "--run=1", *backend.words)


def run(here: Path, *argv: str, code: int = 0) -> str:
    found = subprocess.run([sys.executable, "-m", "kwdag", *argv], cwd=here, capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (code, "")
    return found.stdout


@pytest.mark.slow
@pytest.mark.every_backend
def test_kwdaggers_own_demo_module_with_its_imports_changed(here, backend):
    source = Path(SPEC.origin).with_name("demo") / "demodata.py"
    (here / "demodata.py").write_text(ported(source.read_text()))
    reference = "demodata.my_demo_pipeline()"
    schedule = schedule_words(PARAMS.format(pipeline=reference), backend)
    assert "8 done of 8 jobs" in run(here, *schedule)
    assert "nothing to run: all 8 jobs are done" in run(here, *schedule)
    report = run(here, "aggregate", f"--pipeline={reference}", "--target=out", "--eval_nodes=stage1_evaluate")
    assert "Top 4 / 4 for stage1_evaluate, unknown" in report
    assert "accuracy  hamming_distance" in report
    tables = json.loads(run(here, "aggregate", "--target=out", "--json"))["tables"]
    (row, *_) = tables["stage1_evaluate"]
    assert {"context.stage1_evaluate.uuid", "resolved_params.stage1_evaluate.workers"} <= set(row)


def test_only_imports_are_changed():
    source = (Path(SPEC.origin).with_name("demo") / "demodata.py").read_text()
    pairs = zip(source.splitlines(), ported(source).splitlines(), strict=True)
    changed = [(old, new) for old, new in pairs if old != new]
    assert all(re.search(r"\bimport\b", old) for old, _ in changed)
    assert (
        "from kwdagger.pipeline import Pipeline, ProcessNode",
        "from kwdag.pipeline import Pipeline, ProcessNode",
    ) in changed


YAML_PIPELINE = """\
__doc__: A pipeline as kwdagger's manual writes it.
nodes:
  predict:
    executable: bash predict.sh
    in_paths: [src_fpath]
    out_paths: {dst_fpath: predictions.json}
    primary_out_key: dst_fpath
    algo_params: {keyword: great}
    perf_params: {workers: 0}
    group: first
    slurm_options: {partition: main}
    setup: echo prepare
    teardown: [echo clean, echo up]
  evaluate:
    command: bash evaluate.sh
    in_paths: {true_fpath: null, pred_fpath: null}
    out_paths: {out_fpath: metrics.json}
    metrics:
      - {metric: accuracy, objective: maximize, primary: true, display: true, aggregator: mean}
    vantage_points:
      - {metric1: metrics.evaluate.accuracy, metric2: metrics.evaluate.accuracy}
    result: {metrics: scores.all}
  collect:
    executable: bash collect.sh
    in_paths: [scores]
    out_paths: {best: best.json}
    load_result: loaders.load_best
edges:
  - predict.dst_fpath -> evaluate.pred_fpath
  - predict.src_fpath -> evaluate.true_fpath
  - src: evaluate.out_fpath
    dst: collect.scores
    gather: {group_by: [predict.src_fpath], order_by: [predict.keyword]}
"""
VALUES = 'for word; do key=${word%%=*}; declare "${key#--}=${word#*=}"; done\n'
PROGRAMS = {
    "predict.sh": VALUES + 'echo "\\"$keyword\\"" > "$dst_fpath"',
    "evaluate.sh": VALUES + 'accuracy=0.$(wc -c < "$pred_fpath")\n'
    'echo "{\\"scores\\": {\\"all\\": {\\"accuracy\\": $accuracy}}}" > "$out_fpath"',
    "collect.sh": VALUES + 'echo "{\\"members\\": $(wc -l < "$scores")}" > "$best"',
    "loaders.py": "import json\ndef load_best(node, node_dpath):\n"
    "    best = json.loads((node_dpath / node.out_paths['best']).read_text())\n"
    "    return {f'metrics.{node.name}.members': best['members']}\n",
}  # fmt: skip


@pytest.fixture
def yaml_project(here):
    for name, text in ({"pipeline.yaml": YAML_PIPELINE} | PROGRAMS).items():
        (here / name).write_text(text)
    (here / "params.yaml").write_text(
        "pipeline: pipeline.yaml\nmatrix:\n"
        "  predict.src_fpath: [input_file1.txt, input_file2.txt]\n  predict.keyword: [great, better, best]\n"
    )
    return here


@pytest.mark.every_backend
def test_a_kwdagger_yaml_pipeline_runs_unchanged(yaml_project, backend):
    schedule = schedule_words("params.yaml", backend)
    assert "14 done of 14 jobs" in run(yaml_project, *schedule)
    tables = json.loads(run(yaml_project, "aggregate", "--target=out", "--json"))["tables"]
    assert [row["metrics.evaluate.accuracy"] for row in tables["evaluate"]] == [0.7, 0.7, 0.8, 0.8, 0.9, 0.9]
    assert [row["metrics.collect.members"] for row in tables["collect"]] == [3, 3]
    manifest = next(yaml_project.glob("out/collect/*/_gather/scores.txt")).read_text().splitlines()
    configs = [json.loads((Path(path).parent / "job_config.json").read_text()) for path in manifest]
    assert [config["predict.keyword"] for config in configs] == ["best", "better", "great"]


def test_kwdagger_reads_the_same_yaml(yaml_project):
    program = (
        "import yaml; from kwdagger.yaml_pipeline import load_yaml_pipeline as load;"
        "print(sorted(load(yaml.safe_load(open('pipeline.yaml'))).node_dict))"
    )
    argv = [sys.executable, "-c", program]
    found = subprocess.run(argv, cwd=yaml_project, capture_output=True, text=True, check=True)
    assert found.stdout == "['collect', 'evaluate', 'predict']\n"


def test_the_two_helpers_of_kwdaggers_modules():
    from kwdag.kwdagger_compat import DotDict, new_process_context_parser, util_dotdict

    item = {
        "type": "process",
        "properties": {"name": "predict", "config": {"a": {"b": 1}}, "machine": {"host": "h"}, "duration": 2},
    }
    nested = new_process_context_parser(item)
    nested["metrics"] = {"acc": 1}
    flat = util_dotdict.DotDict.from_nested(nested).insert_prefix("predict", index=1)
    assert isinstance(flat, DotDict)
    assert flat["metrics.predict.acc"] == 1
    assert flat["resolved_params.predict.a.b"] == 1
    assert flat["machine.predict.host"] == "h"
