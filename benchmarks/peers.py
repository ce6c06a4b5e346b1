"""Every peer: what to install for it, the files it needs for a case, and the command for each action.
What is timed against what is decided in the suite."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import work
from benchmarks.work import Case

DRIVERS = Path(__file__).resolve().parent / "drivers"
#: One process that remembers nothing of earlier calls.
UNCACHED = ("--io_workers=0", "--cache_resolved_results=False")
Command = list[str]


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that does the work; `actions` maps an action's name to the command that does it for a case.

    `program` and the commands' first words are names below the environment's `bin`, or on the PATH
    where a peer has no `environment`.
    """

    name: str
    version_command: Command
    write: Callable[[Case], object]
    actions: dict[str, Callable[[Case], Command]]
    requirements: tuple[str, ...] = ()
    environment: str | None = None


def grid_peer(program: str, requirements: tuple[str, ...], *, zips: bool) -> Peer:
    """kwdag or kwdagger: the same files and the same options for both."""

    def schedule(case: Case, run: int, backend: str = "serial", *more: str) -> Command:
        return [
            program,
            "schedule",
            f"--params={case.folder / 'params.yaml'}",
            f"--root_dpath={case.root}",
            f"--backend={backend}",
            "--skip_existing=1",
            f"--run={run}",
            *more,
        ]

    def in_tmux(case: Case, *more: str) -> Command:
        return schedule(case, 1, "tmux", f"--tmux_workers={case.workers}", *more)

    def aggregate(case: Case, *more: str) -> Command:
        return [
            program,
            "aggregate",
            f"--target={case.root}",
            f"--output_dpath={case.folder / 'aggregate'}",
            "--eval_nodes=[evaluate]",
            *more,
        ]

    def lay_out(case: Case, *then: str) -> Command:
        driver, grid = [str(DRIVERS / "lay_out.py"), str(case.folder)], [str(case.grid.a), str(case.grid.b)]
        return ["python", *driver, *grid, *schedule(case, 1), *then]

    return Peer(
        name=program,
        version_command=version_of(program),
        write=lambda case: work.write_params(case, zips=zips),
        actions={
            "help": lambda case: [program, "--help"],
            "dry_run": lambda case: schedule(case, 0),
            "run": lambda case: schedule(case, 1),
            "rerun": lambda case: schedule(case, 1),
            "aggregate": lambda case: aggregate(case, *UNCACHED),
            "aggregate_cold": lambda case: aggregate(case, *UNCACHED),
            "aggregate_warm": aggregate,
            "lay_out": lay_out,
            "lay_out_and_aggregate": lambda case: lay_out(case, "--", *aggregate(case)),
            "run_workers": in_tmux,
            "redo_workers": lambda case: in_tmux(case, "--skip_existing=0", "--cache=0"),
            "run_slurm": lambda case: schedule(case, 1, "slurm"),
            "submit_slurm": lambda case: [
                "python",
                str(DRIVERS / "submit_slurm.py"),
                *schedule(case, 1, "slurm"),
            ],
        },
        requirements=requirements,
        environment=program,
    )


def snakemake() -> Peer:
    quiet = ["snakemake", "--cores", "1", "--quiet", "all"]
    return Peer(
        name="snakemake",
        version_command=["snakemake", "--version"],
        write=work.write_snakefile,
        actions={
            "help": lambda case: ["snakemake", "--help"],
            "dry_run": lambda case: [*quiet, "--dry-run"],
            "run": lambda case: quiet,
            "rerun": lambda case: quiet,
        },
        requirements=("snakemake==9.27.1",),
        environment="snakemake",
    )


def ninja() -> Peer:
    return Peer(
        name="ninja",
        version_command=["ninja", "--version"],
        write=work.write_ninja,
        actions={
            "dry_run": lambda case: ["ninja", "--quiet", "-j1", "-n"],
            "run": lambda case: ["ninja", "--quiet", "-j1"],
            "rerun": lambda case: ["ninja", "--quiet", "-j1"],
        },
    )


def driven(
    name: str, driver: str, python: str, version: Command, backends: Mapping[str, str] | None = None,
    **setup: object,
) -> Peer:  # fmt: skip
    """A peer that is a library: a small program of ours hands it the jobs.

    Args:
        backends: action -> the backend that the program is told to use for it, with so many workers.
    """

    def run(case: Case, *more: str) -> Command:
        scratch = case.folder / "scratch"
        scratch.mkdir()
        return [python, str(DRIVERS / driver), str(case.folder / "jobs.json"), str(scratch), *more]

    actions: dict[str, Callable[[Case], Command]] = {"run": run}
    for action, backend in (backends or {}).items():
        actions[action] = partial(_with_workers, run, backend)
    return Peer(name, version, work.write_job_list, actions, **setup)  # type: ignore[arg-type]


def _with_workers(run: Callable[..., Command], backend: str, case: Case) -> Command:
    return run(case, backend, str(case.workers))


def parallel() -> Peer:
    """GNU parallel: a row is one line of shell, so that its second job follows its first."""
    script = (
        'xargs mkdir -p < folders.txt && parallel --jobs "$1" --joblog joblog --halt now,fail=1 < lines.txt'
    )
    return Peer(
        name="parallel",
        version_command=["bash", "-c", "parallel --version | head -n 1"],
        write=work.write_lines,
        actions={"run_workers": lambda case: ["bash", "-c", script, "bash", str(case.workers)]},
    )


def for_kill_table(name: str, distribution: str, *requirements: str) -> Peer:
    """A peer that is not timed; contenders.py knows how it is used."""
    return Peer(name, version_of(distribution), lambda case: None, {}, requirements, name)


def version_of(distribution: str) -> Command:
    return ["python", "-c", f"from importlib.metadata import version; print(version('{distribution}'))"]


KWDAGGER = ("kwdagger==0.4.1", "cmd_queue==0.3.2")
PEERS = {
    peer.name: peer
    for peer in (
        grid_peer("kwdag", (), zips=True),
        grid_peer("kwdagger", KWDAGGER, zips=False),
        driven(
            "cmd_queue",
            "cmd_queue_jobs.py",
            "python",
            version_of("cmd_queue"),
            {"run_workers": "tmux", "run_slurm": "slurm"},
            requirements=KWDAGGER,
            environment="kwdagger",
        ),
        snakemake(),
        driven(
            "hyperqueue",
            "hyperqueue_jobs.py",
            "python",
            version_of("hyperqueue"),
            requirements=("hyperqueue==0.27.0",),
            environment="hyperqueue",
        ),
        ninja(),
        parallel(),
        for_kill_table("signac-flow", "signac-flow", "signac-flow==0.29.1", "signac==2.4.1"),
        for_kill_table("jug", "jug", "jug==2.7.0"),
        driven("floor", "floor.py", sys.executable, [sys.executable, "-c", "print('-')"]),
    )
}


@dataclass(frozen=True, slots=True)
class Installed:
    """A peer that is there: its version and the environment variables that its commands run under."""

    peer: Peer
    version: str
    env: dict[str, str]

    def locate(self, command: Command) -> Command:
        """The command with its program's full path: subprocess would look it up on our own PATH."""
        return [shutil.which(command[0], path=self.env["PATH"]) or command[0], *command[1:]]


def install(peer: Peer, venvs: Path, scratch: Path) -> Installed:
    """Make the peer's environment unless it is there; raises RuntimeError in one line if it cannot be had."""
    env = os.environ | {"XDG_CACHE_HOME": str(scratch / "cache"), "TERM": "dumb", "COLUMNS": "120"}
    if peer.environment is not None:
        venv = venvs / peer.environment
        _make_venv(venv, peer)
        env |= {"VIRTUAL_ENV": str(venv), "PATH": f"{venv / 'bin'}{os.pathsep}{env['PATH']}"}
    installed = Installed(peer, "", env)
    try:
        done = subprocess.run(
            installed.locate(peer.version_command), env=env, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"{peer.name} does not start: {error}") from error
    return Installed(peer, (done.stdout.split() or ["?"])[-1], env)


def _make_venv(venv: Path, peer: Peer) -> None:
    wanted = "\n".join(peer.requirements)
    stamp = venv / ".complete"
    if stamp.exists() and (not wanted or stamp.read_text() == wanted):
        return
    if not wanted:
        raise RuntimeError(f"{peer.name} has no environment: benchmarks/run.sh makes it")
    print(f"installing {' '.join(peer.requirements)}", file=sys.stderr, flush=True)
    _call([sys.executable, "-m", "venv", "--clear", str(venv)])
    _call([str(venv / "bin" / "pip"), "install", "--quiet", *peer.requirements])
    stamp.write_text(wanted)


def _call(command: Command) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise RuntimeError(f"{' '.join(command[:4])}: {last}")
