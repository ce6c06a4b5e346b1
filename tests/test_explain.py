"""Why a job is in its state: from the directories alone, and against a plan."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import yaml

from kwdag.explain import explain, planned
from kwdag.find_job import Found


@pytest.fixture
def why(chain):
    """Explain the one job of a node; with a matrix against the plan of that."""

    def ask(node, matrix=None):
        outlook = None if matrix is None else planned({"matrix": matrix}, str(chain.root), spec(chain))
        return explain(Found(str(chain.root), chain.job(node).name), outlook)

    return ask


def spec(lab) -> str:
    path = lab.folder / "pipe.yaml"
    path.write_text(yaml.safe_dump(lab.spec))
    return str(path)


def given(lab, **more):
    return {"a.src": lab.file("in.txt", "one\n"), **more}


def test_a_done_job(chain, why):
    chain.schedule(given(chain))
    found = why("b")
    assert (found.job.state, found.job.reason, found.troubles) == ("done", None, ())
    assert found.next == "takes its result as it is"
    assert [one.job_id for one in found.reads] == [chain.job("a").name]
    assert found.status["exit_code"] == 0


def test_a_changed_input_is_named_also_behind_an_ancestor(chain, why):
    chain.schedule(given(chain))
    path = chain.file("in.txt", "two\n")
    assert (why("a").job.state, why("a").job.reason) == ("stale", f"input {path} has changed")
    assert why("a").next == f"runs it: input {path} has changed"
    found = why("b")
    assert found.job.state == "done"
    assert [str(one) for one in found.troubles] == [f"{chain.job('a').name} stale: input {path} has changed"]
    assert found.next == f"runs it after {chain.job('a').name}, which is stale"


def test_an_input_that_is_gone(chain, why):
    chain.schedule(given(chain))
    (chain.folder / "in.txt").unlink()
    assert why("a").job.reason == f"input {chain.folder / 'in.txt'} is gone"


def test_an_ancestor_that_ran_again(chain, why):
    chain.schedule(given(chain))
    subprocess.run(["bash", str(chain.job("a") / "invoke.sh")], check=True, capture_output=True)
    assert why("b").job.reason == f"{chain.job('a').name} ran again"


def test_a_failed_job_tells_its_exit_code_and_its_last_words(chain, why):
    chain.node("a", "echo no luck; exit 3", ins=["src"])
    chain.schedule(given(chain))
    found = why("a")
    assert (found.job.state, found.job.reason, found.log) == ("failed", "exit code 3", ("no luck",))
    assert found.next == "runs it: exit code 3"


def test_a_job_behind_a_failed_one_is_blocked(chain, why):
    chain.schedule(given(chain))
    chain.node("a", "exit 3", ins=["src"], algo_params={"x": 1})
    (chain.job("b") / "job_status.json").unlink()
    chain.schedule(given(chain))
    found = why("b")
    assert (found.job.state, found.job.reason) == ("blocked", f"{chain.job('a').name} failed")
    assert found.next == f"runs it after {chain.job('a').name}, which is failed"


@pytest.mark.parametrize("how", ["gone", "other"])
def test_an_output_that_is_not_as_it_was(chain, why, how):
    chain.schedule(given(chain))
    output = chain.job("a") / "a.txt"
    output.unlink() if how == "gone" else output.write_text("tampered\n")
    found = why("a")
    assert found.job.state == "pending"
    assert (
        found.job.reason
        == f"output 'dst' (a.txt) is {'missing' if how == 'gone' else 'not as it was recorded'}"
    )


def test_an_ancestor_that_was_deleted(chain, why):
    chain.schedule(given(chain))
    name = chain.job("a").name
    shutil.rmtree(chain.job("a"))
    assert why("b").next == f"runs it after {name}, which is pending"


def test_against_a_plan_also_its_command_counts(chain, why):
    chain.schedule(given(chain))
    assert why("b", given(chain)).next == "takes its result as it is"
    chain.spec["nodes"]["b"]["command_template"] += "; true"
    found = why("b", given(chain))
    assert (found.job.state, found.job.reason) == ("stale", "its command has changed")
    assert found.next == "runs it: its command has changed"


def test_against_a_plan_that_does_not_ask_for_it(chain, why):
    chain.schedule(given(chain))
    assert why("b", given(chain, **{"b.y": 2})).next == "leaves it: the params do not ask for it"
    assert why("b", given(chain, **{"b.__enabled__": 0})).next == "takes its result as it is"


def test_a_planned_job_that_has_not_begun(chain):
    outlook = planned({"matrix": given(chain)}, str(chain.root), spec(chain))
    for job_id in outlook.plan.jobs:
        found = explain(Found(str(chain.root), job_id), outlook)
        assert (found.job.state, found.next) == ("pending", "runs it: not run yet")
    assert [one.state for one in found.reads] == ["pending"]
