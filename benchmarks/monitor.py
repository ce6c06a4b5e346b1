"""What it costs to watch: processor time of kwdag's live views while most jobs of a large run are done.
The run is real: two jobs at its end sleep until the watching has been measured."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks import naps
from benchmarks.findings import Findings, Study
from benchmarks.peers import Command, Installed
from benchmarks.processes import MARK, cpu_seconds, kill_all, marked
from benchmarks.scenes import tmux_server
from benchmarks.suite import Verdict

JOBS, QUICK_JOBS = 20_000, 200
WINDOW, QUICK_WINDOW = 30.0, 3.0  # seconds of watching
SETTLE = 3.0  # seconds after the last event before the window begins
WORKERS = 2
LIMIT = 2.0  # percent of a core
PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class Watcher:
    """A process whose cost is measured; `first` is what it had used before the window, in seconds."""

    name: str
    first: float
    percent: float


@dataclass(frozen=True, slots=True)
class Run:
    """A run of `jobs` jobs, the last WORKERS of which sleep."""

    folder: Path
    jobs: int
    peer: Installed
    env: Mapping[str, str]

    @property
    def root(self) -> Path:
        return self.folder / "out"

    def write(self) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "nap.sh").write_text(naps.PROGRAM)
        node = {
            "executable": shlex.join(["bash", str(self.folder / "nap.sh")]),
            "out_paths": {"dst": "result.json"},
            "algo_params": {"number": 0, "seconds": 0},
        }
        asleep = [0] * (self.jobs - WORKERS) + [3600] * WORKERS
        rows = {"nap.number": [*range(self.jobs)], "nap.seconds": asleep}
        params = {"pipeline": {"nodes": {"nap": node}}, "zip": rows}
        (self.folder / "params.yaml").write_text(json.dumps(params))

    @property
    def schedule(self) -> Command:
        where = [f"--params={self.folder / 'params.yaml'}", f"--root_dpath={self.root}", "--run=1"]
        return ["kwdag", "schedule", *where, "--backend=tmux", f"--tmux_workers={WORKERS}"]

    @property
    def done(self) -> int:
        with suppress(FileNotFoundError):
            return sum(Path(entry.path, "result.json").exists() for entry in os.scandir(self.root / "nap"))
        return 0


@contextmanager
def on_terminal(command: Command, run: Run) -> Iterator[subprocess.Popen[bytes]]:
    """The command on a terminal of its own, which nobody reads but which is emptied."""
    main, terminal = pty.openpty()
    env = {**run.env, "TERM": "xterm-256color", "COLUMNS": "140", "LINES": "50"}
    process = subprocess.Popen(
        run.peer.locate(command), env=env, stdin=terminal, stdout=terminal, stderr=terminal,
        start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    threading.Thread(target=_drain, args=(main,), daemon=True).start()
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _drain(fd: int) -> None:
    with suppress(OSError):
        while os.read(fd, 65536):
            pass


def measure(pids: Mapping[str, int], seconds: float) -> list[Watcher]:
    """What each process spends within the next seconds."""
    before, begin = {name: cpu_seconds(pid) for name, pid in pids.items()}, time.monotonic()
    time.sleep(seconds)
    after, passed = {name: cpu_seconds(pid) for name, pid in pids.items()}, time.monotonic() - begin
    return [Watcher(name, before[name], 100 * (after[name] - before[name]) / passed) for name in pids]


def run(peers: Mapping[str, Installed], scratch: Path, quick: bool) -> Findings:
    """Watch one run with both views."""
    mark = f"{os.getpid()}-monitor"
    jobs, window = (QUICK_JOBS, QUICK_WINDOW) if quick else (JOBS, WINDOW)
    with tmux_server() as scene:
        env = {**peers["kwdag"].env, **scene, MARK: mark}
        watched = Run(scratch / "monitor", jobs, peers["kwdag"], env)
        watched.write()
        try:
            return _findings(watched, _watch(watched, mark, window))
        finally:
            kill_all(mark)


def _watch(watched: Run, mark: str, window: float) -> list[Watcher]:
    with on_terminal(watched.schedule, watched) as schedule:
        _wait_until_asleep(watched, schedule)
        with on_terminal(["kwdag", "status", str(watched.root), "--watch"], watched) as status:
            time.sleep(SETTLE)
            pids = {"schedule, live table": schedule.pid, "status --watch": status.pid}
            found = measure(pids | _drainers(mark), window)
            if schedule.poll() is not None or status.poll() is not None:
                raise RuntimeError("monitor: a view ended while it was watched")
            return found


def _wait_until_asleep(watched: Run, schedule: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while watched.done < watched.jobs - WORKERS:
        if schedule.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"monitor: only {watched.done} jobs were done")
        time.sleep(1.0)


def _drainers(mark: str) -> dict[str, int]:
    """The processes in the sessions, which wait for their jobs."""
    found = sorted(pid for pid in marked(mark) if "kwdag.drainer" in _words(pid))
    return {f"worker {number}": pid for number, pid in enumerate(found, 1)}


def _words(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return []


def _findings(watched: Run, watchers: list[Watcher]) -> Findings:
    rows = tuple((one.name, f"{one.percent:.2f} %", f"{one.first:.2f} s") for one in watchers)
    verdicts = tuple(
        Verdict(f"monitor: {one.name}", f"{LIMIT:g} %", f"{one.percent:.2f} %", one.percent <= LIMIT)
        for one in watchers
        if watched.jobs == JOBS
    )
    notes = (f"{watched.jobs:,} jobs, all done but {WORKERS}, which run; percent of one core",)
    return Findings("monitor", ("process", "while watching", "before that"), rows, notes, verdicts)


STUDY = Study("monitor", "what the live views and waiting workers cost at 20,000 jobs", ("kwdag",), run)
