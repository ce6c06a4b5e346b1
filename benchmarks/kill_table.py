"""What a crash, or a second runner on the same folder, costs with each runner: the jobs themselves count.
No times: what counts is what ran, what was taken as done, and what was said."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contenders import CONTENDERS, WHOLE, Contender, Task, write_program
from benchmarks.findings import Findings, Study
from benchmarks.peers import Command, Installed
from benchmarks.processes import MARK, kill_all
from benchmarks.scenes import tmux_server
from benchmarks.suite import Verdict

COUNT, ROUNDS, SECONDS = 12, 3, 0.4
QUICK_COUNT, QUICK_ROUNDS = 8, 1
PATIENCE = 120.0


@dataclass(slots=True)
class Tally:
    """Sums over the rounds of one contender.

    Attributes:
        half, half_taken: outputs half written at the kill; those of them still so after all was run again.
        lost: jobs without a whole output in the end, but for those in `half_taken`.
        finished, repeated: jobs that had ended before the kill; those of them that began again.
        twice: jobs that began more than once under two runners.
        spoiled: jobs whose output is not whole after two runners.
        said: how the processes ended that did not end with 0.
    """

    half: int = 0
    half_taken: int = 0
    lost: int = 0
    finished: int = 0
    repeated: int = 0
    twice: int = 0
    spoiled: int = 0
    together: int = 0
    refused: int = 0
    said: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Ground:
    """One task of one contender on a tmux server of its own."""

    contender: Contender
    task: Task
    peer: Installed
    env: Mapping[str, str]

    def start(self, number: int) -> list[subprocess.Popen[bytes]]:
        return [self._popen(command, number) for command in self.contender.start(self.task, number)]

    def _popen(self, command: Command, number: int) -> subprocess.Popen[bytes]:
        with self.log(number).open("ab") as log:
            return subprocess.Popen(
                self.peer.locate(command), cwd=self.task.place, env=dict(self.env), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def repair(self) -> None:
        for command in self.contender.repair:
            self._popen(command, 0).wait(PATIENCE)

    def log(self, number: int) -> Path:
        return self.task.folder / f"log-{number}.txt"

    def began(self) -> Counter[str]:
        return self._counted("begin")

    def ended(self) -> set[str]:
        return set(self._counted("end"))

    def _counted(self, what: str) -> Counter[str]:
        lines = (line.split() for line in self.task.counter.read_text().splitlines())
        return Counter(words[1] for words in lines if words[0] == what)

    def half_written(self) -> set[Path]:
        return {path for path, text in self.outputs().items() if text != WHOLE}

    def outputs(self) -> dict[Path, str]:
        return {path: path.read_text() for path in self.task.place.glob(self.contender.outputs)}


def kill_in_mid_run(ground: Ground, tally: Tally) -> None:
    """Kill all once half of the jobs have ended and another is half done; then the same command again."""
    first = ground.start(1)
    _await(lambda: len(ground.ended()) >= ground.task.count // 2 or _over(first))
    _await(lambda: ground.half_written() or _over(first))
    kill_all(ground.env[MARK])
    for process in first:
        process.wait(PATIENCE)
    finished, began = ground.ended(), ground.began()
    half = ground.half_written()
    ground.repair()
    _wait_for_all(ground.start(2), ground, tally, "after the kill", 2)
    outputs = ground.outputs()
    taken = {path for path in half if path in outputs and outputs[path] != WHOLE}
    tally.half += len(half)
    tally.half_taken += len(taken)
    tally.lost += ground.task.count - sum(text == WHOLE for text in outputs.values()) - len(taken)
    tally.finished += len(finished)
    tally.repeated += sum(ground.began()[number] > began[number] for number in finished)


def two_at_once(ground: Ground, tally: Tally) -> None:
    """Start two runners at one moment and let both end."""
    runners = [(number, ground.start(number)) for number in (1, 2)]
    for number, processes in runners:
        _wait_for_all(processes, ground, tally, "beside another", number)
    tally.together += ground.task.count
    tally.twice += sum(count > 1 for count in ground.began().values())
    tally.spoiled += ground.task.count - sum(text == WHOLE for text in ground.outputs().values())


def _await(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    end = time.monotonic() + patience
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)


def _over(processes: Sequence[subprocess.Popen[bytes]]) -> bool:
    return all(process.poll() is not None for process in processes)


def _wait_for_all(
    processes: Sequence[subprocess.Popen[bytes]], ground: Ground, tally: Tally, when: str, number: int
) -> None:
    end = time.monotonic() + PATIENCE
    codes = []
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.1, end - time.monotonic()))
        codes.append(process.poll())
    if None in codes:
        tally.said[f"{when}: did not end within {PATIENCE:g} s"] += 1
    elif any(codes):
        worst = max((code for code in codes if code), key=abs)
        tally.said[f"{when}: exit code {worst}: {_complaint(ground.log(number))}"] += 1
    else:
        return
    tally.refused += when == "beside another"


def _complaint(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() or ["no output"]
    telling = [line for line in lines if "rror" in line or "xception" in line]
    return (telling or lines)[0].strip()[:90]


def run(peers: Mapping[str, Installed], scratch: Path, quick: bool) -> Findings:
    """Every contender whose peer is there, through both experiments, the rounds of all taking turns."""
    chosen = [contender for contender in CONTENDERS if contender.peer in peers]
    tallies = {contender.name: Tally() for contender in chosen}
    for number in range(QUICK_ROUNDS if quick else ROUNDS):
        for contender in chosen:
            for experiment in (kill_in_mid_run, two_at_once):
                folder = scratch / f"kill-{contender.name}-{number}-{experiment.__name__}".replace(" ", "-")
                task = Task(folder, QUICK_COUNT if quick else COUNT, SECONDS)
                _one(experiment, contender, task, peers[contender.peer], tallies[contender.name])
    return _findings(chosen, tallies, peers, quick)


def _one(
    experiment: Callable[[Ground, Tally], None],
    contender: Contender,
    task: Task,
    peer: Installed,
    tally: Tally,
) -> None:
    write_program(task)
    contender.write(task)
    with tmux_server() as scene:
        mark = f"{os.getpid()}-{task.folder.name}"
        env = {**peer.env, **scene, MARK: mark, "XDG_CACHE_HOME": str(task.folder / "cache")}
        begin = time.monotonic()
        try:
            experiment(Ground(contender, task, peer, env), tally)
        finally:
            kill_all(mark)
        took = time.monotonic() - begin
        what = experiment.__name__.replace("_", " ")
        print(f"kill_table: {contender.name}, {what}: {took:.1f} s", file=sys.stderr, flush=True)


COLUMNS = (
    "runner",
    "half taken as done",
    "lost",
    "finished ones repeated",
    "ran twice",
    "spoiled",
    "runners that gave up",
)


def _findings(
    chosen: Sequence[Contender], tallies: Mapping[str, Tally], peers: Mapping[str, Installed], quick: bool
) -> Findings:
    rows, notes, verdicts = [], [], []
    rounds = QUICK_ROUNDS if quick else ROUNDS
    for contender in chosen:
        tally = tallies[contender.name]
        name = " ".join([contender.peer, peers[contender.peer].version, *contender.name.split()[1:]])
        cells = (
            f"{tally.half_taken} of {tally.half}",
            f"{tally.lost} of {tally.together}",
            f"{tally.repeated} of {tally.finished}",
            f"{tally.twice} of {tally.together}",
            f"{tally.spoiled} of {tally.together}",
            f"{tally.refused} of {2 * rounds}",
        )
        rows.append((name, *cells))
        notes.append(f"{contender.name}: {contender.how}")
        notes += [f"{contender.name}: {text} ({times}x)" for text, times in tally.said.items()]
        if contender.peer == "kwdag":
            bad = tally.half_taken + tally.lost + tally.repeated + tally.twice + tally.spoiled + tally.refused
            verdicts.append(Verdict(f"kill_table: {contender.name}, all columns", "0", str(bad), bad == 0))
    about = (
        f"{rounds} rounds; in one run all processes were killed at one moment, outputs half written, "
        "and the same command was given again; in another run two began at once"
    )
    return Findings("kill_table", COLUMNS, tuple(rows), (about, *notes), tuple(verdicts))


STUDY = Study(
    "kill_table",
    "killed in mid-run, and two runners at once: what is lost, repeated, taken as done",
    tuple(dict.fromkeys(contender.peer for contender in CONTENDERS)),
    run,
)
