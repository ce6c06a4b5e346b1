"""Definitions carried out: what they leave in S3 is what `kwdag schedule` leaves below a root."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from kwdag import script
from kwdag.errors import PlanError, RootError
from kwdag.export import sagemaker
from tests.export.conftest import step_of

ODD = ["it's", '"${HOME}" $(date) `id`', "two\nlines \\\n\\n", "ünïcode \u2028 \t %b", "", "${!x} ${x"]


def results(folder):
    """The outputs and manifests of all jobs, by path below the root."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (path.suffix == ".out" or path.parent.name == "_gather")
    }


@pytest.fixture
def same(lab, service, export):
    """Run a matrix here and by the service, and compare all that the jobs left."""

    def check(matrix, jobs):
        lab.schedule(matrix)
        here = results(lab.root)
        shutil.rmtree(lab.root)
        _, definition, uploads = export(matrix)
        service.upload(uploads)
        service.run(definition, uploads)
        assert results(service.s3) == here
        assert len(definition["Steps"]) == jobs
        return definition

    return check


def node(lab, name, body, **fields):
    return lab.node(name, body, outs={"dst": f"{name}.out"}, **fields)


def test_a_chain_gives_the_same_bytes(lab, same):
    sources = [lab.file("in a.txt", "one\n"), lab.file("data/b/in.txt", "two\n")]
    node(lab, "a", "cat {src} > {dst}; printf %s {x} >> {dst}", ins=["src"], algo_params={"x": 1})
    node(lab, "b", "cat {src} {truth} > {dst}; echo $KWDAG_JOB >> {dst}", ins=["src", "truth"])
    lab.edge("a.dst -> b.src", "a.src -> b.truth")
    same({"a.src": sources, "a.x": ODD}, jobs=2 * 6 * 2)


def test_an_input_folder_and_a_file_in_it(lab, same):
    inner = lab.file("data/one.txt", "one\n")
    folder = inner.rpartition("/")[0]
    node(lab, "a", "cat {all}/one.txt {one} > {dst}", ins=["all", "one"])
    lab.folder.joinpath("copy.txt").write_text("one\n")
    same({"a.all": folder, "a.one": str(lab.folder / "copy.txt")}, jobs=1)


def test_a_gather_of_more_jobs_than_a_step_may_have_inputs(lab, same):
    node(lab, "a", "printf %s {x} > {dst}", algo_params=["x"])
    node(lab, "other", "echo other > {dst}")
    node(lab, "all", "xargs cat < {parts} > {dst}; cat {one} >> {dst}", ins=["parts", "one"])
    lab.gather("a.dst", "all.parts").edge("other.dst -> all.one")
    definition = same({"a.x": list(range(12))}, jobs=12 + 1 + 1)
    names = [one["InputName"] for one in step_of(definition, "all")["Arguments"]["ProcessingInputs"]]
    assert names[0] == "a" and names[1].startswith("other.other_id_")


def test_results_from_the_service_are_adopted(lab, service, export):
    matrix = {"a.src": lab.file("in.txt"), "a.x": [1, 2]}
    node(lab, "a", "cat {src} > {dst}; echo {x} >> {dst}", ins=["src"], algo_params=["x"])
    node(lab, "b", "cat {src} > {dst}", ins=["src"]).edge("a.dst -> b.src")
    _, definition, uploads = export(matrix)
    service.upload(uploads)
    service.run(definition, uploads)
    lab.file("in.txt")
    assert lab.ran() == ["a", "a", "b", "b"]
    shutil.copytree(service.s3, lab.root)
    found = lab.schedule(matrix, adopt=True)
    assert (len(found.adopted), found.complete, lab.ran()) == (4, True, [])


@pytest.mark.parametrize("value", ODD)
def test_the_command_is_that_of_invoke_sh(lab, export, value):
    lab.file("in.txt")
    lab.spec["nodes"]["p"] = {
        "executable": "python -m prog", "in_paths": ["src"], "algo_params": ["x"],
        "setup": ["module load it"], "teardown": ["rm -f tmp"],
    }  # fmt: skip
    planned, definition, _ = export({"p.src": "in.txt", "p.x": value})
    pieces = step_of(definition, "p")["Arguments"]["AppSpecification"]["ContainerArguments"]
    words = ["bash", "-c", 'printf %b "$@"', "bash", *pieces]
    joined = subprocess.run(words, capture_output=True, check=True).stdout.decode()
    assert joined.endswith("|| exit\n" + script.body(planned.plan, planned.jobs[0]))


def test_time_and_gpus_of_a_node(lab, export):
    lab.node("a", resources={"time": "90m", "gpus": 1}).node("b", resources={"time": "20d"}).node("c")
    _, definition, _ = export({"a.__enabled__": 1})
    arguments = {name: step_of(definition, name)["Arguments"] for name in "abc"}
    machines = {n: a["ProcessingResources"]["ClusterConfig"]["InstanceType"] for n, a in arguments.items()}
    assert machines["a"] == {"Get": "Parameters.GpuInstanceType"}
    assert machines["b"] == machines["c"] == {"Get": "Parameters.InstanceType"}
    assert arguments["a"]["StoppingCondition"] == {"MaxRuntimeInSeconds": 5400}
    assert arguments["b"]["StoppingCondition"] == {"MaxRuntimeInSeconds": 777_600}
    assert "StoppingCondition" not in arguments["c"]
    assert "GpuInstanceType" in [one["Name"] for one in definition["Parameters"]]


@pytest.mark.parametrize("name", ["a", "trk.pxl_fit.data", "_a_", "n" * 70, "__", "a" * 49 + "_b_c"])
def test_step_names_are_names_of_processing_jobs(lab, export, name):
    lab.node(name, algo_params={"x": 1})
    _, definition, _ = export({f"{name}.x": [1, 2]})
    names = [step["Name"] for step in definition["Steps"]]
    assert len(set(names)) == 2
    assert all(len(one) <= 64 and re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", one) for one in names)


def test_disabled_jobs_are_left_out_and_nothing_may_read_from_them(chain, export):
    _, definition, _ = export({"a.src": "in.txt", "b.__enabled__": 0})
    assert [step["Name"].partition("-")[0] for step in definition["Steps"]] == ["a"]
    with pytest.raises(PlanError, match=r"b_id_\w+ cannot be exported: a_id_\w+ is disabled"):
        export({"a.src": "in.txt", "a.__enabled__": 0})
    with pytest.raises(PlanError, match="the params ask for no job"):
        export({"a.src": "in.txt", "a.__enabled__": 0, "b.__enabled__": 0})


def test_a_gather_goes_on_without_disabled_members(lab, same):
    node(lab, "a", "printf %s {x} > {dst}", algo_params=["x"])
    node(lab, "all", "xargs cat < {parts} > {dst}", ins=["parts"], partial_gather=True)
    lab.gather("a.dst", "all.parts")
    same({"matrix": {"a.x": [1, 2, 3]}, "include": [{"a.x": 2, "a.__enabled__": 0}]}, jobs=3)


def test_a_scatter_node_is_refused(lab, export):
    lab.scatter("split", "echo '[]'").node("b", algo_params=["x"])
    with pytest.raises(PlanError, match="node 'split' scatters: its branches are known only when it has run"):
        export({"b.x": 1})


def test_an_input_must_exist_unless_it_is_a_url(chain, export):
    with pytest.raises(PlanError, match=r"a\.src is '.*/no\.txt', which does not exist"):
        export({"a.src": "no.txt"})
    _, definition, uploads = export({"a.src": "s3://bucket/in.txt"})
    assert uploads == [] and step_of(definition, "a")["Arguments"]["ProcessingInputs"] == []


def test_what_lies_at_the_root_here_does_not_matter(chain, export):
    before = export({"a.src": "in.txt"})[1]
    chain.schedule({"a.src": "in.txt"})
    assert export({"a.src": "in.txt"})[1] == before


def test_a_job_that_reads_from_too_many_nodes(lab, export):
    for number in range(11):
        lab.node(f"n{number}").edge(f"n{number}.dst -> last.i{number}")
    lab.node("last", ins=[f"i{number}" for number in range(11)])
    with pytest.raises(PlanError, match=r"last_id_\w+ reads from more than 10 nodes"):
        export({"n0.__enabled__": 1})


def test_too_many_jobs_are_refused_at_once(lab, export):
    lab.node("a", algo_params=["x"])
    with pytest.raises(PlanError, match="1,001 jobs do not fit into the definition of one pipeline"):
        export({"a.x": list(range(1001))})


def test_a_path_that_is_too_long(lab, export):
    lab.node("n" * 120)
    with pytest.raises(PlanError, match="is longer than the 256 characters that SageMaker takes"):
        export({f"{'n' * 120}.__enabled__": 1})


@pytest.mark.parametrize("root", ["out", "/data/kwdag", "/opt/ml/processing", "/opt/ml/processing/../x", ""])
def test_a_root_that_sagemaker_does_not_know(root):
    with pytest.raises(RootError, match="is not below /opt/ml/processing"):
        sagemaker.checked_root(root)
    assert sagemaker.checked_root("/opt/ml/processing/a//b/") == "/opt/ml/processing/a/b"
