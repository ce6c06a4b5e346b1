"""The bash of a job, and `invoke.sh`: it runs by hand, from anywhere, without kwdag."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from kwdag import script
from kwdag.node import ProcessNode
from kwdag.pipeline import Pipeline
from kwdag.resolve import build_plan


def body(lab, node="b", **row):
    plan = lab.plan([{"a.src": "in.txt", **row}])
    (job,) = plan.by_node()[node]
    return script.body(plan, job)


def test_outputs_inputs_and_parameters_in_the_order_of_the_declaration(lab):
    lab.spec["nodes"]["a"] = {
        "executable": "prog", "perf_params": {"w": 2}, "algo_params": {"x": 1, "no": None},
        "in_paths": ["src"], "out_paths": {"dst": "sub/a.txt"},
    }  # fmt: skip
    text = body(lab, "a")
    words = text.replace("\\\n", "").split()
    assert words[:2] == ["exec", "prog"] and words[2].endswith("/sub/a.txt")
    assert words[3:] == ["--src=/work/in.txt", "--x=1", "--w=2"]


def test_setup_gates_the_command_and_teardown_follows_in_any_case(lab):
    log = lab.folder / "log"
    setup, teardown = [f"echo setup >> {log}"], [f"echo teardown >> {log}"]
    lab.node("a", f"echo run >> {log}; exit 3", setup=setup, teardown=teardown)
    assert lab.schedule({}).ended[0].reason == "exit code 3"
    assert log.read_text().split() == ["setup", "run", "teardown"]
    log.unlink()
    lab.node("a", f"echo run >> {log}", setup=[*setup, "false"], teardown=teardown)
    assert lab.schedule({}).ended[0].reason == "exit code 1"
    assert log.read_text().split() == ["setup"]


def test_a_job_runs_in_the_folder_of_the_caller(lab):
    lab.node("a", "pwd > {dst}; echo $KWDAG_JOB >> {dst}")
    lab.schedule({})
    assert (lab.job("a") / "a.txt").read_text().split() == [str(lab.folder), lab.job("a").name]


class Own(ProcessNode):
    """A node that writes its command itself, as kwdagger's nodes do."""

    name = "own"
    executable = "unused"
    in_paths = ("src",)
    out_paths = {"dst": "own.txt"}  # noqa: RUF012
    algo_params = {"x": 1}  # noqa: RUF012
    perf_params = {"n": 2}  # noqa: RUF012

    def command(self):
        assert set(self.final_config) == {"src", "x", "n"} and self.final_algo_config == {"x": "5"}
        assert self.final_node_dpath.name.startswith("own_id_") and self.final_perf_config == {"n": "2"}
        return f"cat {self.final_in_paths['src']} {self.final_config['x']} > {self.final_out_paths['dst']}"


def test_a_node_may_write_its_own_command():
    plan = build_plan(Pipeline([Own()]).wiring(), [{"own.src": "s", "own.x": 5}], "/root", workdir="/work")
    (job,) = plan.jobs.values()
    assert script.body(plan, job) == f"cat /work/s 5 > /root/own/{job.id}/own.txt\n"


ROOTS = ["/r", "/tmp/plain", "/tmp/with space", "/tmp/it's", "/tmp/ünï", "/tmp/a'b c", "/work/in"]


def hashed(lab, root, **row):
    plan = lab.plan([{"a.src": "in.txt", "a.x": "a b", **row}], root=root)
    return [script.command_hash(plan, script.body(plan, job)) for job in plan.jobs.values()]


@pytest.mark.parametrize("root", ROOTS)
def test_the_hash_of_a_command_is_the_same_below_any_root(chain, root):
    chain._ran = "/tmp/ran"
    assert hashed(chain, root) == hashed(chain, "/tmp/other")


def test_the_hash_of_a_command_follows_its_text(chain):
    assert hashed(chain, "/r") != hashed(chain, "/r", **{"a.x": "a c"})


def test_inputs_below_the_root_do_not_change_the_hash(chain):
    one, two = (hashed(chain, root, **{"a.src": f"{root}/x y"}) for root in ("/r1", "/r 2"))
    assert one == two


# --- by hand


def run_by_hand(dpath, **options):
    return subprocess.run(["bash", str(dpath / "invoke.sh")], capture_output=True, text=True, **options)


def test_invoke_sh_runs_from_anywhere_and_its_result_is_taken_over(chain, tmp_path_factory):
    chain.schedule({"a.src": "in.txt"})
    a = chain.job("a")
    (a / "job_status.json").unlink()
    chain.ran()
    env = {"PATH": "/usr/bin:/bin"}
    assert run_by_hand(a, cwd=tmp_path_factory.mktemp("else"), env=env).returncode == 0
    assert chain.ran() == ["a"] and (a / ".previous/a.txt").exists()
    run = chain.schedule({"a.src": "in.txt"})
    assert run.complete and chain.ran() == ["b"]
    assert json.loads((a / "job_status.json").read_text())["state"] == "done"


def test_a_failure_by_hand_is_no_result(chain):
    chain.node("a", "exit 3", ins=["src"])
    chain.schedule({"a.src": "in.txt"})
    done = run_by_hand(chain.job("a"))
    assert done.returncode == 3
    assert chain.schedule({"a.src": "in.txt"}, run=False).outlook.selection.done == frozenset()


@pytest.mark.parametrize("name", ["plain", "with space", 'it\'s "ünï" $(x) `y`'])
def test_any_root_and_any_value_arrive_in_invoke_sh(lab, name):
    lab.root = lab.folder / name
    echo = f"{sys.executable} -S -c 'import json, sys; json.dump(sys.argv[1:], open(sys.argv[1], \"w\"))'"
    lab.node("a", f"{echo} {{dst}} {{x}}", algo_params=["x"])
    value = 'it\'s $(a) `b` "c"\n-d \\ \t*'
    assert lab.schedule({"a.x": value}).complete
    for again in (False, True):
        if again:
            assert run_by_hand(lab.job("a")).returncode == 0
        assert json.loads((lab.job("a") / "a.txt").read_text()) == [str(lab.job("a") / "a.txt"), value]


def test_a_job_moved_with_its_root_still_knows_inputs_below_it(chain):
    chain.root.mkdir()
    (chain.folder / "in.txt").rename(chain.root / "in.txt")
    chain.schedule({"a.src": "root/in.txt"})
    assert run_by_hand(chain.job("a")).returncode == 0
    status = json.loads((chain.job("a") / "job_status.json").read_text())
    assert list(status["inputs"]) == ["../../in.txt"]


def quick(dpath, **times):
    """Make the waits of `invoke.sh` short."""
    text = (dpath / "invoke.sh").read_text()
    for old, new in (
        ("read -rt 10 ", "read -rt 0.1 "),
        ("second < 60", f"second < {times.get('lease', 3)}"),
        ("    sleep 1\n", "    sleep 0.1\n"),
    ):
        assert old in text
        text = text.replace(old, new)
    (dpath / "invoke.sh").write_text(text)


def test_a_run_by_hand_shows_other_hosts_that_it_lives(lab):
    lab.node("a", "for i in {{1..20}}; do sleep 0.05; stat -c %.9Y $(dirname {dst})/.claim-*; done > {dst}")
    lab.schedule({})
    dpath = lab.job("a")
    quick(dpath)
    assert run_by_hand(dpath).returncode == 0
    pulses = (dpath / "a.txt").read_text().split()
    assert len(set(pulses)) > 3 and pulses == sorted(pulses)


@pytest.mark.parametrize(("beats", "code"), [(True, 75), (False, 0)])
def test_by_hand_a_live_claim_of_another_host_is_respected(lab, beats, code):
    lab.node("a").schedule({})
    dpath = lab.job("a")
    quick(dpath, lease=20 if beats else 3)
    lab.ran()
    (dpath / ".claim-1").unlink()
    (dpath / ".claim-2").write_text('{"host": "elsewhere/1", "pid": 1, "since": 1}')
    process = subprocess.Popen(["bash", str(dpath / "invoke.sh")], stderr=subprocess.PIPE, text=True)
    time.sleep(0.3)
    if beats:
        (dpath / ".claim-2").touch()
    said = process.communicate()[1]
    assert process.returncode == code and "another host" in said
    assert lab.ran() == ([] if beats else ["a"])
    assert (dpath / ".claim-3").exists() != beats


def test_by_hand_an_attempt_that_ended_on_another_host_is_not_waited_for(lab):
    lab.node("a").schedule({})
    dpath = lab.job("a")
    (dpath / ".claim-1").write_text('{"host": "elsewhere/1", "pid": 1, "since": 1}')
    found = run_by_hand(dpath)
    assert found.returncode == 0 and "another host" not in found.stderr
