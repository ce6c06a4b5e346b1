"""The whole way, from a matrix to job directories, through the Python API."""

from __future__ import annotations

import json

import pytest

import kwdag
from kwdag.errors import KwdagError, MatrixError, PlanError, RootError

MATRIX = {"a.src": "in.txt", "a.x": [1, 2], "b.y": [1, 2]}


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_dry_run_changes_nothing(chain):
    before = files(chain.folder)
    found = chain.schedule(MATRIX, run=False)
    assert not found.ran and not found.complete and found.ended == ()
    assert len(found.outlook.selection.run) == 6 and files(chain.folder) == before


def test_a_dry_run_below_a_root_that_exists_changes_nothing(chain):
    chain.schedule({**MATRIX, "a.x": 1})
    before = {name: (chain.root / name).lstat() for name in files(chain.root)}
    found = chain.schedule(MATRIX, run=False).outlook.selection
    assert len(found.done) == 3 and len(found.run) == 3
    assert {name: (chain.root / name).lstat() for name in files(chain.root)} == before


@pytest.mark.every_backend
def test_a_run_makes_the_tree_of_the_design(chain):
    found = chain.schedule(MATRIX)
    assert found.complete and found.counts == {"done": 6}
    assert sorted(path.name for path in chain.root.iterdir()) == ["_kwdag", "a", "b"]
    for job in found.outlook.plan.jobs.values():
        names = {path.name for path in (chain.root / job.node.name / job.id).iterdir()}
        assert {"invoke.sh", "job_config.json", "job_status.json", "job.log", f"{job.node.name}.txt"} <= names
    config = json.loads(
        (chain.job_of(chain.schedule({"a.src": "in.txt"}), "b") / "job_config.json").read_text()
    )
    assert config == {"a.src": f"{chain.folder}/in.txt", "a.x": 1, "b.y": 1}


def test_the_results_are_those_of_the_parameters(chain):
    chain.schedule(MATRIX)
    found = sorted(path.read_text().split() for path in chain.root.glob("b/*/b.txt"))
    assert found == [["one", x, y] for x in "12" for y in "12"]


def test_max_configs_takes_the_first_rows(chain):
    assert chain.schedule(MATRIX, max_configs=1).counts == {"done": 2}


def test_slurm_options_of_the_params_are_the_least_specific(chain):
    chain.spec["nodes"]["b"]["slurm_options"] = {"mem": "2G"}
    params = {"matrix": MATRIX, "slurm_options": {"mem": "1G", "time": "1h"}}
    plan = chain.schedule(params, run=False).outlook.plan
    found = {plan.jobs[job].node.name: options for job, options in plan.slurm_options.items()}
    assert found == {"a": {"mem": "1G", "time": "1h"}, "b": {"mem": "2G", "time": "1h"}}


def test_the_pipeline_may_stand_in_the_params(chain, monkeypatch):
    monkeypatch.chdir(chain.folder)
    params = {"pipeline": chain.spec, "matrix": MATRIX}
    assert kwdag.schedule(params, root_dpath="root", run=True).complete


def test_the_root_is_the_same_by_every_name(chain, monkeypatch):
    chain.schedule(MATRIX)
    chain.ran()
    monkeypatch.setenv("HOME", str(chain.folder))
    for root in ("root", "./root/", "~/root", chain.root):
        assert chain.schedule(MATRIX, root_dpath=root).ended == ()


@pytest.mark.every_backend
def test_disabled_and_skipped_jobs_are_counted(chain):
    off = chain.schedule({**MATRIX, "b.__enabled__": 0})
    assert off.counts == {"done": 2} and off.complete and len(off.outlook.selection.disabled) == 4
    gone = chain.schedule({"b.src": "in.txt", "a.__enabled__": 0})
    assert gone.complete and gone.outlook.plan.skipped == {"a": 1}


def test_what_is_behind_a_disabled_job_keeps_a_run_from_being_complete(chain):
    found = chain.schedule({**MATRIX, "a.__enabled__": 0})
    assert not found.complete and len(found.outlook.selection.blocked) == 4


BAD = [
    # matrix, options, error, words
    ({**MATRIX, "a.src": "im.txt"}, {}, PlanError, r"which does not exist; did you mean '.*in\.txt'"),
    ({**MATRIX, "c.x": 1}, {}, PlanError, "no node"),
    ({**MATRIX, "a.y": 1}, {}, PlanError, "no parameter 'y' in node 'a'"),
    ({"a.x": 1}, {}, PlanError, r"a\.src.*neither given nor connected"),
    (MATRIX, {"max_rows": 3}, MatrixError, "4 rows, more than 3"),
    (MATRIX, {"stale": "maybe"}, KwdagError, "maybe"),
    (MATRIX, {"backend": "foo"}, KwdagError, "foo"),
    (MATRIX, {"root_dpath": "in.txt"}, RootError, "is a file"),
    (MATRIX, {"root_dpath": "in.txt/below"}, RootError, "is a file"),
]


@pytest.mark.parametrize(("matrix", "options", "error", "words"), BAD)
def test_bad_input_is_refused_before_anything_is_written(chain, matrix, options, error, words):
    before = files(chain.folder)
    with pytest.raises(error, match=words):
        chain.schedule(matrix, **options)
    assert files(chain.folder) == before


def test_an_input_that_is_missing_matters_only_to_jobs_that_run(chain):
    chain.schedule(MATRIX)
    (chain.folder / "in.txt").unlink()
    assert chain.schedule(MATRIX, stale="keep").complete
    with pytest.raises(PlanError, match="does not exist"):
        chain.schedule(MATRIX)


@pytest.mark.every_backend
def test_the_announcement_comes_before_anything_runs_and_hears_all(chain):
    from contextlib import nullcontext

    heard = []

    class Listener:
        def started(self, job):
            heard.append(("started", job.node.name))

        def ended(self, event):
            heard.append((event.state, event.job.node.name))

        def waiting(self, jobs):
            pass

        def note(self, lines):
            pass

        def heard(self, event):
            pass

    def announce(schedule):
        heard.append(len(schedule.outlook.selection.run))
        return nullcontext(Listener())

    chain.node("b", "exit 1", ins=["src"]).node("c", ins=["src"]).edge("b.dst -> c.src")
    chain.schedule({"a.src": "in.txt"}, announce=announce)
    assert heard == [
        3, ("started", "a"), ("done", "a"), ("started", "b"), ("failed", "b"), ("blocked", "c"),
    ]  # fmt: skip
