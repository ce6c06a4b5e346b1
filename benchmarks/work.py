"""The work that is timed: bash programs, a grid over them, and the files that tell each peer to do it.
How a peer is called with these files is not known here."""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import naps

PREDICT = """\
for arg in "$@"; do
    case $arg in
        --src=*) src=${arg#*=} ;;
        --dst=*) dst=${arg#*=} ;;
        --a=*) a=${arg#*=} ;;
        --b=*) b=${arg#*=} ;;
    esac
done
read -r base < "$src"
echo "$base$a$b" > "$dst"
"""

EVALUATE = """\
for arg in "$@"; do
    case $arg in
        --pred=*) pred=${arg#*=} ;;
        --dst=*) dst=${arg#*=} ;;
        --a=*) a=${arg#*=} ;;
        --b=*) b=${arg#*=} ;;
    esac
done
read -r base < "$pred"
echo "{\\"info\\": [], \\"result\\": {\\"metrics\\": {\\"score\\": $base$a$b}}}" > "$dst"
"""

METRICS = [{"metric": "score", "objective": "maximize", "primary": True, "display": True}]


@dataclass(frozen=True, slots=True)
class Grid:
    """`a` values of one parameter times `b` values of another: `rows` points."""

    a: int
    b: int

    @classmethod
    def of(cls, rows: int) -> Grid:
        """The most nearly square grid of exactly `rows` points."""
        b = next(d for d in range(math.isqrt(rows), 0, -1) if rows % d == 0)
        return cls(rows // b, b)

    @property
    def rows(self) -> int:
        return self.a * self.b

    def points(self) -> Iterator[tuple[int, int]]:
        return ((a, b) for a in range(self.a) for b in range(self.b))


@dataclass(frozen=True, slots=True)
class Job:
    """One command for the peers that have no grids; `after` is the index of the job whose output it reads."""

    folder: str
    command: tuple[str, ...]
    output: str
    after: int | None


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be done, and the folder that holds everything about it; results go below `root`.

    kind: `chain` (predict, then evaluate, for each row), `single` (evaluate alone),
    `gather` (as many predict jobs as rows, then as many evaluate jobs, each reading all of them),
    `naps_chain` and `naps_fan` (the same two nodes, asleep; see naps.py).
    """

    kind: str
    rows: int
    folder: Path
    workers: int = 1

    @property
    def grid(self) -> Grid:
        return Grid.of(self.rows)

    @property
    def root(self) -> Path:
        return self.folder / "out"

    @property
    def jobs(self) -> int:
        if self.kind in naps.CHILDREN:
            return self.rows + self.rows // naps.CHILDREN[self.kind]
        return self.rows if self.kind == "single" else 2 * self.rows

    def program(self, name: str) -> str:
        return str(self.folder / f"{name}.sh")

    def results(self) -> Iterator[Path]:
        """One at a time: a list of all would make the harness's own memory grow."""
        if not (self.root / "evaluate").exists():
            return
        with os.scandir(self.root / "evaluate") as folders:
            for folder in folders:
                result = Path(folder.path, "result.json")
                if result.exists():
                    yield result


def write_programs(case: Case) -> None:
    """The programs and the input that every peer's files refer to."""
    case.folder.mkdir(parents=True, exist_ok=True)
    sleeps = case.kind in naps.CHILDREN
    (case.folder / "predict.sh").write_text(naps.PROGRAM if sleeps else PREDICT)
    (case.folder / "evaluate.sh").write_text(naps.PROGRAM if sleeps else EVALUATE)
    (case.folder / "source.txt").write_text("0.5\n")


def write_params(case: Case, *, zips: bool) -> Path:
    """A params file for kwdag and kwdagger; `zips`: whether parallel lists may be said as such."""
    params = case.folder / "params.yaml"
    params.write_text(json.dumps({"pipeline": _pipeline(case), **_rows(case, zips)}, indent=1))
    return params


def _pipeline(case: Case) -> dict[str, Any]:
    predict = {
        "executable": shlex.join(["bash", case.program("predict")]),
        "in_paths": ["src"],
        "out_paths": {"dst": "pred.txt"},
        "algo_params": {"a": 0, "b": 0},
    }
    evaluate: dict[str, Any] = {
        "executable": shlex.join(["bash", case.program("evaluate")]),
        "in_paths": ["pred"],
        "out_paths": {"dst": "result.json"},
        "primary_out_key": "dst",
        "metrics": METRICS,
    }
    nodes = {"predict": predict, "evaluate": evaluate}
    if case.kind in naps.CHILDREN:
        for node in (predict, evaluate):
            node["algo_params"] = {"number": 0, "seconds": 0}
    if case.kind == "chain" or case.kind in naps.CHILDREN:
        return {"nodes": nodes, "edges": ["predict.dst -> evaluate.pred"]}
    evaluate["algo_params"] = {"a": 0, "b": 0}
    if case.kind == "single":
        return {"nodes": {"evaluate": evaluate}}
    gather = {"src": "predict.dst", "dst": "evaluate.pred", "gather": {"group_by": []}}
    return {"nodes": nodes, "edges": [gather]}


def _rows(case: Case, zips: bool) -> dict[str, Any]:
    source = str(case.folder / "source.txt")
    if case.kind == "gather":
        return _diagonal(case.rows, source, zips)
    if case.kind in naps.CHILDREN:
        return _nap_rows(case, source)
    node, port = ("evaluate", "pred") if case.kind == "single" else ("predict", "src")
    grid = {f"{node}.a": [*range(case.grid.a)], f"{node}.b": [*range(case.grid.b)]}
    return {"matrix": {f"{node}.{port}": source, **grid}}


def _diagonal(rows: int, source: str, zips: bool) -> dict[str, Any]:
    """Rows that advance both nodes together: their product would be `rows` squared."""
    numbers = [*range(rows)]
    if zips:
        return {"matrix": {"predict.src": source}, "zip": {"predict.a": numbers, "evaluate.b": numbers}}
    include = [{"predict.a": n, "evaluate.b": n} for n in numbers]
    return {"matrix": {"predict.src": source, "predict.a": numbers}, "include": include}


def _nap_rows(case: Case, source: str) -> dict[str, Any]:
    jobs = naps.naps(case.kind, case.rows)
    columns: dict[str, list[float]] = {}
    for job in jobs:
        if job.after is None:
            continue
        for nap in (jobs[job.after], job):
            columns.setdefault(f"{nap.node}.number", []).append(nap.number)
            columns.setdefault(f"{nap.node}.seconds", []).append(nap.seconds)
    return {"matrix": {"predict.src": source}, "zip": columns}


def jobs_of(case: Case) -> Iterator[Job]:
    """The jobs of a chain or of naps, upstream first."""
    return _nap_jobs(case) if case.kind in naps.CHILDREN else chain_jobs(case)


def _nap_jobs(case: Case) -> Iterator[Job]:
    for nap in naps.naps(case.kind, case.rows):
        output = "result.json" if nap.node == "evaluate" else "pred.txt"
        job = _job(case, nap.node, str(nap.number), output, nap.after)
        yield replace(job, command=(*job.command, f"--seconds={nap.seconds}"))


def chain_jobs(case: Case) -> Iterator[Job]:
    """The jobs of a chain, each predict job directly before its evaluate job."""
    for index, (a, b) in enumerate(case.grid.points()):
        predict = _job(case, "predict", f"{a}-{b}", "pred.txt", None)
        source = case.folder / "source.txt"
        yield replace(predict, command=(*predict.command, f"--src={source}", f"--a={a}", f"--b={b}"))
        evaluate = _job(case, "evaluate", f"{a}-{b}", "result.json", 2 * index)
        yield replace(evaluate, command=(*evaluate.command, f"--pred={predict.output}"))


def _job(case: Case, node: str, name: str, output: str, after: int | None) -> Job:
    folder = case.root / node / name
    command = ("bash", case.program(node), f"--dst={folder / output}")
    return Job(str(folder), command, str(folder / output), after)


def write_job_list(case: Case) -> Path:
    """`[folder, command, index of the job before it or null]` for each job, for the drivers."""
    path = case.folder / "jobs.json"
    path.write_text(json.dumps([[job.folder, job.command, job.after] for job in jobs_of(case)]))
    return path


def write_lines(case: Case) -> None:
    """A line of shell for each row of a chain, and the folders that the lines write into."""
    jobs = list(chain_jobs(case))
    pairs = zip(jobs[::2], jobs[1::2], strict=True)
    lines = [f"{shlex.join(first.command)} && {shlex.join(then.command)}" for first, then in pairs]
    (case.folder / "lines.txt").write_text("".join(f"{line}\n" for line in lines))
    (case.folder / "folders.txt").write_text("".join(f"{job.folder}\n" for job in jobs))


def write_ninja(case: Case) -> None:
    jobs = list(chain_jobs(case))
    lines = ["rule run", "  command = $line"]
    for job in jobs:
        before = "" if job.after is None else f" {jobs[job.after].output}"
        lines += [f"build {job.output}: run{before}", f"  line = {shlex.join(job.command)}"]
    (case.folder / "build.ninja").write_text("\n".join(lines) + "\n")


def write_snakefile(case: Case) -> None:
    folder, grid = case.folder, case.grid
    (folder / "Snakefile").write_text(f"""\
rule all:
    input: expand("out/evaluate/{{a}}-{{b}}/result.json", a=range({grid.a}), b=range({grid.b}))
rule predict:
    input: "source.txt"
    output: "out/predict/{{a}}-{{b}}/pred.txt"
    shell: "bash {folder}/predict.sh --src={{input}} --a={{wildcards.a}} --b={{wildcards.b}} --dst={{output}}"
rule evaluate:
    input: "out/predict/{{a}}-{{b}}/pred.txt"
    output: "out/evaluate/{{a}}-{{b}}/result.json"
    shell: "bash {folder}/evaluate.sh --pred={{input}} --dst={{output}}"
""")
