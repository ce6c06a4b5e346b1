"""When a job is done, when it no longer is, and what is said about it: on real jobs of bash."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest

from kwdag.errors import PlanError

MATRIX = {"a.src": "in.txt", "a.x": [1, 2]}
ONE = {"a.src": "in.txt"}


@pytest.fixture
def done(chain):
    """The chain, run for one row."""
    assert chain.schedule(ONE).complete
    assert chain.ran() == ["a", "b"]
    return chain


def reasons(lab, matrix=ONE, **options):
    """Node -> what would become of its one job; ids in the reasons become node names."""
    plan = lab.schedule(matrix, run=False, **options).outlook.plan
    names = {job.id: job.node.name for job in plan.jobs.values()}
    found = {}
    for job, why in lab.look(matrix, **options).items():
        for job_id, name in names.items():
            why = why.replace(job_id, name)
        found[names[job]] = why
    return found


DONE = {"a": "done", "b": "done"}
AGAIN = "a runs again"


def age(path, seconds):
    """Set a file's time back."""
    when = time.time() - seconds
    os.utime(path, (when, when))


def status_of(job):
    return json.loads((job / "job_status.json").read_text())


# --- done


def test_a_job_is_done_once_and_stays_done(done):
    assert reasons(done) == DONE
    again = done.schedule(ONE)
    assert again.complete and again.ended == () and done.ran() == []


@pytest.mark.every_backend
def test_a_larger_grid_runs_only_what_is_new(done):
    assert done.schedule(MATRIX).complete
    assert done.ran() == ["a", "b"]


@pytest.mark.every_backend
def test_outputs_alone_never_count(chain):
    plan = chain.schedule(ONE, run=False).outlook.plan
    for job in plan.jobs.values():
        dpath = chain.root / job.node.name / job.id
        dpath.mkdir(parents=True)
        (dpath / job.node.out_paths["dst"]).write_text("half a file")
    assert reasons(chain) == {"a": "not run yet", "b": "not run yet"}
    chain.schedule(ONE)
    assert chain.ran() == ["a", "b"]
    assert (chain.job("a") / "a.txt").read_text() == "one\n1\n"
    assert (chain.job("a") / ".previous/a.txt").read_text() == "half a file"


def test_results_made_elsewhere_can_be_adopted(done):
    for name in "ab":
        (done.job(name) / "job_status.json").unlink()
    assert reasons(done)["a"] != "done"
    adopted = done.schedule(ONE, adopt=True)
    assert adopted.complete and len(adopted.adopted) == 2 and done.ran() == []
    assert reasons(done) == DONE


def test_what_breaks_the_contract_is_not_adopted(done):
    (done.job("a") / "job_status.json").unlink()
    (done.job("a") / "a.txt").unlink()
    done.schedule(ONE, adopt=True)
    assert "a" in done.ran()


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda path: path.unlink(), "output 'dst' (a.txt) is missing"),
        (lambda path: path.write_text("other"), "output 'dst' (a.txt) is not as it was recorded"),
        (lambda path: path.write_text("two\n1\n"), "output 'dst' (a.txt) is not as it was recorded"),
    ],
)
def test_an_output_that_is_gone_or_different_undoes_the_job(done, harm, reason):
    harm(done.job("a") / "a.txt")
    age_of = done.job("a") / "a.txt"
    if age_of.exists():
        age(age_of, 5)
    assert reasons(done) == {"a": reason, "b": AGAIN}
    assert done.schedule(ONE).complete and done.ran() == ["a", "b"]


def test_an_output_that_was_only_touched_stands(done):
    age(done.job("a") / "a.txt", 100)
    assert reasons(done) == DONE


def test_a_status_that_was_cut_never_counts(done):
    path = done.job("b") / "job_status.json"
    text = path.read_text()
    for size in range(0, len(text.rstrip()), 7):
        path.write_text(text[:size])
        assert reasons(done)["b"] != "done", size
    assert done.schedule(ONE).complete and done.ran() == ["b"]


@pytest.mark.every_backend
def test_a_job_killed_half_way_is_not_done(chain):
    chain.node("a", "echo half > {dst}; kill -9 $$", ins=["src"], algo_params={"x": 1})
    run = chain.schedule(ONE)
    assert run.counts == {"failed": 1, "blocked": 1}
    assert run.ended[0].reason == "killed by SIGKILL"
    assert reasons(chain) == {"a": "killed by SIGKILL", "b": "not run yet"}


# --- stale


@pytest.mark.every_backend
def test_an_input_with_other_content_makes_its_readers_stale(done):
    age(done.file("in.txt", "two\n"), 7)
    assert reasons(done) == {"a": f"input {done.folder}/in.txt has changed", "b": AGAIN}
    assert done.schedule(ONE).complete
    assert (done.job("b") / "b.txt").read_text() == "two\n1\n1\n"


def test_a_touched_input_changes_nothing(done):
    age(done.folder / "in.txt", 100)
    assert reasons(done) == DONE


def test_an_input_folder_counts_by_the_content_of_its_files(lab):
    lab.file("in/x/one", "1")
    lab.node("a", "cat {src}/x/* > {dst}", ins=["src"])
    assert lab.schedule({"a.src": "in"}).complete
    age(lab.folder / "in/x/one", 50)
    assert reasons(lab, {"a.src": "in"}) == {"a": "done"}
    lab.file("in/x/two", "2")
    assert reasons(lab, {"a.src": "in"}) == {"a": f"input {lab.folder}/in has changed"}


def test_each_input_of_a_list_is_watched(lab):
    lab.file("one"), lab.file("two")
    lab.node("a", "cat {src} > {dst}", ins=["src"])
    matrix = {"a.src": [["one", "two"]]}
    assert lab.schedule(matrix).complete
    lab.file("two", "other content")
    assert reasons(lab, matrix) == {"a": f"input {lab.folder}/two has changed"}


@pytest.mark.every_backend
def test_another_command_makes_a_job_stale(done):
    done.node("b", "cat {src} > {dst}; echo new {y} >> {dst}", ins=["src"], algo_params={"y": 1})
    assert reasons(done) == {"a": "done", "b": "its command has changed"}
    assert done.schedule(ONE).complete and done.ran() == ["b"]


def test_setup_and_volatile_values_are_part_of_the_command(done):
    done.spec["nodes"]["b"]["setup"] = ["export X=1"]
    assert reasons(done)["b"] == "its command has changed"


@pytest.mark.every_backend
def test_a_descendant_of_a_job_that_ran_again_is_stale(done):
    assert done.schedule({**ONE, "a.__enabled__": "redo", "b.__enabled__": 0}).ended
    assert reasons(done) == {"a": "done", "b": "a ran again"}
    done.ran()
    assert done.schedule(ONE).complete and done.ran() == ["b"]


def test_an_explicit_value_cuts_a_job_off_from_what_ran_again(done):
    done.file("mine.txt")
    matrix = {**ONE, "b.src": "mine.txt"}
    done.schedule(matrix)
    done.ran()
    done.schedule({**matrix, "a.__enabled__": "redo"})
    assert done.ran() == ["a"]


def test_what_to_do_about_stale_jobs(done):
    done.file("in.txt", "other content\n")
    assert reasons(done, stale="keep") == DONE
    with pytest.raises(PlanError, match="has changed"):
        done.schedule(ONE, stale="error")
    assert done.ran() == []
    assert done.schedule(ONE, stale="keep").complete and done.ran() == []
    assert done.schedule(ONE, stale="rerun").complete and done.ran() == ["a", "b"]


# --- asked to run again


def test_cache_off_runs_all_again(done):
    assert done.schedule(ONE, cache=False).complete and done.ran() == ["a", "b"]


def test_redo_of_one_node(done):
    assert done.schedule({**ONE, "b.__enabled__": "redo"}).complete and done.ran() == ["b"]
    assert done.schedule({**ONE, "a.__enabled__": "redo"}).complete and done.ran() == ["a", "b"]
    assert reasons(done) == DONE


def test_redo_of_one_row(done):
    done.schedule(MATRIX)
    done.ran()
    matrix = {"matrix": MATRIX, "include": [{"a.x": 2, "a.__enabled__": "redo"}]}
    assert done.schedule(matrix).complete and done.ran() == ["a", "b"]


@pytest.mark.every_backend
def test_old_outputs_are_set_aside_before_a_job_runs_again(done):
    done.node("a", "[ ! -e {dst} ] && cat {src} > {dst}; echo 1 >> {dst}", ins=["src"], algo_params={"x": 1})
    assert done.schedule(ONE).complete
    assert (done.job("a") / ".previous/a.txt").read_text() == "one\n1\n"


# --- the root moves


@pytest.mark.parametrize("copy", [False, True], ids=["mv", "cp -r"])
@pytest.mark.parametrize("name", ["other", "with space", "it's ünï", "r", "root2"])
def test_moving_the_root_keeps_all_done(done, copy, name):
    before = sorted(path.name for path in done.root.glob("*/*_id_*"))
    time.sleep(0.02)
    done.move_root(name, copy=copy)
    assert reasons(done) == DONE
    assert done.schedule(ONE).complete and done.ran() == []
    assert sorted(path.name for path in done.root.glob("*/*_id_*")) == before


@pytest.mark.parametrize("first", ["with space", "it's"])
def test_moving_the_root_away_from_a_name_that_needs_quotes(chain, first):
    chain.root = chain.folder / first
    chain.schedule(ONE)
    chain.move_root("plain")
    assert reasons(chain) == DONE


def test_a_root_whose_name_begins_another_path(chain):
    chain.root = chain.folder / "in"
    chain.schedule(ONE)  # reads `in.txt`, which begins with the root's path
    chain.move_root("elsewhere")
    assert reasons(chain) == DONE


def test_moving_a_root_that_holds_the_inputs(chain):
    chain.root.mkdir()
    shutil.move(chain.folder / "in.txt", chain.root / "in.txt")
    assert chain.schedule({"a.src": "root/in.txt"}).complete
    chain.move_root("other")
    matrix = {"a.src": "other/in.txt"}
    assert reasons(chain, matrix) == DONE
    (chain.root / "in.txt").write_text("other content")
    assert reasons(chain, matrix)["a"].endswith("in.txt has changed")


@pytest.mark.every_backend
def test_moving_the_root_of_a_gather(lab):
    lab.node("a", algo_params=["x"]).node("g", "cat {parts} > {dst}", ins=["parts"])
    lab.gather("a.dst", "g.parts")
    lab.schedule({"a.x": [1, 2]})
    lab.move_root("elsewhere")
    assert set(lab.look({"a.x": [1, 2]}).values()) == {"done"}


def test_the_same_root_from_another_folder(done, tmp_path):
    done.folder = tmp_path / "sub"
    done.folder.mkdir()
    assert reasons(done, {"a.src": "../in.txt"}) == DONE


# --- failed, blocked


@pytest.mark.every_backend
def test_a_failed_job_blocks_its_descendants_and_nothing_else(chain):
    chain.node("a", "[ {x} = 1 ] && cat {src} > {dst}", ins=["src"], algo_params={"x": 1})
    run = chain.schedule({**MATRIX, "b.y": [1, 2]})
    assert run.counts == {"done": 3, "failed": 1, "blocked": 2} and not run.complete
    assert chain.ran() == ["a", "a", "b", "b"]


@pytest.mark.every_backend
def test_the_same_command_resumes(chain):
    good = chain.spec["nodes"]["a"]["command_template"]
    chain.node("a", "[ -e {src}.ok ] && cat {src} > {dst}", ins=["src"], algo_params={"x": 1})
    assert chain.schedule(MATRIX).counts == {"failed": 2, "blocked": 2}
    assert good
    chain.file("in.txt.ok")
    chain.ran()
    assert chain.schedule(MATRIX).complete and chain.ran() == ["a", "a", "b", "b"]


def test_another_job_with_the_same_id_is_never_merged(done):
    from kwdag.errors import KwdagError

    path = done.job("a") / "job_status.json"
    path.write_text(json.dumps({**status_of(done.job("a")), "digest": "0" * 64}))
    with pytest.raises(KwdagError, match="another job has the same id"):
        done.look(ONE)
