"""Jobs of bash: what fails, what it takes with it, and what is left behind."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from kwdag.processes import is_alive


def status_of(job):
    return json.loads((job / "job_status.json").read_text())


def test_jobs_run_in_the_order_of_the_rows_chains_first(lab):
    lab.node("a", "echo a{x} >> log; echo > {dst}", algo_params=["x"])
    lab.node("b", "echo b{x} >> log; echo > {dst}", ins=["src"], algo_params=["x"])
    lab.edge("a.dst -> b.src", "a.x -> b.x").schedule({"a.x": [1, 2, 3]})
    assert (lab.folder / "log").read_text().split() == ["a1", "b1", "a2", "b2", "a3", "b3"]


def test_a_status_says_how_it_went(chain):
    chain.schedule({"a.src": "in.txt"})
    a, b = status_of(chain.job("a")), status_of(chain.job("b"))
    assert (a["state"], a["exit_code"], a["attempt"], a["backend"]) == ("done", 0, 1, "serial")
    assert a["start"] <= a["stop"] <= b["stop"] and a["wall"] >= 0 and a["max_rss"] > 0 and "cpu" in a
    assert list(a["inputs"]) == [f"{chain.folder}/in.txt"] and a["outputs"]["dst"][0] == len("one\n1\n")
    assert b["upstream"] == {chain.job("a").name: a["run"]}


REASONS = [
    ("exit 7", "exit code 7"),
    ("true", "invalid result: output 'dst' (a.txt) is missing"),
    ("kill -SEGV $$", "killed by SIGSEGV"),
    ("nosuchprogram", "exit code 127"),
]


@pytest.mark.parametrize(("body", "reason"), REASONS)
def test_why_a_job_failed(lab, body, reason):
    lab.node("a", body)
    (event,) = lab.schedule({}).ended
    assert (event.state, event.reason) == ("failed", reason)
    assert status_of(lab.job("a"))["reason"] == reason


@pytest.mark.every_backend
def test_a_job_that_takes_too_long_is_ended_with_all_its_processes(lab):
    lab.node("a", f"sleep 600 & echo $! > {lab.folder}/pid; wait", resources={"time": 0.2})
    start = time.monotonic()
    (event,) = lab.schedule({}, resource_retries=0).ended
    assert event.reason == "timeout after 0.2 s" and time.monotonic() - start < 300
    child = int((lab.folder / "pid").read_text())
    # Its parent is gone: whoever adopts it may take a moment to notice its end.
    deadline = time.monotonic() + 60
    while is_alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_a_job_says_goes_to_its_log(lab):
    lab.node("a", "echo out; echo err >&2; echo > {dst}").schedule({})
    assert sorted((lab.job("a") / "job.log").read_text().split()) == ["err", "out"]


def test_without_log_it_goes_where_the_scheduler_writes(lab, capfd):
    lab.node("a", "echo out; echo err >&2; echo > {dst}").schedule({}, log=False)
    assert capfd.readouterr() == ("out\n", "err\n") and not (lab.job("a") / "job.log").exists()


@pytest.mark.every_backend
def test_a_job_gets_nothing_on_its_standard_input(lab):
    lab.node("a", "cat > {dst}").schedule({})
    assert (lab.job("a") / "a.txt").read_text() == ""


@pytest.mark.every_backend
def test_the_callers_environment_reaches_the_jobs_and_no_file(lab, monkeypatch):
    monkeypatch.setenv("MY_SECRET", "s3cr3t-value")
    lab.node("a", '[ "$MY_SECRET" = s3cr3t-value ] && echo > {dst}')
    assert lab.schedule({}).complete
    found = subprocess.run(["grep", "-r", "s3cr3t-value", lab.root / "a"], capture_output=True, text=True)
    assert [line for line in found.stdout.splitlines() if "invoke.sh" not in line] == []


@pytest.mark.parametrize("limit", [1, 2])
def test_max_failures_stops_the_run_for_good(lab, limit):
    lab.node("a", "[ {x} -gt 3 ] && echo > {dst}", algo_params=["x"])
    matrix = {"a.x": [1, 2, 3, 4]}
    assert lab.schedule(matrix, max_failures=limit).counts == {"failed": limit}
    assert lab.schedule(matrix).counts == {"failed": 3, "done": 1}


def test_max_failures_counts_over_the_rounds_of_a_scatter(lab):
    lab.scatter("s", 'echo \'[{{"key": "1"}}, {{"key": "2"}}]\'')
    lab.node("f", "exit 1").node("p", "exit 1", ins=["item"]).edge("s.items -> p.item")
    assert lab.schedule({}, max_failures=2).counts == {"done": 1, "failed": 2}


@pytest.mark.every_backend
def test_links_are_relative_and_none_dangles(chain):
    chain.schedule({"a.src": "in.txt", "a.x": [1, 2], "b.y": [1, 2]})
    links = [path for path in chain.root.rglob("*") if path.is_symlink()]
    assert len(links) == 8
    for link in links:
        assert not link.readlink().is_absolute() and (link / "job_config.json").exists()
        back = ".succ" if link.parent.parent.name == ".pred" else ".pred"
        owner = link.parent.parent.parent
        assert (link / back / owner.parent.name / owner.name).resolve() == owner


def test_links_of_blocked_and_failed_jobs_do_not_dangle(chain):
    chain.node("a", "exit 1", ins=["src"])
    chain.schedule({"a.src": "in.txt"})
    assert [path for path in chain.root.rglob("*") if path.is_symlink() and not path.exists()] == []


def test_without_links(chain):
    chain.schedule({"a.src": "in.txt"}, enable_links=False)
    assert not [path for path in chain.root.rglob("*") if path.is_symlink()]


def test_the_folders_of_nested_outputs_exist_for_the_program(lab):
    lab.node("a", "mkdir -p $(dirname {dst}) && echo > {dst}", outs={"dst": "deep/er/a.txt"})
    assert lab.schedule({}).complete


@pytest.mark.every_backend
def test_an_output_that_is_the_job_directory_itself(lab):
    lab.node("a", "echo 1 > {all}/one; echo 2 > {all}/two", outs={"all": "."})
    lab.node("b", "cat {src}/one {src}/two > {dst}", ins=["src"]).edge("a.all -> b.src")
    assert lab.schedule({}).complete
    assert (lab.job("b") / "b.txt").read_text() == "1\n2\n"
    assert lab.schedule({}, cache=False).complete


@pytest.mark.every_backend
def test_a_diamond(lab):
    lab.node("a").node("b", "cat {src} > {dst}", ins=["src"]).node("c", "cat {src} > {dst}", ins=["src"])
    lab.node("d", "cat {p} {q} > {dst}", ins=["p", "q"])
    lab.edge("a.dst -> b.src", "a.dst -> c.src", "b.dst -> d.p", "c.dst -> d.q")
    assert lab.schedule({}).complete and lab.ran() == ["a", "b", "c", "d"]
    lab.node("b", "exit 1", ins=["src"])
    assert lab.schedule({}).counts == {"failed": 1, "blocked": 1}


def test_two_schedulers_on_one_root_run_each_job_once(lab):
    import threading

    lab.node("a", "sleep 0.02; echo > {dst}", algo_params=["x"])
    lab.schedule({"a.x": 0})
    lab.ran()
    script = lab.folder / "go.py"
    script.write_text(
        "import json, sys, kwdag\n"
        "spec, matrix = json.loads(sys.argv[1])\n"
        "assert kwdag.schedule(matrix, pipeline=spec, root_dpath='root', run=True).complete\n"
    )
    words = json.dumps([lab.spec, {"a.x": list(range(20))}])
    codes = []

    def go():
        codes.append(subprocess.run(["python", script, words], cwd=lab.folder).returncode)

    threads = [threading.Thread(target=go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0, 0, 0] and lab.ran() == ["a"] * 19


PLAIN = """#!/bin/bash
printf '%s\\n' "$0" "$#" "$@" "$KWDAG_JOB" "$PWD" > "$(printf '%s' "${1#--dst=}")"
[ "$2" != --x=kill ] || kill -9 $$
"""


@pytest.mark.every_backend
def test_a_plain_program_is_started_without_a_shell_and_by_hand_through_one(lab):
    program = lab.file("program", PLAIN)
    Path(program).chmod(0o755)
    lab.spec["nodes"]["a"] = {"executable": program, "out_paths": {"dst": "a.txt"}, "algo_params": ["x"]}
    text = "it's $(a) `b`\n -c"
    lab.schedule({"a.x": [text]})
    found = (lab.job("a") / "a.txt").read_text()
    assert f"--x={text}\n" in found and f"\n{lab.folder}\n" in found
    subprocess.run(["bash", str(lab.job("a") / "invoke.sh")], check=True, cwd="/")
    assert (lab.job("a") / "a.txt").read_text() == found


@pytest.mark.parametrize(
    ("program", "reason"), [("no-such-program-anywhere", "exit code 127"), ("program", "killed by SIGKILL")]
)
def test_a_plain_program_that_cannot_start_or_is_killed(lab, program, reason):
    path = lab.file("program", PLAIN)
    Path(path).chmod(0o755)
    executable = path if program == "program" else program
    lab.spec["nodes"]["a"] = {"executable": executable, "out_paths": {"dst": "a.txt"}, "algo_params": ["x"]}
    (event,) = lab.schedule({"a.x": ["kill"]}).ended
    assert (event.state, event.reason) == ("failed", reason)
