"""What of a run is in Slurm: its files beside what squeue shows.

Reads, but for noting down submissions whose answer was lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kwdag.backends import slurm_files as files
from kwdag.backends.slurm_cli import QueueLine, Slurm
from kwdag.backends.slurm_plan import Array
from kwdag.runs import RunFile


class Flight:
    """What of one run is in Slurm."""

    def __init__(self, run_file: RunFile):
        self.run_file = run_file
        self.states: dict[tuple[int, int | None], QueueLine] = {}
        self._arrays: dict[int, list[Array]] = {}

    def arrays_of(self, number: int) -> list[Array]:
        """The arrays of a round, none while they are not planned; written once, so read once."""
        if number not in self._arrays:
            found = files.read_arrays(self.run_file, number)
            if found is None:
                return []
            self._arrays[number] = found
        return self._arrays[number]

    def rounds(self) -> range:
        return range(1, self.run_file.rounds() + 1)

    def arrays(self) -> list[Array]:
        return [array for number in self.rounds() for array in self.arrays_of(number)]

    def ids(self, with_next: bool = True) -> set[int]:
        """Ids of all that was submitted."""
        return {
            done.id
            for number in self.rounds()
            for done in files.read_submitted(self.run_file, number)
            if with_next or done.place != files.NEXT
        }

    def recover(self, lines: Iterable[QueueLine]) -> None:
        """Note submissions that were accepted and whose answer nobody wrote down."""
        marked = {line.comment: line.array for line in lines}
        for number in self.rounds():
            known = {done.id for done in files.read_submitted(self.run_file, number)}
            for place in range(len(self.arrays_of(number))):
                found = marked.get(files.comment(self.run_file, number, place))
                if found is not None and found not in known:
                    files.note_submitted(self.run_file, number, place, found)

    def see(self, lines: Iterable[QueueLine]) -> None:
        """Take in what squeue showed."""
        own = self.ids()
        self.states = {(line.array, line.task): line for line in lines if line.array in own}

    @property
    def goes_on(self) -> bool:
        """Whether further rounds may follow: the small job that plans them is still to come."""
        if not self.run_file.meta.get("rows") or files.is_closed(self.run_file):
            return False
        nexts = {
            done.id
            for number in self.rounds()
            for done in files.read_submitted(self.run_file, number)
            if done.place == files.NEXT
        }
        return any(line.alive for (array_id, _), line in self.states.items() if array_id in nexts)

    @property
    def alive(self) -> bool:
        """Whether anything of it runs or may still run."""
        return any(line.alive for line in self.states.values())

    def tasks(self) -> dict[str, str]:
        """job id -> the task that will run it or runs it, as Slurm names it."""
        return {
            job_id: f"{array_id}_{index}"
            for array_id, index, ids in self.chunks()
            if self.is_alive(array_id, index)
            for job_id in ids
        }

    def is_alive(self, array_id: int, index: int) -> bool:
        line = self.states.get((array_id, index))
        return line is not None and line.alive

    def chunks(self) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """Of each submitted task: id of the array, index, ids of its jobs."""
        for number in self.rounds():
            arrays = self.arrays_of(number)
            for done in files.read_submitted(self.run_file, number):
                if done.place != files.NEXT:
                    for index, ids in arrays[done.place].chunks.items():
                        yield done.id, index, ids


def in_flight(root: str, slurm: Slurm, but: str = "") -> list[Flight]:
    """The runs below a root of which something is still in Slurm, ``but`` one given by its folder."""
    found: list[Flight] = []
    left = [run_file for run_file in files.open_runs(root) if run_file.dpath != but]
    lines: Sequence[QueueLine] = slurm.queue() if left else []
    for run_file in left:
        flight = Flight(run_file)
        flight.recover(lines)
        flight.see(lines)
        if flight.alive:
            found.append(flight)
        else:
            files.close(run_file)
    return found


def tasks_of(flights: Iterable[Flight]) -> dict[str, str]:
    """job id -> the task that will run it or runs it, as Slurm names it."""
    return {job_id: task for flight in flights for job_id, task in flight.tasks().items()}
