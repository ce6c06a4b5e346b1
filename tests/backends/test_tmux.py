"""The tmux backend on a real tmux, on a server of the tests' own."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from kwdag import runs
from kwdag.errors import KwdagError

pytestmark = [
    pytest.mark.tmux,
    pytest.mark.xdist_group("tmux"),
    pytest.mark.usefixtures("tmux_server"),
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]


def tmux(*words: str) -> str:
    return subprocess.run(["tmux", *words], capture_output=True, text=True, check=False).stdout


def sessions() -> list[str]:
    return tmux("list-sessions", "-F", "#{session_name}").split()


def screen(session: str) -> str:
    return tmux("capture-pane", "-p", "-S", "-200", "-t", f"{session}:")


def wait_for(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def start(lab, matrix, *options: str, **env: str) -> subprocess.Popen:
    """`kwdag schedule` in a process of its own, as from a terminal."""
    (lab.folder / "params.yaml").write_text(yaml.safe_dump({"pipeline": lab.spec, "matrix": matrix}))
    words = [sys.executable, "-m", "kwdag", "schedule", "--params=params.yaml", f"--root_dpath={lab.root}"]
    words += ["--run=1", "--backend=tmux", "--tmux_workers=2", *options]
    return subprocess.Popen(words, cwd=lab.folder, env={**os.environ, **env}, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip


def finish(process: subprocess.Popen) -> tuple[int, str]:
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


def test_a_grid_runs_once_and_leaves_no_session(chain):
    matrix = {"a.src": "in.txt", "a.x": [1, 2, 3], "b.y": [1, 2]}
    found = chain.schedule(matrix, backend="tmux", tmux_workers=2)
    assert found.complete and found.counts == {"done": 9}
    assert Counter(chain.ran()) == {"a": 3, "b": 6}
    wait_for(lambda: not sessions())
    again = chain.schedule(matrix, backend="tmux", tmux_workers=2)
    assert again.complete and not again.ended and chain.ran() == []


def test_the_same_results_as_on_the_serial_backend(chain):
    matrix = {"a.src": "in.txt", "a.x": [1, 2], "b.y": [3]}
    chain.schedule(matrix)
    serial = {p.relative_to(chain.root): p.read_text() for p in chain.root.glob("?/*/?.txt")}
    shutil.rmtree(chain.root)
    chain.schedule(matrix, backend="tmux", tmux_workers=2)
    assert {p.relative_to(chain.root): p.read_text() for p in chain.root.glob("?/*/?.txt")} == serial


def test_a_failure_blocks_its_descendants_only_and_leaves_a_shell(chain):
    chain.node("a", "[ {x} != 2 ] || {{ echo no luck >&2; exit 3; }}; echo {x} > {dst}", algo_params=["x"])
    code, out = finish(start(chain, {"a.x": [1, 2, 3]}))
    assert code == 1
    assert "3 done" not in out and "exit code 3" in out and "no luck" in out
    assert Counter(chain.ran()) == {"a": 3, "b": 2}
    (left,) = sessions()
    wait_for(lambda: "This is a shell in its directory" in screen(left))
    assert "no luck" in screen(left)

    # A person repairs it from the open session, and the same command goes on.
    broken = next(
        p for p in chain.root.glob("a/*") if json.loads((p / "job_config.json").read_text())["a.x"] == 2
    )
    tmux("send-keys", "-t", f"{left}:", "sed -i 's/exit 3/true/' invoke.sh; bash invoke.sh", "Enter")
    status = broken / "job_status.json"
    wait_for(lambda: status.exists() and '"finished"' in status.read_text())
    assert (broken / "a.txt").read_text() == "2\n"
    code, out = finish(start(chain, {"a.x": [1, 2, 3]}))
    assert Counter(chain.ran())["b"] == 1 or code == 1


def test_the_environment_reaches_the_jobs_and_no_disk(lab):
    lab.node("a", 'echo "$SECRET" > {dst}')
    code, _ = finish(start(lab, {"a.__enabled__": 1}, SECRET="hush\n'2'"))
    assert code == 0 and (lab.job("a") / "a.txt").read_text() == "hush\n'2'\n"
    (lab.job("a") / "a.txt").unlink()
    found = subprocess.run(
        ["grep", "-rl", "hush", str(lab.root)], capture_output=True, text=True, check=False
    )
    assert found.stdout == ""


def test_ctrl_c_ends_the_jobs_and_the_same_command_goes_on(lab):
    lab.node("a", "echo $$ > {pidfile}; sleep {nap}; echo x > {dst}", algo_params=["nap"],
             perf_params={"pidfile": str(lab.folder / "pid")})  # fmt: skip
    process = start(lab, {"a.nap": [60]})
    wait_for((lab.folder / "pid").exists)
    wait_for(lambda: (lab.folder / "pid").read_text().strip())
    process.send_signal(signal.SIGINT)
    code, out = finish(process)
    assert code == 130 and "the same command goes on" in out
    pid = (lab.folder / "pid").read_text().strip()
    wait_for(lambda: not Path(f"/proc/{pid}").exists())


def test_the_run_goes_on_without_its_main_window(lab):
    lab.node("a", "sleep 0.3; echo {x} > {dst}", algo_params=["x"])
    process = start(lab, {"a.x": [1, 2, 3, 4]})
    wait_for(lambda: len(sessions()) == 2)
    wait_for(lambda: lab.root.joinpath("a").exists())
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: len(list(lab.root.glob("a/*/a.txt"))) == 4)
    wait_for(lambda: not sessions())
    assert lab.schedule({"a.x": [1, 2, 3, 4]}).ended == ()


def test_a_killed_worker_gives_its_jobs_to_the_others(lab):
    lab.node("a", "sleep 0.4; echo {x} > {dst}", algo_params=["x"])
    process = start(lab, {"a.x": list(range(6))})
    wait_for(lambda: len(sessions()) == 2 and lab.root.joinpath("a").exists())
    run = runs.latest(str(lab.root))
    wait_for(lambda: len(list(Path(run.dpath, "workers").glob("*.json"))) == 2)
    entry = json.loads(next(Path(run.dpath, "workers").glob("*.json")).read_text())
    os.kill(entry["pid"], signal.SIGKILL)
    code, _ = finish(process)
    assert code == 0
    assert sorted(p.read_text() for p in lab.root.glob("a/*/a.txt")) == sorted(f"{x}\n" for x in range(6))


def test_all_sessions_killed_and_resumed(lab):
    lab.node("a", "sleep 0.2; echo {x} > {dst}", algo_params=["x"])
    process = start(lab, {"a.x": list(range(8))})
    wait_for(lambda: list(lab.root.glob("a/*/a.txt")))
    tmux("kill-server")
    code, out = finish(process)
    assert code == 1 and "left to run" in out
    code, out = finish(start(lab, {"a.x": list(range(8))}))
    assert code == 0 and len(list(lab.root.glob("a/*/a.txt"))) == 8


@pytest.mark.parametrize("orphaned", [False, True])
def test_scatter_and_gather_without_the_main_window(lab, orphaned):
    items = 'echo \'[{{"key": "p", "values": {{"v": 1}}}}, {{"key": "q", "values": {{"v": 2}}}}]\''
    lab.scatter("s", f"sleep 0.3; {items}")
    lab.node("w", "echo {v} > {dst}", ins=["part"], algo_params=["v"]).edge("s.items -> w.part")
    lab.node("g", "cat $(cat {parts}) > {dst}", ins=["parts"]).gather("w.dst", "g.parts", "s")
    process = start(lab, {"s.__enabled__": 1})
    if orphaned:
        wait_for(lambda: lab.root.joinpath("s").exists())
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_for(lambda: list(lab.root.glob("g/*/job_status.json")))
    else:
        assert finish(process)[0] == 0
    assert sorted((lab.job("g") / "g.txt").read_text().split()) == ["1", "2"]
    assert lab.ran() == ["g", "s", "w", "w"]


def test_four_schedulers_at_once_run_each_job_once(lab):
    lab.node("a", "sleep 0.02; echo {x} > {dst}", algo_params=["x"])
    matrix = {"a.x": list(range(50))}
    processes = [start(lab, matrix, f"--queue_name=q{i}") for i in range(4)]
    assert [finish(process)[0] for process in processes] == [0, 0, 0, 0]
    assert len(lab.ran()) == 50


def test_leftover_sessions(lab):
    lab.node("a", "sleep {nap}; echo x > {dst}", algo_params=["nap"])
    busy = start(lab, {"a.nap": [5]})
    wait_for(lambda: sessions() and lab.root.joinpath("a").exists())
    code, out = finish(start(lab, {"a.nap": [0]}))
    assert code == 2 and "still run jobs: kwdag_0" in out
    code, out = finish(start(lab, {"a.nap": [0]}, "--other_session_handler=ignore"))
    assert code == 0
    code, out = finish(start(lab, {"a.nap": [0, 0.1]}, "--other_session_handler=kill"))
    assert code == 0
    assert finish(busy)[0] == 1


BAD = [
    ({"queue_name": "a.b"}, "cannot take the name 'a.b'"),
    ({"other_session_handler": "kil"}, "did you mean 'kill'"),
    ({"devices": "0", "_resources": {"gpus": 1}}, "no device '0'"),
    ({"_resources": {"gpus": 1}}, "asks for 1 gpus, there are 0"),
    ({"_resources": {"cpus": 10_000}}, "asks for 10,000 cpus"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_input_writes_nothing(lab, options, message):
    lab.node("a", resources=options.pop("_resources", {}))
    with pytest.raises(KwdagError, match=message):
        lab.schedule({}, backend="tmux", **options)
    assert not lab.root.exists() and not sessions()


def test_cpus_are_shared_out(lab):
    note = {"note": str(lab.folder / "note.txt")}
    body = "echo begins >> {note}; sleep 0.2; echo ends >> {note}; echo {x} > {dst}"
    lab.node("a", body, algo_params=["x"], perf_params=note, resources={"cpus": os.cpu_count()})
    found = lab.schedule({"a.x": [1, 2, 3]}, backend="tmux", tmux_workers=3)
    assert found.complete
    assert (lab.folder / "note.txt").read_text().split() == ["begins", "ends"] * 3


def test_without_a_monitor_it_returns_at_once_and_the_run_goes_on(chain):
    matrix = {"a.src": "in.txt", "a.x": [1, 2], "b.y": [1]}
    code, out = finish(start(chain, matrix, "--monitor=none"))
    assert code == 0 and out.splitlines()[-1].startswith("4 jobs under way; look: kwdag status --watch")
    wait_for(lambda: not sessions())
    assert chain.schedule(matrix).ended == ()
    assert Counter(chain.ran()) == {"a": 2, "b": 2}


def test_gpus_are_handed_to_those_that_ask_and_to_one_at_a_time(lab, monkeypatch):
    # A machine without GPUs: what nvidia-smi says is made up, what is done with it is not.
    smi = lab.folder / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    smi.write_text("#!/bin/sh\nprintf '0\\n1\\n'\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{smi.parent}:{os.environ['PATH']}")
    body = "date +%s.%N; echo $CUDA_VISIBLE_DEVICES; sleep 0.3; date +%s.%N"
    lab.node("g", f"{{{{ {body}; }}}} > {{dst}}", algo_params={"x": 0}, resources={"gpus": 1})
    lab.node("c", f"{{{{ {body}; }}}} > {{dst}}", algo_params={"x": 0})
    matrix = {"g.x": [1, 2, 3, 4, 5, 6], "c.x": [1, 2, 3]}
    assert lab.schedule(matrix, backend="tmux", tmux_workers=4, devices="auto").complete
    spans = [path.read_text().split("\n")[:3] for path in lab.root.glob("g/*/g.txt")]
    assert len(spans) == 6 and {gpu for _, gpu, _ in spans} == {"0", "1"}
    for gpu in "01":
        own = sorted((float(start), float(stop)) for start, found, stop in spans if found == gpu)
        assert all(stop <= later for (_, stop), (later, _) in zip(own, own[1:], strict=False))
    assert all(path.read_text().split("\n")[1] == "" for path in lab.root.glob("c/*/c.txt"))


def pane(session):
    """What a session has shown so far, the lines that left its window too, one string."""
    command = ["tmux", "capture-pane", "-p", "-J", "-S", "-", "-t", session]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def shown(terminal, text, timeout_s):
    """Whether a terminal shows a text in time; stops reading as soon as it does."""
    seen = b""
    while text not in seen and select.select([terminal], [], [], timeout_s)[0]:
        seen += os.read(terminal, 10_000)
    return text in seen


def test_a_person_attaches_reads_and_leaves(lab):
    lab.node("a", f"echo hello from {{x}}; until [ -e {lab.folder}/go ]; do sleep 0.1; done; echo > {{dst}}",
             algo_params={"x": 0})  # fmt: skip
    process = start(lab, {"a.x": [1, 2]})
    wait_for(lambda: len(sessions()) == 2 and "\nhello from " in pane("kwdag_0"))
    assert "=== a_id_" in pane("kwdag_0")
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execvp("tmux", ["tmux", "attach", "-t", "kwdag_0"])
    # Not the header: as tmux fits its window to the terminal, it may scroll the first lines away.
    assert shown(terminal, b"hello from ", 30)
    for key in (b"\x02", b"d"):  # Ctrl-b d
        time.sleep(0.5)  # a person is slower than a paste, as which tmux takes keys within a millisecond
        os.write(terminal, key)
    assert shown(terminal, b"detached", 30)
    os.waitpid(pid, 0)
    os.close(terminal)
    assert len(sessions()) == 2 and process.poll() is None
    (lab.folder / "go").touch()
    assert finish(process)[0] == 0
