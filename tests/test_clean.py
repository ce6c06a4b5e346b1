"""Deleting jobs: only those that were meant, never one that runs, and no link is left dangling."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from kwdag import claims, clean, jobdir
from kwdag.explain import planned


def chosen(lab, **wish):
    return {job.job_id: job.why for job in clean.choose(str(lab.root), clean.Wish(**wish))}


def outlook(lab, matrix):
    path = lab.folder / "pipe.yaml"
    path.write_text(yaml.safe_dump(lab.spec))
    return planned({"matrix": matrix}, str(lab.root), str(path))


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def dangling(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_symlink() and not path.exists()]


def test_failed_and_cut_off_jobs(chain):
    chain.node("b", "exit {y}", ins=["src"], algo_params=["y"], outs={})
    chain.schedule({"a.src": "in.txt", "b.y": [0, 3]})
    assert list(chosen(chain, failed=True).values()) == ["failed: exit code 3"]
    (chain.job("a") / "job_status.json").unlink()
    assert chosen(chain, failed=True)[chain.job("a").name] == "interrupted"


def test_stale_jobs_by_their_directories_and_by_a_plan(chain):
    matrix = {"a.src": chain.file("in.txt", "one\n")}
    chain.schedule(matrix)
    assert chosen(chain, stale=True) == {}
    chain.spec["nodes"]["b"]["command_template"] += "; true"
    assert chosen(chain, stale=True) == {}
    found = chosen(chain, stale=True, outlooks=[outlook(chain, matrix)])
    assert found == {chain.job("b").name: "stale: its command has changed"}
    chain.file("in.txt", "two\n")
    assert list(chosen(chain, stale=True)) == [chain.job("a").name]


def test_unwanted_is_what_none_of_the_params_asks_for(chain):
    path = chain.file("in.txt", "one\n")
    chain.schedule({"a.src": path, "b.y": [1, 2, 3]})
    looks = [outlook(chain, {"a.src": path, "b.y": y}) for y in (1, 2)]
    found = chosen(chain, unwanted=True, outlooks=looks)
    assert list(found.values()) == ["unwanted"]
    clean.delete(str(chain.root), clean.choose(str(chain.root), clean.Wish(unwanted=True, outlooks=looks)))
    assert chain.schedule({"a.src": path, "b.y": [1, 2]}).ended == ()


def test_jobs_of_branches_that_are_not_known_yet_are_kept(lab):
    lab.scatter("tiles", """echo '[{{"key": "x"}}]'""")
    lab.node("use", ins=["src"]).edge("tiles.items -> use.src")
    lab.schedule({})
    (lab.job("tiles") / "job_status.json").unlink()
    look = outlook(lab, {"tiles.__enabled__": 1})
    assert clean.undecided([look]) == ["use"]
    assert chosen(lab, unwanted=True, outlooks=[look]) == {}


def test_deleting_leaves_nothing_behind(chain):
    chain.schedule({"a.src": "in.txt"})
    doomed = [job for job in clean.choose(str(chain.root), clean.Wish(unwanted=True)) if job.node == "b"]
    assert clean.delete(str(chain.root), doomed) == {}
    assert names(chain.root / "b") == []
    assert sorted(names(chain.root / "_kwdag")) == ["asked.jsonl", "pipeline.json"]
    assert dangling(chain.root) == [] and not (chain.job("a") / ".succ").exists()
    doomed = clean.choose(str(chain.root), clean.Wish(unwanted=True))
    clean.delete(str(chain.root), doomed)
    assert names(chain.root / "a") == []


def test_an_upstream_job_goes_without_the_links_to_it(chain):
    chain.schedule({"a.src": "in.txt"})
    doomed = [job for job in clean.choose(str(chain.root), clean.Wish(unwanted=True)) if job.node == "a"]
    clean.delete(str(chain.root), doomed)
    assert dangling(chain.root) == []


@pytest.mark.parametrize("when", ["before", "since"])
def test_a_job_that_runs_is_kept(chain, when):
    chain.schedule({"a.src": "in.txt"})
    dpath = chain.job("b")
    doomed = clean.choose(str(chain.root), clean.Wish(unwanted=True))
    (dpath / "job_status.json").unlink()
    claim = claims.acquire(str(dpath), claims.latest_attempt(str(dpath)))
    assert isinstance(claim, claims.Claim)
    if when == "before":
        assert [job.node for job in clean.choose(str(chain.root), clean.Wish(unwanted=True))] == ["a"]
    else:
        kept = clean.delete(str(chain.root), doomed)
        assert list(kept) == [dpath.name] and f"process {os.getpid()}" in kept[dpath.name]
        assert dpath.is_dir() and names(chain.root / "a") == []
    claim.release()


def test_what_a_kill_left_half_deleted_is_no_job_and_goes_next_time(chain):
    chain.schedule({"a.src": "in.txt"})
    trash = chain.root / jobdir.RUN_DPATH / clean.TRASH
    (trash / f"{chain.job('b').name}.1").mkdir(parents=True)
    clean.delete(str(chain.root), [])
    assert not trash.exists() and chain.job("b").is_dir()
