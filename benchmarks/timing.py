"""Times benchmarks: peers take turns, each in a fresh folder, and every run's work is checked.
Knows neither the peers' command lines nor how results are printed."""

from __future__ import annotations

import multiprocessing
import re
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import Limits, Sample, run_child
from benchmarks.peers import Installed
from benchmarks.scenes import NoSceneError, around
from benchmarks.suite import Benchmark
from benchmarks.work import Case, write_programs

MAX_RUNS = 5
BUDGET = 60.0  # seconds of one peer's runs after which it is not run again


#: Actions that begin where another one ended, and that other one.
AFTER = {
    "rerun": "run",
    "aggregate": "run",
    "aggregate_cold": "lay_out",
    "aggregate_warm": "lay_out_and_aggregate",
    "redo_workers": "run_workers",
}


class BrokenRunError(Exception):
    """A run that did not do its work; the text is for the table."""


@dataclass(slots=True)
class Outcome:
    """All runs of one peer at one size; with a `problem` its samples are no measure of the work."""

    benchmark: Benchmark
    peer: str
    rows: int
    jobs: int
    samples: list[Sample] = field(default_factory=list)
    problem: str | None = None

    @property
    def wall(self) -> float:
        return statistics.median(sample.wall for sample in self.samples)

    @property
    def max_rss(self) -> float:
        return statistics.median(sample.max_rss for sample in self.samples)

    def wants_more(self, runs: int) -> bool:
        spent = sum(sample.wall for sample in self.samples)
        return self.problem is None and len(self.samples) < runs and spent < BUDGET


class Timer:
    """Holds the scratch folder, and the finished runs in it that `rerun` and `aggregate` start from."""

    def __init__(self, scratch: Path, runs: int) -> None:
        self._scratch = scratch
        self._runs = runs
        self._finished: dict[tuple[str, str, int, str], Case] = {}
        self._folders = 0

    def time(self, benchmark: Benchmark, rows: int, peers: Iterable[Installed]) -> list[Outcome]:
        """Peers take turns, so that a change of the machine's load meets all of them."""
        pairs = [(peer, self._outcome(benchmark, peer, rows)) for peer in peers]
        for _ in range(self._runs):
            for peer, outcome in pairs:
                if outcome.wants_more(self._runs):
                    self._add_sample(outcome, peer)
        return [outcome for _, outcome in pairs]

    def _outcome(self, benchmark: Benchmark, peer: Installed, rows: int) -> Outcome:
        jobs = Case(benchmark.kind, rows, self._scratch, benchmark.workers).jobs
        return Outcome(benchmark, peer.peer.name, rows, jobs)

    def _add_sample(self, outcome: Outcome, peer: Installed) -> None:
        benchmark = outcome.benchmark
        try:
            case = self._case(benchmark, peer, outcome.rows)
            sample = self._run(case, benchmark.action, peer, benchmark.limits)
        except BrokenRunError as error:
            outcome.problem = str(error)
            self._say(outcome, outcome.problem)
            return
        outcome.samples.append(sample)
        self._say(outcome, f"{sample.wall:.3f} s, {sample.max_rss / 2**20:.0f} MiB")
        self._keep(case, benchmark, peer)

    def _say(self, outcome: Outcome, text: str) -> None:
        print(
            f"{outcome.benchmark.name} {outcome.rows:,} {outcome.peer}: {text}", file=sys.stderr, flush=True
        )

    def _case(self, benchmark: Benchmark, peer: Installed, rows: int) -> Case:
        if benchmark.action in AFTER:
            return self._finished_case(benchmark, peer, rows)
        return self._fresh_case(benchmark, peer, rows)

    def _fresh_case(self, benchmark: Benchmark, peer: Installed, rows: int) -> Case:
        self._folders += 1
        folder = self._scratch / f"{peer.peer.name}-{self._folders}"
        case = Case(benchmark.kind, rows, folder, benchmark.workers)
        # In a child of its own: what the harness itself has held counts as memory of every later child.
        writer = multiprocessing.get_context("fork").Process(target=_write_files, args=(case, peer))
        writer.start()
        writer.join()
        if writer.exitcode:
            raise BrokenRunError("its files could not be written")
        return case

    def _finished_case(self, benchmark: Benchmark, peer: Installed, rows: int) -> Case:
        """A folder in which everything has been run before, by this peer itself and outside the timing."""
        first = AFTER[benchmark.action]
        key = (peer.peer.name, benchmark.kind, rows, first)
        if key not in self._finished:
            case = self._fresh_case(benchmark, peer, rows)
            self._run(case, first, peer, Limits())
            self._finished[key] = case
        return self._finished[key]

    def _keep(self, case: Case, benchmark: Benchmark, peer: Installed) -> None:
        """Remember the first finished run for a later benchmark.

        Nothing is removed before the end: for some seconds after many files were removed, a file system
        such as ext4 makes new ones several times slower, and the next peer would pay for that.
        """
        if benchmark.action in AFTER.values():
            self._finished.setdefault((peer.peer.name, case.kind, case.rows, benchmark.action), case)

    def _run(self, case: Case, action: str, peer: Installed, limits: Limits) -> Sample:
        before = _newest(case)
        log = case.folder / f"{action}.log"
        command = peer.locate(peer.peer.actions[action](case))
        try:
            with around(action) as scene:
                sample = run_child(command, case.folder, log, peer.env | scene, limits)
        except NoSceneError as error:
            raise BrokenRunError(str(error)) from error
        _check_exit(sample, log, limits)
        _check_work(case, action, before, log)
        return sample


def _write_files(case: Case, peer: Installed) -> None:
    write_programs(case)
    peer.peer.write(case)


def _newest(case: Case) -> int:
    return max((path.stat().st_mtime_ns for path in case.results()), default=0)


def _oldest(case: Case) -> int:
    return min(path.stat().st_mtime_ns for path in case.results())


def _check_exit(sample: Sample, log: Path, limits: Limits) -> None:
    if sample.timed_out:
        raise BrokenRunError(f"> {limits.seconds:g} s ({sample.max_rss / 2**30:.1f} GiB by then)")
    if sample.exit_code == 0:
        return
    text = log.read_text(errors="replace")
    if limits.memory is not None and "MemoryError" in text:
        raise BrokenRunError(f"> {limits.memory / 2**30:g} GiB after {sample.wall:.0f} s")
    last = (text.strip().splitlines() or ["no output"])[-1]
    raise BrokenRunError(f"exit code {sample.exit_code}: {last[:120]}")


def _check_work(case: Case, action: str, before: int, log: Path) -> None:
    """A run that was fast because it did something else must not enter the table."""
    if action == "submit_slurm":
        return  # how many have run by then is chance; the driver has looked at what was submitted
    expected = 0 if action in ("help", "dry_run") else case.rows
    found = sum(1 for _ in case.results())
    if found != expected:
        raise BrokenRunError(f"{found:,} results where {expected:,} were expected")
    if action == "rerun" and _newest(case) != before:
        raise BrokenRunError("a finished job ran again")
    if action == "redo_workers" and _oldest(case) <= before:
        raise BrokenRunError("a finished job did not run again")
    if action.startswith("aggregate") and not re.search(
        rf"\b{case.rows:_}\b|\b{case.rows}\b", log.read_text()
    ):
        raise BrokenRunError(f"the report does not speak of {case.rows} results")
