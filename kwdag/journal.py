"""What happens in a run that several processes share: a file of lines for each writer, read by all.

It tells the others sooner, no more: whether a job is done is decided by its own directory. A file that is
cut at any byte still loads, without its last line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

EVENTS = ("start", "again", "done", "failed", "interrupted", "blocked", "bye")


@dataclass(frozen=True, slots=True)
class Event:
    """One line: when (unix time), who, what, of which job, and why (or how long it took)."""

    time: float
    writer: str
    what: str
    job_id: str
    note: str


class Writer:
    """Appends the events of one writer to a file of its own."""

    def __init__(self, folder: str, name: str):
        os.makedirs(folder, exist_ok=True)
        self._fd = os.open(
            f"{folder}/{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666
        )

    def write(self, time: float, what: str, job_id: str = "-", note: str | None = None) -> None:
        """Append one event."""
        line = f"{time:.3f} {what} {job_id} {' '.join((note or '').split())}\n"
        os.write(self._fd, line.encode("utf-8", "replace"))

    def close(self) -> None:
        os.close(self._fd)


class Reader:
    """Reads what is new since it last looked, of all writers but one's own."""

    def __init__(self, folder: str, but: str = ""):
        self._folder = folder
        self._but = f"{but}.log"
        self._read: dict[str, int] = {}

    def news(self) -> Iterator[Event]:
        """The whole lines that were added since the last call."""
        try:
            with os.scandir(self._folder) as entries:
                grown = [
                    (entry.name, entry.path)
                    for entry in entries
                    if entry.name != self._but and entry.stat().st_size > self._read.get(entry.name, 0)
                ]
        except FileNotFoundError:
            return
        for name, path in grown:
            yield from self._lines(name, path)

    def _lines(self, name: str, path: str) -> Iterator[Event]:
        with open(path, "rb") as file:
            file.seek(self._read.get(name, 0))
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read[name] = self._read.get(name, 0) + len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            event = _parse(name.removesuffix(".log"), line)
            if event is not None:
                yield event


def _parse(writer: str, line: str) -> Event | None:
    parts = line.split(" ", 3)
    if len(parts) < 3 or parts[1] not in EVENTS:
        return None
    try:
        return Event(float(parts[0]), writer, parts[1], parts[2], parts[3] if len(parts) > 3 else "")
    except ValueError:
        return None
