"""How each runner of the kill table is told to do the same jobs, as its own documentation recommends.
What is done to them while they run is kill_table.py."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import Command

WORKERS = 2

#: Tells the counter, outside of all that a runner knows, when it began and ended; writes its output in two
#: halves, the first after half of its time.
JOB = """\
echo "begin $1 $$" >> {counter}
sleep {seconds}
echo half > "$2"
sleep {seconds}
echo whole >> "$2"
echo "end $1 $$" >> {counter}
"""
WHOLE = "half\nwhole\n"


@dataclass(frozen=True, slots=True)
class Task:
    """The same work for every runner: `count` jobs, each `bash job.sh NUMBER OUTPUT`, below `folder`.

    `seconds` is the length of a job.
    """

    folder: Path
    count: int
    seconds: float

    @property
    def counter(self) -> Path:
        return self.folder / "counter.txt"

    @property
    def program(self) -> Path:
        return self.folder / "job.sh"

    @property
    def place(self) -> Path:
        """Where the runner is started, and all that it writes."""
        return self.folder / "place"


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to use a peer.

    Attributes:
        start: the commands of one runner, started together; the number tells two runners apart.
        repair: what its documentation says to do after a crash, before it is started again.
        outputs: the pattern, below `place`, of its jobs' outputs.
        how: for the notes.
    """

    name: str
    peer: str
    write: Callable[[Task], object]
    start: Callable[[Task, int], list[Command]]
    outputs: str
    how: str
    repair: tuple[Command, ...] = ()


def write_program(task: Task) -> None:
    task.place.mkdir(parents=True)
    task.counter.touch()
    script = JOB.format(counter=shlex.quote(str(task.counter)), seconds=task.seconds / 2)
    task.program.write_text(script)


# -- kwdag, kwdagger ---------------------------------------------------------------------------------


def _write_params(task: Task) -> None:
    """The program takes options here, so a line of bash stands between."""
    wrapper = task.folder / "options.sh"
    wrapper.write_text(
        "for arg; do case $arg in --n=*) n=${arg#*=} ;; --dst=*) dst=${arg#*=} ;; esac; done\n"
        f'. {shlex.quote(str(task.program))} "$n" "$dst"\n'
    )
    node = {
        "executable": shlex.join(["bash", str(wrapper)]),
        "out_paths": {"dst": "out.txt"},
        "primary_out_key": "dst",
        "algo_params": {"n": 0},
    }
    params = {"pipeline": {"nodes": {"job": node}}, "matrix": {"job.n": [*range(task.count)]}}
    (task.place / "params.yaml").write_text(json.dumps(params))


def _grid(program: str, backend: str) -> Contender:
    def start(task: Task, number: int) -> list[Command]:
        command = [program, "schedule", "--params=params.yaml", "--root_dpath=out", "--run=1"]
        command += [f"--backend={backend}", "--skip_existing=1", f"--queue_name=bench{number}"]
        if backend == "tmux":
            command += [f"--tmux_workers={WORKERS}", "--other_session_handler=ignore"]
        return [command]

    workers = "1 worker" if backend == "serial" else f"{WORKERS} sessions, a queue name for each runner"
    how = f"schedule --run=1 --skip_existing=1 --backend={backend}; {workers}"
    return Contender(f"{program} {backend}", program, _write_params, start, "out/job/*/out.txt", how)


# -- Snakemake ---------------------------------------------------------------------------------------


def _write_snakefile(task: Task) -> None:
    (task.place / "Snakefile").write_text(
        f'rule all:\n    input: expand("{{n}}/out.txt", n=range({task.count}))\n'
        f'rule job:\n    output: "{{n}}/out.txt"\n'
        f'    shell: "bash {task.program} {{wildcards.n}} {{output}}"\n'
    )


def _start_snakemake(task: Task, number: int) -> list[Command]:
    return [["snakemake", "--cores", str(WORKERS), "--rerun-incomplete"]]


# -- signac-flow -------------------------------------------------------------------------------------

_PROJECT = """\
import shlex
import signac
from flow import FlowProject

class Project(FlowProject):
    pass

@Project.post.isfile("out.txt")
@Project.operation(cmd=True)
def work(job):
    return shlex.join(["bash", {program!r}, str(job.sp.n), job.fn("out.txt")])

if __name__ == "__main__":
    Project().main()
"""
_INIT = "import signac; p = signac.init_project(); [p.open_job(dict(n=n)).init() for n in range({count})]"


def _write_project(task: Task) -> None:
    (task.place / "project.py").write_text(_PROJECT.format(program=str(task.program)))
    (task.place / "init.py").write_text(_INIT.format(count=task.count))


def _start_flow(task: Task, number: int) -> list[Command]:
    init = "" if (task.place / "workspace").exists() else "python init.py && "
    return [["bash", "-c", f"{init}exec python project.py run --parallel {WORKERS}"]]


# -- GNU parallel ------------------------------------------------------------------------------------


def _write_arguments(task: Task) -> None:
    (task.place / "numbers.txt").write_text("".join(f"{n}\n" for n in range(task.count)))


def _start_parallel(task: Task, number: int) -> list[Command]:
    command = ["parallel", f"--jobs={WORKERS}", "--joblog=joblog", "--resume", "bash", str(task.program)]
    return [[*command, "{}", "{}.out", "::::", "numbers.txt"]]


# -- jug ---------------------------------------------------------------------------------------------


def _write_jugfile(task: Task) -> None:
    (task.place / "jugfile.py").write_text(
        "import subprocess\nfrom jug import TaskGenerator\n\n"
        "@TaskGenerator\ndef work(n):\n"
        f'    subprocess.run(["bash", {str(task.program)!r}, str(n), f"{{n}}.out"], check=True)\n\n'
        f"for n in range({task.count}):\n    work(n)\n"
    )


def _start_jug(task: Task, number: int) -> list[Command]:
    return [["jug", "execute", "jugfile.py"]] * WORKERS


CONTENDERS = (
    _grid("kwdag", "tmux"),
    _grid("kwdag", "serial"),
    _grid("kwdagger", "tmux"),
    _grid("kwdagger", "serial"),
    Contender(
        "snakemake",
        "snakemake",
        _write_snakefile,
        _start_snakemake,
        "*/out.txt",
        f"--cores {WORKERS} --rerun-incomplete; after the kill --unlock first",
        repair=(["snakemake", "--unlock", "--cores", "1"],),
    ),
    Contender(
        "signac-flow",
        "signac-flow",
        _write_project,
        _start_flow,
        "workspace/*/out.txt",
        f"post.isfile as in its tutorial; project.py run --parallel {WORKERS}",
    ),
    Contender(
        "parallel",
        "parallel",
        _write_arguments,
        _start_parallel,
        "*.out",
        f"--jobs={WORKERS} --joblog --resume",
    ),
    Contender(
        "jug",
        "jug",
        _write_jugfile,
        _start_jug,
        "*.out",
        f"a runner is {WORKERS} processes of jug execute; after the kill jug cleanup --locks-only first",
        repair=(["jug", "cleanup", "jugfile.py", "--locks-only"],),
    ),
)
