from __future__ import annotations

import sys

import pytest

from kwdag import Pipeline, ProcessNode
from kwdag.errors import PipelineError
from kwdag.pipeline_ref import load_pipeline

CODE = """\
from beside import NAME
from kwdag import Pipeline, ProcessNode

def make(name=NAME, count=1, **more):
    return Pipeline([ProcessNode(name=f"{name}{i}", executable="true") for i in range(count)])

ready = make("ready")
"""
YAML = "__doc__: d\nnodes: {a: {executable: 'true'}}\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "beside.py").write_text("NAME = 'n'\n")
    (tmp_path / "lib" / "my_dags_of_this_test.py").write_text(CODE)
    (tmp_path / "pipe.yaml").write_text(YAML)
    (tmp_path / "pipe.json").write_text('{"nodes": {"j": {"executable": "true"}}}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield tmp_path
    for name in ("beside", "my_dags_of_this_test", "lib", "lib.my_dags_of_this_test"):
        sys.modules.pop(name, None)


FILE = "lib/my_dags_of_this_test.py"
NAMED = {
    "pipelines.demo.my_demo_pipeline()": ["stage1_predict", "stage1_evaluate"],
    "pipelines.demo.my_demo_pipeline": ["stage1_predict", "stage1_evaluate"],
    f"{FILE}::make()": ["n0"],
    f"{FILE}::make": ["n0"],
    f" {FILE}::make('x', count=2) ": ["x0", "x1"],
    f"{FILE}::make(name='a.b', options={{'c': [1, None]}})": ["a.b0"],
    f"{FILE}::ready": ["ready0"],
    "pipe.yaml": ["a"],
    "pipe.json": ["j"],
    YAML: ["a"],
    "{nodes: {b: {executable: x}}}": ["b"],
}


@pytest.mark.parametrize(("ref", "names"), NAMED.items(), ids=map(str.strip, NAMED))
def test_ways_of_naming_a_pipeline(here, ref, names):
    assert list(load_pipeline(ref).nodes) == names


def test_a_module_below_the_current_folder(here):
    (here / "lib" / "my_dags_of_this_test.py").write_text(CODE.replace("from beside", "from lib.beside"))
    assert list(load_pipeline("lib.my_dags_of_this_test.make()").nodes) == ["n0"]


def test_a_mapping_a_path_and_a_pipeline(here):
    pipeline = Pipeline([ProcessNode(name="p", executable="true")])
    assert load_pipeline(pipeline) is pipeline
    assert list(load_pipeline({"nodes": {"m": {"executable": "x"}}}).nodes) == ["m"]
    assert list(load_pipeline(here / "pipe.yaml").nodes) == ["a"]


def test_nothing_is_evaluated(here):
    with pytest.raises(PipelineError, match="it cannot be read as"):
        load_pipeline(f"{FILE}::make(__import__('os').getcwd())")


@pytest.mark.parametrize("ref", [3, "", None, ["a"]])
def test_what_is_no_name_at_all(ref):
    with pytest.raises(PipelineError, match=r"^pipeline: a pipeline is named as package\.module"):
        load_pipeline(ref)
